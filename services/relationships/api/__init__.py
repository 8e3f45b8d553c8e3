"""HTTP in."""

from chassis.http import joined
from services.relationships.api import allocations, information, team

routes = joined(information.routes, team.routes, allocations.routes)
