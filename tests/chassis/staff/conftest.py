"""The world of the small service of time: it listens to staff with the two lines every service adds."""

from dataclasses import replace

import httpx

from chassis.actor import Actor
from chassis.http import mint, service_app
from chassis.http.identity import HEADER
from gateway import calendar, staff
from gateway.app import service
from tests.chassis.deadlines.conftest import real, simulated, timed
from tests.world import World

__all__ = ["at_the_gateway", "real", "simulated", "timed"]


def at_the_gateway(world: World, actor: Actor) -> httpx.AsyncClient:
    """The gateway's own routes of staff and calendar, as some caller."""
    app = service_app(replace(service, routes=staff.routes), world.database("gateway"), world.settings)
    app.include_router(calendar.routes)
    headers = {HEADER: mint(actor, world.settings)}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", headers=headers)
