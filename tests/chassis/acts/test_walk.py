"""Every act of the worked example, in every situation, by everybody."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from chassis.actor import Actor, Role
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from gateway.app import service as gateway
from tests.chassis.acts.service import ACTS, DESK, Close, NewClaim, Promise, Reasoned, Wait, make
from tests.chassis.deadlines.conftest import world_of
from tests.conftest import Cluster
from tests.walks.acts import Walk
from tests.world import World

PEOPLE = {
    "client": Actor("c-1", Role.CLIENT, client_id="c-1"),
    "other client": Actor("c-2", Role.CLIENT, client_id="c-2"),
    "agent": Actor("user:bo", Role.AGENT, branch_id="B1", person="E1"),
    "manager": Actor("user:mei", Role.BRANCH_MANAGER, branch_id="B1", person="E2"),
    "manager elsewhere": Actor("user:lan", Role.BRANCH_MANAGER, branch_id="B2", person="E3"),
    "compliance": Actor("user:hua", Role.COMPLIANCE, person="E4"),
    "about whom it is": Actor("user:qi", Role.BRANCH_MANAGER, branch_id="B1", person="E5"),
    "platform": Actor("careline", Role.SYSTEM),
}
BODIES = {
    "wait": lambda _: Wait(reason="papers"),
    "promise": lambda uow: Promise(due=uow.now + timedelta(days=2), reason="more to read"),
    "note": lambda _: Reasoned(reason="called"),
    "close": lambda _: Close(result="paid"),
    "withdraw": lambda _: Reasoned(reason="settled"),
    "reopen": lambda _: Reasoned(reason="asked again"),
}


@pytest.fixture
async def desk(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[World]:
    """The gateway and the desk."""
    async with world_of((gateway, DESK), "desk", settings, postgres, bus) as made:
        yield made


async def test_every_act_in_every_situation_by_everybody(desk: World) -> None:
    async def new(uow: UnitOfWork, sort: str) -> Any:
        return await make(uow, NewClaim(client_id="c-1", branch_id="B1", source=sort, concerned=["E5"]))

    walk = Walk(desk, "desk", ACTS, PEOPLE, new, ("client", "regulator"), BODIES)
    await walk.run()
    states = {state for _, state, *_ in walk.seen}
    assert states == set(ACTS.aggregate.states)
    assert any(asked for *_, asked in walk.seen), "nothing waited for a second person"
    assert any(clock[2] == 2 for _, _, clocks, _ in walk.seen for clock in clocks), "no clock ran out"
