"""HTTP in."""

from chassis.http import joined
from services.products.api import charges, club, entitlements, fairness, library, prices, subscriptions

routes = joined(
    charges.routes,
    club.routes,
    entitlements.routes,
    fairness.routes,
    prices.routes,
    library.routes,
    subscriptions.routes,
)
