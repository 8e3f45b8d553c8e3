"""An office for the console's tests: two branches, headquarters, some clients, one world for all tests of a module."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from careline.asgi import apps_of, client_parts
from careline.replay.roster import FROM, roster
from chassis.actor import Actor, Role
from chassis.clock import at as clock_at
from chassis.settings import Settings
from chassis.timeline import Timeline, announce
from contracts import broker
from contracts.broker import Seat, StaffChanged
from gateway.access import begin_session, new_id
from gateway.app import gateway_app
from gateway.auth_middleware import COOKIE
from gateway.settings import GatewaySettings
from tests.conftest import KEYS, Cluster, new_world
from tests.console.pages import Person
from tests.world import World

BASE = "http://careline.test"
THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)
NAMES = {"c-1": ("王芳", "13800138000"), "c-2": ("李强", "13900139000"), "c-3": ("赵敏", "13700137000")}
ANNA = Actor("user:anna", Role.AGENT, branch_id="B1")
BEN = Actor("user:ben", Role.AGENT, branch_id="B1")
DIRECTOR = Actor("user:director", Role.BRANCH_MANAGER, branch_id="B1")
OFFICER = Actor("user:officer", Role.AGENT, branch_id="B1")
CENTRE = Actor("user:centre", Role.HQ)
SECOND = Actor("user:second", Role.HQ)
COMPLIANCE = Actor("user:compliance", Role.COMPLIANCE)
OPERATIONS = Actor("user:operations", Role.OPERATIONS)
CLIENT = Actor("app/c-1", Role.CLIENT, client_id="c-1")
PEOPLE = (
    StaffChanged(staff_id="anna", branch_id="B1", name="Anna", user="anna"),
    StaffChanged(staff_id="ben", branch_id="B1", name="Ben", user="ben"),
    StaffChanged(staff_id="mia", branch_id="B1", name="Mia", user="mia"),
    StaffChanged(
        staff_id="B1-director", branch_id="B1", name="B1-director", user="director",
        seats=(Seat(unit="B1", seat="general_manager"),), deputies=("B1-officer",),
    ),
    StaffChanged(
        staff_id="B1-officer", branch_id="B1", name="B1-officer", user="officer",
        seats=(Seat(unit="B1", seat="complaint_officer"),), deputies=("B1-director",),
    ),
    StaffChanged(staff_id="centre", branch_id="HQ", name="centre", user="centre"),
    StaffChanged(staff_id="second", branch_id="HQ", name="second", user="second"),
)  # fmt: skip


class Office:
    """A world with its gateway's app, and people at its console."""

    def __init__(self, world: World, app: FastAPI) -> None:
        self.world = world
        self.app = app

    async def session(self, actor: Actor) -> str:
        """The cookie of somebody who signed in."""
        state = self.app.state
        token: str = state.gateway_tokens.session.make(actor, 3600, id=new_id())
        await begin_session(state.database, state.gateway_tokens.session.check(token), actor, "test")
        state.access.forget()
        return token

    @asynccontextmanager
    async def person(self, actor: Actor, language: str = "en") -> AsyncIterator[Person]:
        """Somebody signed in, without a browser."""
        cookies = {COOKIE: await self.session(actor)}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=BASE, cookies=cookies) as http:
            yield Person(http, language)

    async def call(self, actor: Actor, service: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A request to a service, as somebody; its JSON."""
        given = {"idempotency-key": new_id(), "purpose": "test"} | {k.replace("_", "-"): v for k, v in headers.items()}
        async with self.world.client(service, actor) as http:
            answer = await http.request(method, f"/v1/{service}{path}", json=body, headers=given)
        assert answer.status_code < 300, answer.text
        return answer.json()


@asynccontextmanager
async def office_of(clusters: Callable[[str], Cluster], home: Path) -> AsyncIterator[Office]:
    """A replayed home on Monday morning: Friday is closed, three clients have opened accounts."""
    settings = Settings(home=home, **KEYS)
    async with new_world(settings, clusters("wheel"), "log") as world:
        async with world.database("gateway").unit_of_work() as uow:
            announce(uow, Timeline.SIMULATED, FROM)
        await world.publish(*roster(["B1", "B2"]), *PEOPLE, at=FROM)
        await world.close(THURSDAY - timedelta(days=1))
        await world.publish(
            *(
                broker.ClientOpened(
                    client_id=client, branch_id="B1", opened_on=THURSDAY, kind="individual", name=name, phone=phone,
                    manager_id="mia",
                )
                for client, (name, phone) in NAMES.items()
            ),
            at=clock_at(THURSDAY, 9),
        )  # fmt: skip
        await world.close(FRIDAY)
        apps = apps_of(world.platform)
        app = gateway_app(
            world.settings, world.database("gateway"), apps, own=GatewaySettings(), client_parts=client_parts()
        )
        yield Office(world, app)
