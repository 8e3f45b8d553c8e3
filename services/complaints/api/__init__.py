"""HTTP in."""

from fastapi import APIRouter

from services.complaints.api import alarms, duties, files, findings, flow, intake

routes = APIRouter()
for part in (intake, flow, findings, files, alarms, duties):
    routes.include_router(part.routes)
