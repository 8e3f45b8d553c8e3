"""Awards, repeats, cancellations, corrections, debt: what the ledger does with the facts it is told."""

from datetime import UTC, date, datetime
from decimal import Decimal

from chassis.actor import Actor, Role
from chassis.clock import start_of
from chassis.operations import conflicts
from contracts.broker import BrokerDayClosed
from contracts.classification import DayCompleted as ClassificationDayCompleted
from services.points.app import service
from tests.points.facts import DAY, balance, cancelled, entries, spend, tier, trade
from tests.world import World

NOTHING = Decimal(0)
OPERATOR = Actor("os:pat", Role.OPERATIONS)


def points(text: str) -> Decimal:
    return Decimal(text)


async def test_a_trade_delivered_twice_is_awarded_once_p1(ledger: World) -> None:
    messages = await ledger.publish(trade("t-1", "12.34"), trade("t-2", "0.66"))
    await ledger.settle()
    await ledger.redeliver(messages)
    await ledger.redeliver(messages, id="another-id")
    await ledger.publish(trade("t-1", "12.340"), trade("t-3", "1"))  # a repeat beside a new one
    await ledger.settle()
    assert await balance(ledger) == (points("14.00"), NOTHING)
    assert await entries(ledger) == [
        ("accrued", "t-1", points("12.34")),
        ("accrued", "t-2", points("0.66")),
        ("accrued", "t-3", points("1")),
    ]


async def test_a_repeat_inside_one_batch_is_awarded_once(ledger: World) -> None:
    await ledger.publish(trade("t-1", "5"), trade("t-1", "5.00"), trade("t-2", "1"))
    await ledger.settle()
    assert await balance(ledger) == (points("6"), NOTHING)


async def test_the_same_trade_id_of_another_client_is_another_trade(ledger: World) -> None:
    await ledger.publish(trade("t-1", "5"), trade("t-1", "7", client="c-2"))
    await ledger.settle()
    assert (await balance(ledger))[0], (await balance(ledger, "c-2"))[0] == (points("5"), points("7"))


async def test_a_trade_that_earns_nothing_is_remembered_and_tells_nothing(ledger: World) -> None:
    await ledger.publish(trade("t-1", "0.004"))
    await ledger.settle()
    await ledger.publish(trade("t-1", "0.004"), trade("t-1", "9"))
    await ledger.settle()
    assert await entries(ledger) == [("accrued", "t-1", NOTHING)]
    assert await ledger.value("points", "SELECT count(*) FROM conflicts") == 1
    assert await ledger.value("points", "SELECT count(*) FROM bus.log WHERE type = 'points.entry.posted'") == 0


async def test_other_content_is_a_conflict_that_an_operator_accepts(ledger: World) -> None:
    await ledger.publish(trade("t-1", "10"))
    await ledger.settle()
    await ledger.publish(trade("t-1", "15"), trade("t-1", "15.0"))
    await ledger.publish(trade("t-1", "15"))
    await ledger.settle()
    assert await balance(ledger) == (points("10"), NOTHING)
    [row] = await ledger.rows("points", "SELECT id, identity, known, offered FROM conflicts")
    assert (row["identity"], row["known"]["commission"], row["offered"]["commission"]) == ("c-1/t-1", "10", "15")

    await conflicts.decide(service, ledger.database("points"), OPERATOR, row["id"], "accepted", "the broker said so")
    assert await balance(ledger) == (points("15"), NOTHING)
    assert (await entries(ledger))[-1] == ("corrected", "t-1", points("5"))

    await ledger.publish(trade("t-1", "10"), trade("t-1", "15"))  # both contents are known now
    await ledger.publish(cancelled("t-1", "3"))
    await ledger.settle()
    assert await balance(ledger) == (points("3"), NOTHING)
    assert await ledger.value("points", "SELECT count(*) FROM conflicts") == 1


async def test_other_content_inside_one_batch_is_a_conflict(ledger: World) -> None:
    await ledger.publish(trade("t-1", "10"), trade("t-1", "15"), trade("t-2", "1"))
    await ledger.settle()
    assert await balance(ledger) == (points("11"), NOTHING)
    assert await ledger.value("points", "SELECT count(*) FROM conflicts") == 1


async def test_the_lowest_remaining_commission_wins_p1(ledger: World) -> None:
    await ledger.publish(trade("t-1", "10"))
    await ledger.settle()
    for remaining in ("4", "6", "4", "12"):
        await ledger.publish(cancelled("t-1", remaining))
        await ledger.settle()
    assert await entries(ledger) == [("accrued", "t-1", points("10")), ("reversed", "t-1", points("-6"))]
    await ledger.publish(cancelled("t-1", "1"), cancelled("t-1"))
    await ledger.settle()
    assert await balance(ledger) == (NOTHING, NOTHING)


async def test_a_cancellation_waits_for_its_trade_p8(ledger: World) -> None:
    await ledger.publish(cancelled("t-1", "4"))
    await ledger.settle()
    assert await ledger.value("points", "SELECT parked FROM balances") == 1
    await ledger.publish(cancelled("t-1", "2.5"))
    await ledger.settle()
    await ledger.publish(trade("t-1", "10"), trade("t-2", "1"))
    await ledger.settle()
    assert await balance(ledger) == (points("3.5"), NOTHING)
    assert await ledger.value("points", "SELECT parked FROM balances") == 0


async def test_a_tier_of_the_trade_date_known_before_the_trade_t5(ledger: World) -> None:
    await ledger.publish(tier(1, DAY, (DAY, "GOLD"), (date(2022, 7, 10), "NORMAL")))
    await ledger.settle()
    late, before = date(2022, 7, 10), date(2022, 6, 30)
    await ledger.publish(trade("t-1", "12.34"), trade("t-2", "12.34", day=late), trade("t-3", "12.34", day=before))
    await ledger.settle()
    assert await balance(ledger) == (points("14.81") + 2 * points("12.34"), NOTHING)


