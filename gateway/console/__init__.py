"""The pages people see: a folder per work area, with its pages, parts and words."""

from fastapi import APIRouter


def routes() -> list[APIRouter]:
    """Every area's routes."""
    from gateway.console import doing, pages
    from gateway.console.approvals import pages as approvals
    from gateway.console.callbacks import pages as callbacks
    from gateway.console.complaints import pages as complaints

    return [doing.routes, approvals.routes, callbacks.routes, complaints.routes, pages.routes]
