"""What is published counts where it is used: hotline and quiet hours in the messages that go out."""

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

from chassis.clock import at
from services.callbacks.policy import Policies
from tests.callbacks.desk import Desk
from tests.callbacks.test_asking import OPENED, _said


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


async def test_published_days_move_the_messages_asked_for(desk: Desk) -> None:
    await publish(desk, "messages", OPENED, {"welcome": {"first_day": 2, "limit_days": 20, "alarm_day": 12}})
    await desk.open("c-1", OPENED, phone="13800000000")
    welcome, _ = await desk.told("callbacks.message.requested")
    limits = [at(OPENED + timedelta(days=2), 0), at(OPENED + timedelta(days=21), 0)]
    assert [welcome["not_before"], welcome["not_after"]] == [_said(one) for one in limits]
