"""HTTP in."""

from fastapi import APIRouter

from services.complaints.api import findings, flow, intake

routes = APIRouter()
for part in (intake, flow, findings):
    routes.include_router(part.routes)
