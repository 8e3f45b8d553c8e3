"""What the broker's systems say has happened: dated years ahead it is put aside with the reason, whichever bus brought it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import pytest

from chassis.clock import business_date, utc_now
from chassis.operations import dead_letters
from contracts import ahead, broker
from contracts.base import Event
from tests.points.facts import DAY, balance, trade
from tests.world import OPERATOR, World

pytestmark = pytest.mark.services("points", "classification", "suitability")
YEARS_AHEAD = date(2090, 1, 2)
REASONS = "SELECT reason, error FROM dead_letters ORDER BY id"


@pytest.mark.both_buses
async def test_a_trade_of_years_to_come_is_not_spendable_today(world: World) -> None:
    await world.publish(trade("t-1", "12.34"), trade("t-2", "99", day=YEARS_AHEAD), at=utc_now())
    await world.publish(trade("t-3", "7"), at=utc_now() + timedelta(days=400))
    await world.settle()
    assert await balance(world) == (Decimal("12.34"), 0)
    for service in ("points", "classification", "suitability"):
        found = [(one["reason"], one["error"].split(":")[0]) for one in await world.rows(service, REASONS)]
        assert found == [("TooFarAhead", "trade_date"), ("TooFarAhead", "time")], service
    worker = world.platform.workers["points"]
    again = await dead_letters.redrive(worker.service, worker.database, OPERATOR)
    assert [one.outcome for one in again] == ["failed", "failed"]
    assert await balance(world) == (Decimal("12.34"), 0)


@pytest.mark.both_buses
async def test_a_day_to_come_is_not_closed(world: World) -> None:
    await world.close(DAY)
    await world.close(YEARS_AHEAD)
    assert await world.value("classification", "SELECT through FROM closed_days") == DAY
    assert {one["reason"] for one in await world.rows("classification", REASONS)} == {"TooFarAhead"}


def dated() -> Iterator[tuple[type[Event], str, bool]]:
    """Every date and instant of every fact, as its annotation says it: kind, field, whether an instant."""
    for kind in broker.EVENTS:
        for name, hint in get_type_hints(kind).items():
            for of in (date, datetime):
                if hint is of or of in get_args(hint):
                    yield kind, name, of is datetime


@pytest.mark.parametrize(("kind", "name", "is_instant"), list(dated()))
def test_every_date_of_every_fact_is_judged(kind: type[Event], name: str, is_instant: bool) -> None:
    """A day ahead is let by, two are not, on both ways in; days to come only where the fact is about them."""
    now = datetime(2026, 3, 2, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    for days, found in ((0, False), (1, False), (2, name not in kind.tells_ahead)):
        when: Any = now + timedelta(days=days)
        told = when if is_instant else business_date(when)
        event = kind(**{field: told if field == name else None for field in kind.__struct_fields__})
        assert [one for one, _ in ahead.far_ahead(kind, event, now)] == [name] * found, days
        assert ahead.any_far_ahead(kind, [event], now) == found, days
