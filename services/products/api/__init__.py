"""HTTP in."""

from chassis.http import joined
from services.products.api import (
    charges,
    club,
    club_events,
    club_reports,
    entitlements,
    fairness,
    library,
    prices,
    subscriptions,
)

routes = joined(
    charges.routes, club.routes, club_events.routes, club_reports.routes, entitlements.routes, fairness.routes, prices.routes,
    library.routes, subscriptions.routes,
)  # fmt: skip
