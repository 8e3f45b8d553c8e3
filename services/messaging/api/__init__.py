"""HTTP in."""

from chassis.http import joined
from services.messaging.api import asking, figures, inbound, interest, mailbox, mailings, preferences, templates

parts = (asking, mailings, interest, inbound, mailbox, preferences, templates, figures)
routes = joined(*(part.routes for part in parts))
