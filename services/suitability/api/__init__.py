"""HTTP in."""

from fastapi import APIRouter

from services.suitability.api import assessments, decisions, products, reports, submissions, templates, watch

routes = APIRouter()
for part in (templates, submissions, assessments, products, decisions, watch, reports):
    routes.include_router(part.routes)
