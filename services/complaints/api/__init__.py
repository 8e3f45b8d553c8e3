"""HTTP in."""

from fastapi import APIRouter

from services.complaints.api import (
    alarms,
    channels,
    clocks,
    duties,
    files,
    findings,
    flow,
    grumbles,
    intake,
    kpi,
    packs,
    policies,
    queue,
    retention,
    severity,
)

routes = APIRouter()
parts = [channels, intake, clocks, flow, findings, files, severity, queue, grumbles]
for part in (*parts, kpi, alarms, duties, packs, retention, policies):
    routes.include_router(part.routes)
