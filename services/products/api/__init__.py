"""HTTP in."""

from chassis.http import joined
from services.products.api import charges, entitlements, fairness, library, prices, subscriptions

routes = joined(
    charges.routes, entitlements.routes, fairness.routes, prices.routes, library.routes, subscriptions.routes
)
