"""HTTP in."""

from chassis.http import joined
from services.products.api import library, prices, subscriptions

routes = joined(prices.routes, library.routes, subscriptions.routes)
