"""HTTP in."""

from chassis.http import joined
from services.messaging.api import (
    asking,
    figures,
    inbound,
    interest,
    mailbox,
    mailings,
    plans,
    preferences,
    registrations,
    templates,
    wecom,
)

parts = (asking, mailings, interest, plans, inbound, mailbox, preferences, templates, registrations, wecom, figures)
routes = joined(*(part.routes for part in parts))
