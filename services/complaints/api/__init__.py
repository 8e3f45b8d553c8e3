"""HTTP in."""

from chassis.http import joined
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
    replanned,
    retention,
    severity,
)

parts = (
    channels, clients, intake, clocks, flow, findings, approvals, accountability, escalations, files, severity, queue,
    grumbles, kpi, alarms, duties, packs, retention, replanned,
)  # fmt: skip
routes = joined(*(part.routes for part in parts))
