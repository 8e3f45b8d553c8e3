"""HTTP in."""

from chassis.http import joined
from services.messaging.api import asking, figures, preferences

routes = joined(asking.routes, preferences.routes, figures.routes)
