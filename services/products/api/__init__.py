"""HTTP in."""

from chassis.http import joined
from services.products.api import charges, entitlements, library, prices, subscriptions

routes = joined(charges.routes, entitlements.routes, prices.routes, library.routes, subscriptions.routes)
