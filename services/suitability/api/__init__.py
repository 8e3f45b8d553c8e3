"""HTTP in."""

from chassis.http import joined
from services.suitability.api import assessments, decisions, products, reports, submissions, templates, watch

# Routes are tried in order: the one asked hundreds of times a second comes first.
parts = (decisions, templates, submissions, assessments, products, watch, reports)
routes = joined(*(part.routes for part in parts))
