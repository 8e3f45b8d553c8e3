"""The pages people see: a folder per work area, with its pages, parts and words."""

from fastapi import APIRouter


def routes() -> list[APIRouter]:
    """Every area's routes."""
    from gateway.console import doing, pages
    from gateway.console.approvals import pages as approvals
    from gateway.console.callbacks import pages as callbacks
    from gateway.console.clients import purchase, zone
    from gateway.console.complaints import pages as complaints
    from gateway.console.compliance import pages as compliance
    from gateway.console.myday import pages as myday
    from gateway.console.operations import pages as operations
    from gateway.console.policies import pages as policies

    areas = (myday, callbacks, complaints, approvals, policies, compliance, purchase, zone, operations)
    return [doing.routes, *(area.routes for area in areas), pages.routes]
