"""Complainants who chose a message are told by one at each change of state; what arrived is logged as the contact [C25]."""

from datetime import timedelta
from typing import Any

from chassis.clock import utc_now
from contracts.messaging import MessageChanged
from tests.complaints.desk import CENTRE, Desk


async def asked(desk: Desk) -> list[dict[str, Any]]:
    return await desk.world.rows(
        "complaints", "SELECT request_id, case_id, channel, state FROM messages_asked ORDER BY asked_at, request_id"
    )


async def test_who_chose_a_message_is_told_by_one_and_others_by_people(real: Desk) -> None:
    now = utc_now() - timedelta(minutes=30)
    chose, rings, nobody = [
        await real.open(received_at=now.isoformat(), **more)
        for more in (
            {"contact_channel": "SMS"},
            {"contact_channel": "phone"},
            {"contact_channel": "sms", "client_id": None},
        )
    ]
    for case in (chose, rings, nobody):
        await real.act(CENTRE, case, "acceptance")
    [one] = await asked(real)
    assert (str(one["case_id"]), one["channel"], one["state"]) == (chose["case_id"], "sms", "asked")
    due = "SELECT to_tell_since FROM cases WHERE case_id = $1::text::uuid"
    assert await real.world.value("complaints", due, chose["case_id"]) is not None

    def became(state: str, seconds: int) -> MessageChanged:
        return MessageChanged(
            message_id=one["request_id"], request_id=one["request_id"], client_id="c-1", kind="complaint_progress",
            message_class="NOTICE", channel="sms", state=state, at=utc_now() + timedelta(seconds=seconds),  # type: ignore[arg-type]
        )  # fmt: skip

    await real.world.publish(became("handed", 1))
    await real.world.settle()
    assert await real.world.value("complaints", due, chose["case_id"]) is not None  # handed over is not arrived
    for _ in range(2):
        await real.world.publish(became("delivered", 2))
        await real.world.settle()
    assert await real.world.value("complaints", due, chose["case_id"]) is None
    contacts = await real.world.rows("complaints", "SELECT by, channel FROM contacts")
    assert [(row["by"], row["channel"]) for row in contacts] == [("messaging", "sms")]
    assert await real.world.value("complaints", due, rings["case_id"]) is not None
