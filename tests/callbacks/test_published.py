"""What is published counts where it is used: hotline and quiet hours in the messages that go out."""

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

from chassis.clock import at
from contracts import broker
from services.callbacks.policy import Policies
from tests.callbacks.desk import Desk
from tests.callbacks.test_messages import OPENED, Taker, dispatch, state


async def publish(desk: Desk, name: str, on: date, change: dict[str, Any]) -> None:
    """As two persons would, in time for a day of the past."""
    body = deepcopy(dict(Policies.tables[name].shipped[-1].written)) | change
    Policies.tables[name].parse(deepcopy(body))
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
               VALUES ($1, '', 1, $2, $3, 'test', 'published', 'm', now())""",
            name,
            on,
            body,
        )


async def test_the_published_hotline_reaches_the_messages_sent(desk: Desk) -> None:
    await desk.world.publish(broker.StaffChanged(staff_id="mia", branch_id="B1", name="米娅"), at=at(OPENED, 9))
    await desk.open("c-1", OPENED, phone="13800000000", name="王小明", manager_id="mia")
    await desk.open("c-2", OPENED, phone="13800000001", name="李小红", manager_id="mia")
    await desk.world.settle()
    taker = Taker()
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("UPDATE messages SET due_at = due_at + interval '1 day' WHERE client_id = 'c-2'")
    await dispatch(desk, at(OPENED + timedelta(days=1), 12), taker)
    await publish(desk, "messages", OPENED + timedelta(days=2), {"hotline": "95500"})
    await dispatch(desk, at(OPENED + timedelta(days=2), 12), taker)
    before, after = (body for _, _, body in taker.sent)
    assert ("400-000-0000" in before, "95500" in before) == (True, False)
    assert ("400-000-0000" in after, "95500" in after) == (False, True)


async def test_quiet_hours_published_move_a_message(desk: Desk) -> None:
    await desk.world.publish(broker.StaffChanged(staff_id="mia", branch_id="B1", name="米娅"), at=at(OPENED, 9))
    await desk.open("c-1", OPENED, phone="13800000000", name="王小明", manager_id="mia")
    await desk.world.settle()
    day = OPENED + timedelta(days=1)
    await publish(desk, "calling", day, {"quiet": ["21:00", "11:00"]})
    taker = Taker()
    assert (await dispatch(desk, at(day, 9), taker))["sent"] == 0
    assert await state(desk) == ("planned", "quiet_hours")
    await dispatch(desk, at(day, 11), taker)
    assert len(taker.sent) == 1
    # One that is planned under them is planned for their end.
    await desk.open("c-2", day, phone="13800000001", name="李小红", manager_id="mia")
    await desk.world.settle()
    due = await desk.world.value(
        "callbacks", "SELECT due_at FROM messages WHERE client_id = 'c-2' AND kind = 'welcome'"
    )
    assert due == at(day + timedelta(days=1), 11)
