"""Contacts a client need not have: asked for, decided by relationships for all services together [MS10, RE4]."""

from datetime import date, timedelta
from typing import Any

import pytest

from chassis.clock import at
from contracts import classification
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import judge_due, send_due
from services.messaging.tables import MessageRow
from tests.messaging.desk import Desk
from tests.messaging.gateway import serving
from tests.world import World

NOON = at(date(2026, 9, 24), 12)


@pytest.mark.services("messaging", "relationships")
async def test_contacts_are_asked_for_and_what_is_required_uses_up_none(world: World) -> None:
    desk = Desk(world)
    await desk.real()
    await desk.nothing_kept()
    free, few = await desk.open(), await desk.open()
    style = classification.SupplementaryChanged(
        client_id=few, branch_id="B1", revision=1, kind="STYLE", codes=["STYLE:F"]
    )
    await world.publish(style, at=at(date(2026, 9, 1), 9))
    await world.settle()
    database, made = world.database("messaging"), dict[str, list[MessageRow]]()
    async with serving() as provider:
        port = HttpSms(provider.url)
        # Until it is answered our own count holds: two in thirty days. Relationships allows this client any number.
        made[free] = [await birthday(desk, free, n) for n in range(4)]
        await send_due(database, "own", port, NOON)
        assert sorted([(await desk.message(row.message_id)).reason for row in made[free]]) == ["", "", "cap", "cap"]
        await world.settle()
        later = NOON + timedelta(minutes=1)
        while await judge_due(database, later):
            pass
        await send_due(database, "own", port, later)
        assert [(await desk.message(row.message_id)).state for row in made[free]] == ["handed"] * 4
        # The other one two a month; what is required, and what is no matter of choice, is not asked about.
        made[few] = [await birthday(desk, few, n) for n in range(4)]
        needed = await birthday(desk, few, 9, required=True)
        notice = await desk.ask(few, "account_notice", NOON, fields={"text": "x"})
        assert len(await asked(desk)) == 8
        # Now that somebody answers nothing goes before the answer: what has gone is what was granted.
        await send_due(database, "own", port, NOON)
        assert {(await desk.message(row.message_id)).reason for row in made[few]} == {"contact_asked"}
        await world.settle()
        while await judge_due(database, later):
            pass
        await send_due(database, "own", port, later)
        rows = [await desk.message(row.message_id) for row in made[few]]
        assert [(row.state, row.reason) for row in rows] == [("handed", "")] * 2 + [("planned", "no_contact_left")] * 2
        assert {row.due_at for row in rows if row.state == "planned"} == {at(date(2026, 10, 1), 0)}
        assert [(await desk.message(row.message_id)).state for row in (needed, notice)] == ["handed"] * 2
        # The next month it is asked anew.
        october = at(date(2026, 10, 9), 12)
        while await judge_due(database, october):
            pass
        assert len(await asked(desk)) == 10
        await world.settle()
        while await judge_due(database, october + timedelta(minutes=1)):
            pass
        await send_due(database, "own", port, october + timedelta(minutes=1))
        assert [(await desk.message(row.message_id)).state for row in made[few]] == ["handed"] * 4
        assert max(provider.accepted.values()) == 1
        # An answer that does not come is waited for an hour, then our own count holds.
        silent = october + timedelta(days=1)
        last = await desk.ask(few, "birthday", silent, "b20", not_after=silent + timedelta(days=9))
        assert (last.reason, last.due_at) == ("contact_asked", silent + timedelta(minutes=60))
        while await judge_due(database, last.due_at):
            pass
        assert (await desk.message(last.message_id)).reason == "cap"


async def birthday(desk: Desk, who: str, number: int, **more: Any) -> MessageRow:
    return await desk.ask(who, "birthday", NOON, f"b{number}", not_after=NOON + timedelta(days=20), **more)


async def asked(desk: Desk) -> list[str]:
    return [one["request_id"] for one in await desk.told("messaging.contact.requested")]
