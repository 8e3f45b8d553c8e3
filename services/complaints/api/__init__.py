"""HTTP in."""

from fastapi import APIRouter

from services.complaints.api import duties, findings, flow, intake

routes = APIRouter()
for part in (intake, flow, findings, duties):
    routes.include_router(part.routes)
