"""HTTP in."""

from chassis.http import joined
from services.relationships.api import activity, allocations, information, service_log, team, visits

routes = joined(information.routes, team.routes, allocations.routes, service_log.routes, visits.routes, activity.routes)
