"""Decisions asked for at the same moment share a transaction: each gets its own answer [Q4]."""

import asyncio

from tests.suitability.conftest import DESK, ELSEWHERE, Desk, client, opened
from tests.suitability.test_decisions import prepared
from tests.world import World


async def test_many_at_once_are_each_decided_or_refused(world: World, desk: Desk) -> None:
    await prepared(world, desk)
    await world.publish(*(opened(f"n-{number}") for number in range(20)))
    await world.settle()

    def body(who: str, **more: str) -> dict[str, str]:
        return {"client": who, "product": "STOCK", "initiator": "client", "channel": "mobile"} | more

    callers = [(client(f"n-{n}"), body(f"n-{n}"), 201) for n in range(20)] + [
        (client("c-1"), body("c-1"), 201),
        (DESK, body("nobody"), 404),
        (ELSEWHERE, body("c-1"), 404),
        (DESK, body("c-1", channel="smoke signals"), 422),
    ]
    answers = await asyncio.gather(*(desk.call(actor, "POST", "/decisions", given) for actor, given, _ in callers * 3))
    assert [answer.status_code for answer in answers] == [status for *_, status in callers] * 3
    for (_, given, status), answer in zip(callers * 3, answers, strict=True):
        if status == 201:
            assert answer.json()["client"] == given["client"]
    kept = await world.rows("suitability", "SELECT decision_id, actor, client_id FROM decisions")
    made = {answer.json()["decision_id"] for answer in answers if answer.status_code == 201}
    assert {row["decision_id"] for row in kept} == made
    assert all(row["actor"] == row["client_id"] for row in kept)
    assert await world.value("suitability", "SELECT count(DISTINCT xmin::text) FROM decisions") < len(kept)
    await world.seal()
    assert await world.findings() == []
