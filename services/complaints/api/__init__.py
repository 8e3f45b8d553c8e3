"""HTTP in."""

from fastapi import APIRouter

from services.complaints.api import alarms, duties, files, findings, flow, intake, kpi, policies, queue, retention, severity

routes = APIRouter()
for part in (intake, flow, findings, files, severity, queue, kpi, alarms, duties, retention, policies):
    routes.include_router(part.routes)
