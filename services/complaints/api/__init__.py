"""HTTP in."""

from fastapi import APIRouter

from services.complaints.api import (
    accountability,
    alarms,
    approvals,
    channels,
    clients,
    clocks,
    duties,
    escalations,
    files,
    findings,
    flow,
    grumbles,
    intake,
    kpi,
    packs,
    queue,
    retention,
    severity,
)

routes = APIRouter()
parts = [channels, clients, intake, clocks, flow, findings, approvals, accountability, escalations]
for part in (*parts, files, severity, queue, grumbles, kpi, alarms, duties, packs, retention):
    routes.include_router(part.routes)