async def test_a_tier_known_after_the_trade_is_a_correction_that_names_the_original_t7(ledger: World) -> None:
    await ledger.publish(trade("t-1", "12.34"), trade("t-2", "1", day=date(2022, 6, 30)))
    await ledger.settle()
    decided = start_of(date(2022, 8, 1))
    await ledger.publish(tier(1, DAY, (DAY, "DIAMOND")), at=decided)
    await ledger.settle()
    await ledger.publish(cancelled("t-1", "10"))
    await ledger.settle()
    await ledger.publish(tier(2, DAY, (DAY, "SILVER")), at=decided)
    await ledger.settle()
    rows = await ledger.rows("points", "SELECT * FROM entries WHERE trade_id = 't-1' ORDER BY step")
    assert [(row["kind"], row["points"], row["tier"], row["multiplier"]) for row in rows] == [
        ("accrued", 1234, "NORMAL", 100),
        ("corrected", 370, "DIAMOND", 130),
        ("reversed", 304, "DIAMOND", 130),
        ("corrected", 247, "SILVER", 110),  # of what the trade earned, as of its date
        ("reversed", 47, "SILVER", 110),  # of what the cancellation took, as of its own
    ]
    first = date(2022, 8, 1)
    assert [row["posted_on"] for row in rows] == [DAY, first, date(2022, 7, 5), first, first]
    assert [row["value_on"] for row in rows] == [None, None, date(2022, 7, 5), None, date(2022, 7, 5)]
    assert {row["original"] for row in rows[1:]} == {rows[0]["entry_id"]}
    assert await balance(ledger) == (points("12.00"), NOTHING)


async def test_a_revision_heard_before_or_older_than_another_disturbs_nothing(ledger: World) -> None:
    await ledger.publish(trade("t-1", "10"), trade("t-2", "10", day=date(2022, 7, 20)))
    newer = tier(2, date(2022, 7, 10), (date(2022, 7, 10), "SILVER"))
    older = tier(1, DAY, (DAY, "DIAMOND"))
    await ledger.publish(newer)
    await ledger.settle()
    await ledger.publish(newer, older)
    await ledger.settle()
    assert await balance(ledger) == (points("24"), NOTHING)  # 13 for the first trade, 11 for the second


async def test_what_is_owed_is_repaid_by_the_next_accruals_first_p7(ledger: World) -> None:
    await ledger.publish(trade("t-1", "10"), trade("t-2", "1"))
    await ledger.settle()
    await spend(ledger, "c-1", 900)
    await ledger.publish(cancelled("t-1"))
    await ledger.settle()
    assert await balance(ledger) == (NOTHING, points("8"))
    later = date(2022, 7, 6)
    await ledger.publish(trade("t-3", "3", day=later))
    await ledger.settle()
    assert await balance(ledger) == (NOTHING, points("5"))
    await ledger.publish(trade("t-4", "7", day=later))
    await ledger.settle()
    assert await balance(ledger) == (points("2"), NOTHING)
    assert (await entries(ledger))[-2:] == [("accrued", "t-4", points("5")), ("accrued", "t-4", points("2"))]
    await ledger.publish(trade("t-4", "7", day=later), cancelled("t-4", "1"))  # its own lot holds less than what goes
    await ledger.settle()
    assert await balance(ledger) == (NOTHING, points("4"))


async def test_a_reversal_beyond_its_own_lot_takes_the_earliest_to_expire_p6(ledger: World) -> None:
    await ledger.publish(trade("t-1", "10", day=date(2022, 5, 2)), trade("t-2", "10"), trade("t-3", "10"))
    await ledger.settle()
    await spend(ledger, "c-1", 1200)  # all of t-1, and 2 of t-2
    await ledger.publish(cancelled("t-1", "5"))
    await ledger.settle()
    left = await ledger.rows(
        "points",
        """SELECT e.trade_id, coalesce(l.free, e.points) AS left FROM entries e
           LEFT JOIN lots l ON l.client_id = e.client_id AND l.lot = e.entry_id::text
           WHERE e.kind = 'accrued' ORDER BY e.trade_id""",
    )
    assert left[0]["left"] == 0  # the oldest is used up first
    assert sum(row["left"] for row in left) == 1300


async def test_entries_are_told_with_two_decimals_and_a_sign(ledger: World) -> None:
    await ledger.publish(trade("t-1", "0.50"), at=datetime(2022, 7, 3, 17, tzinfo=UTC))
    await ledger.settle()
    await ledger.publish(cancelled("t-1"))
    await ledger.settle()
    told = await ledger.rows(
        "points", "SELECT convert_from(value, 'UTF8')::jsonb AS told FROM bus.log WHERE type = 'points.entry.posted'"
    )
    assert [(row["told"]["kind"], row["told"]["points"], row["told"]["posted_on"]) for row in told] == [
        ("accrued", "0.50", "2022-07-04"),
        ("reversed", "-0.50", "2022-07-05"),
    ]


async def test_a_closed_day_is_completed_on_every_partition(ledger: World) -> None:
    count = "SELECT count(*) FROM bus.log WHERE type = 'points.day.completed'"
    await ledger.publish(trade("t-1", "1"), BrokerDayClosed(business_date=DAY))
    await ledger.settle()
    assert await ledger.value("points", count) == 0, "classification's day comes first"
    await ledger.publish(ClassificationDayCompleted(business_date=DAY))
    await ledger.settle()
    assert await ledger.value("points", count) == ledger.settings.partitions
