"""HTTP in."""

from chassis.http import joined
from services.messaging.api import asking, figures, inbound, mailbox, preferences, templates

routes = joined(asking.routes, inbound.routes, mailbox.routes, preferences.routes, templates.routes, figures.routes)
