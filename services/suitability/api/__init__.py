"""HTTP in."""

from fastapi import APIRouter

from services.suitability.api import assessments, decisions, products, reports, submissions, templates, watch

routes = APIRouter()
# Routes are tried in order: the one asked hundreds of times a second comes first.
for part in (decisions, templates, submissions, assessments, products, watch, reports):
    routes.include_router(part.routes)
