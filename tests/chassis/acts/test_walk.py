"""Every act of the worked example, in every situation, by everybody."""

from datetime import timedelta
from typing import Any

from chassis.uow import UnitOfWork
from tests.chassis.acts.conftest import PEOPLE
from tests.chassis.acts.service import ACTS, Close, NewClaim, Promise, Reasoned, Wait, make
from tests.walks.acts import Walk
from tests.world import World

BODIES = {
    "wait": lambda _: Wait(reason="papers"),
    "promise": lambda uow: Promise(due=uow.now + timedelta(days=2), reason="more to read"),
    "note": lambda _: Reasoned(reason="called"),
    "close": lambda _: Close(result="paid"),
    "withdraw": lambda _: Reasoned(reason="settled"),
    "reopen": lambda _: Reasoned(reason="asked again"),
}


async def test_every_act_in_every_situation_by_everybody(desk: World) -> None:
    async def new(uow: UnitOfWork, sort: str) -> Any:
        return await make(uow, NewClaim(client_id="c-1", branch_id="B1", source=sort, concerned=["E5"]))

    walk = Walk(desk, "desk", ACTS, PEOPLE, new, ("client", "regulator"), BODIES)
    await walk.run()
    states = {state for _, state, *_ in walk.seen}
    assert states == set(ACTS.aggregate.states)
    assert any(asked for *_, asked in walk.seen), "nothing waited for a second person"
    assert any(clock[2] == 2 for _, _, clocks, _ in walk.seen for clock in clocks), "no clock ran out"
