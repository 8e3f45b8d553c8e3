"""A worker killed at every await of its turn: nothing is sent twice blindly, and where the provider can be asked nothing is
lost [MS13]."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import at, business_date, utc_now
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import judge_due, send_due
from tests.messaging.desk import Desk
from tests.messaging.gateway import Gateway, serving

NOON = at(business_date(utc_now()), 12)


class Cut:
    """Drives a coroutine and ends it at its await number `place`: what it waits for there is cancelled."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], place: int) -> None:
        self.inner, self.place, self.passed = coroutine.__await__(), place, 0

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            found = self.inner.send(None)
            while True:
                self.passed += 1
                if self.passed == self.place:
                    if found is None:  # it only let others go first
                        found = self.inner.throw(asyncio.CancelledError())
                        continue
                    found.cancel()
                try:
                    value = yield found
                except BaseException as error:  # handed on to where it belongs
                    found = self.inner.throw(error)
                else:
                    found = self.inner.send(value)
        except StopIteration as end:
            return end.value


@pytest.fixture
async def gateway(desk: Desk) -> AsyncIterator[Gateway]:
    async with serving() as made:
        yield made


@pytest.mark.parametrize("can_be_asked", [True, False])
async def test_a_worker_killed_at_every_await(desk: Desk, gateway: Gateway, can_be_asked: bool) -> None:
    """Each turn is cut one await later."""
    database, place, found = desk.world.database("messaging"), 0, dict[str, int]()
    port = HttpSms(gateway.url, status=gateway.status_url if can_be_asked else "", seconds=5)
    who = await desk.open()
    while True:
        place += 1
        one = await desk.ask(who, "account_notice", NOON, f"{can_be_asked}/{place}", fields={"text": "资料已更新"})
        # The caps of a number are not what this is about.
        async with database.unit_of_work() as uow:
            await uow.sql.execute("UPDATE messages SET address_token = NULL")
        turn = Cut(send_due(database, "own", port, NOON), place)
        with suppress(asyncio.CancelledError):
            await turn
        # Another worker finds what was in hand; what is for later goes when it is due.
        for later in (timedelta(seconds=1), timedelta(hours=2)):
            await send_due(database, "own", port, NOON + later)
        row, accepted = await desk.message(one.message_id), gateway.accepted[str(one.message_id)]
        assert accepted <= 1, (place, row.state)
        assert row.batch_id is None, place
        assert row.state == "handed" if can_be_asked else row.state in ("handed", "unknown"), (place, row.reason)
        assert accepted == 1 or row.state == "unknown", place
        found[row.state] = found.get(row.state, 0) + 1
        if turn.passed < place:
            break  # it came to its end before that
    assert place > 20
    assert can_be_asked or found["unknown"] >= 1


async def test_a_judge_killed_at_every_await(desk: Desk) -> None:
    """What was judged stands whole or not at all; the next turn ends it, and what has come to its end is told once."""
    database, place = desk.world.database("messaging"), 0
    goes, ends = await desk.open(), await desk.open()
    while True:
        place += 1
        later = {"fields": {"text": "资料已更新"}, "not_before": NOON + timedelta(hours=1)}
        rows = [
            await desk.ask(goes, "account_notice", NOON, f"judged/{place}", **later),
            await desk.ask(
                ends, "account_notice", NOON, f"judged/{place}", not_after=NOON + timedelta(hours=2), **later
            ),
        ]
        async with database.unit_of_work() as uow:  # the second waited too long
            await uow.sql.execute("UPDATE messages SET not_after = $2 WHERE message_id = $1", rows[1].message_id, NOON)
        turn = Cut(judge_due(database, NOON + timedelta(hours=1)), place)
        with suppress(asyncio.CancelledError):
            await turn
        states = [(await desk.message(row.message_id)).state for row in rows]
        assert states in (["planned", "planned"], ["queued", "expired"]), place
        await judge_due(database, NOON + timedelta(hours=1))
        assert [(await desk.message(row.message_id)).state for row in rows] == ["queued", "expired"], place
        async with database.unit_of_work() as uow:  # caps of a number are not what this is about
            await uow.sql.execute("DELETE FROM messages WHERE client_id = $1", goes)
        told = [
            one for one in await desk.told("messaging.message.changed") if one["message_id"] == str(rows[1].message_id)
        ]
        assert [one["state"] for one in told] == ["expired"], place
        if turn.passed < place:
            break  # it came to its end before that
    assert place > 10
