"""HTTP in."""

from chassis.http import joined
from services.relationships.api import information

routes = joined(information.routes)
