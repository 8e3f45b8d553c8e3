"""Rows of the CSV exports."""

from datetime import UTC, date, datetime

from services.points import exports
from tests.points.facts import DAY, cancelled, spend, tier, trade
from tests.world import World


async def test_points_and_balances_as_of_a_date(ledger: World) -> None:
    await ledger.publish(trade("t-1", "12.34"), trade("t-2", "0.001"), trade("t-1", "1.5", client="C-0"))
    await ledger.settle()
    await ledger.publish(tier(1, DAY, (DAY, "GOLD")), at=datetime(2022, 7, 1, 16, tzinfo=UTC))
    await ledger.settle()
    await spend(ledger, "c-1", 1000, on=date(2022, 7, 4))
    await ledger.publish(cancelled("t-1", "2"))
    await ledger.settle()
    async with ledger.sql("points") as sql:
        assert [row async for row in exports.points(sql, None)] == [
            ("C-0", "2022-07-01", "accrued", "t-1", "NORMAL", "1.0", "1.50"),
            ("c-1", "2022-07-01", "accrued", "t-1", "NORMAL", "1.0", "12.34"),
            ("c-1", "2022-07-02", "corrected", "t-1", "GOLD", "1.2", "2.47"),
            ("c-1", "2022-07-04", "spent", "", "", "", "-10.00"),
            ("c-1", "2022-07-05", "reversed", "t-1", "GOLD", "1.2", "-4.81"),
            ("c-1", "2022-07-05", "reversed", "t-1", "GOLD", "1.2", "-7.60"),
        ]
        assert len([row async for row in exports.points(sql, date(2022, 7, 2))]) == 3
        for as_of, points, debt in (
            (DAY, "12.34", "0.00"),
            (date(2022, 7, 4), "4.81", "0.00"),
            (date(2022, 7, 5), "0.00", "7.60"),
            (None, "0.00", "7.60"),
        ):
            rows = [(client, str(has), str(owes)) async for client, has, owes in exports.balances(sql, as_of)]
            assert rows == [("C-0", "1.50", "0.00"), ("c-1", points, debt)]
