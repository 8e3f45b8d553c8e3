"""HTTP in."""

from fastapi import APIRouter

from services.complaints.api import alarms, duties, files, findings, flow, intake, severity

routes = APIRouter()
for part in (intake, flow, findings, files, severity, alarms, duties):
    routes.include_router(part.routes)
