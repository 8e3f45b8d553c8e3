"""The pages people see: a folder per work area, with its pages, parts and words."""

from fastapi import APIRouter


def routes() -> list[APIRouter]:
    """Every area's routes."""
    from gateway.console import doing, pages, views
    from gateway.console.approvals import pages as approvals
    from gateway.console.callbacks import bulk
    from gateway.console.callbacks import pages as callbacks
    from gateway.console.clients import purchase, questionnaire, tabs, timeline, zone
    from gateway.console.complaints import pages as complaints
    from gateway.console.complaints import supervision
    from gateway.console.compliance import audit, findings, keeping
    from gateway.console.compliance import pages as compliance
    from gateway.console.live import pages as live
    from gateway.console.managers import pages as managers
    from gateway.console.managers import work as managing
    from gateway.console.myday import pages as myday
    from gateway.console.operations import access, looking
    from gateway.console.operations import pages as operations
    from gateway.console.policies import pages as policies

    areas = (
        live, myday, bulk, callbacks, supervision, complaints, managing, managers, approvals, policies, audit, findings, keeping, compliance, purchase,
        questionnaire, timeline, tabs, zone, access, looking, operations,
    )  # fmt: skip
    return [doing.routes, views.routes, *(area.routes for area in areas), pages.routes]
