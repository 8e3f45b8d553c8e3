"""HTTP in."""

from chassis.http import joined
from services.products.api import library, prices

routes = joined(prices.routes, library.routes)
