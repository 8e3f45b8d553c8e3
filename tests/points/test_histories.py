"""Random histories of facts and acts on the real ledger, in any order, repeated and late, against the slow reference fold:
the same balances, and the same points by kind and value date [4.7a]."""

import os
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from chassis.clock import at, business_date, month_end, months_after, start_of
from chassis.rows import columns
from contracts.broker import ClientOpened
from services.points import adjustments, balances, bonuses, holding, tiers
from services.points.accounts import entry_id
from services.points.entries import SIGNED
from services.points.holding import Ended, InDebt, InsufficientPoints
from services.points.ledger import Posting
from services.points.tables import AdjustmentRow, BonusRow, HoldRow, Outcome
from services.points.trades import VALUE_ON, Cause
from tests.points.facts import cancelled, close, trade
from tests.reference import points_fold as reference
from tests.world import World

HISTORIES = int(os.environ.get("LEDGER_HISTORIES", "12"))
"""Ten thousand for a night, few in every run."""
EARLY, FIRST, LAST = date(2020, 1, 1), date(2022, 3, 31), date(2022, 9, 30)
OPENED = date(2019, 12, 2)
"""No anniversary of it lies among the days that are closed."""
GAINED = st.integers(0, 300).map(lambda n: EARLY + timedelta(days=n))
ACTED = st.integers(300, 960).map(lambda n: EARLY + timedelta(days=n))
FACTS = ("trade", "cancelled", "referrer", "referred", "first")
REFERRAL = 500_00
clients = count(1)
Told = tuple[str, Any]


def ends(day: date) -> date:
    """24 months on, at the month's end."""
    return month_end(months_after(day, 24))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Told], int]:
    """What is told, shuffled and with repeats, and after how much of it the days up to `LAST` are closed."""
    told: list[Told] = []
    for n in range(draw(st.integers(1, 4))):
        day, points = draw(GAINED), draw(st.integers(1, 300))
        told.append(("trade", (f"t-{n}", day, points)))
        if draw(st.booleans()):
            on = max(day, draw(st.one_of(GAINED, ACTED)))
            told.append(("cancelled", (f"t-{n}", day, on, points, draw(st.integers(0, points - 1)))))
    if draw(st.booleans()):
        day = draw(GAINED)
        back = draw(st.sampled_from([None, 3, 600]))
        told.append(("bonus", (day, draw(st.integers(1, 300)), back and day + timedelta(days=back))))
    if draw(st.booleans()):  # a client who was referred: two openings and a first trade, each at a time of its own
        told += [("referrer", None), ("referred", None), ("first", draw(GAINED))]
    for n in range(draw(st.integers(0, 3))):
        day = draw(ACTED)
        outcome = draw(st.sampled_from(["spent", "refused", "withdrawn", None]))
        told.append(("hold", (f"h-{n}", n, day, draw(st.integers(1, 300)), outcome, draw(st.integers(0, 40)))))
    for sign in draw(st.sampled_from([(), (1,), (-1,), (1, -1)])):
        told.append(("adjusted", (f"adjustment/{sign}", draw(ACTED), sign * draw(st.integers(1, 200)))))
    told += draw(st.lists(st.sampled_from([one for one in told if one[0] in FACTS]), max_size=2))
    shuffled = draw(st.permutations(told))
    return shuffled, draw(st.integers(0, len(shuffled)))


def whole(points: int) -> str:
    """Hundredths as a commission of a NORMAL client."""
    return str(Decimal(points) / 100)


def as_items(client: str, told: Sequence[Told]) -> list[reference.Item]:
    """The same for the reference."""
    items: dict[str, reference.Item] = {}
    for kind, given_ in told:
        match kind, given_:
            case "trade", (name, day, points):
                lot = entry_id(client, name, 0)
                items[lot] = reference.Gain(lot, day, start_of(day), points, ends(day))
            case "cancelled", (name, day, on, points, left):
                when = noon(on)
                lot = entry_id(client, name, 0)
                items[f"{lot}/c"] = reference.ClawBack(
                    f"{lot}/{when.isoformat()}", max(day, on), when, points - left, lot
                )
            case "bonus", (day, points, back):
                lot = entry_id(client, f"suggestion/{client}", 0)
                items[lot] = reference.Gain(lot, day, start_of(day), points, ends(day), "bonus")
                if back:
                    items[f"{lot}/b"] = reference.ClawBack(f"{lot}/back", back, start_of(back), points, lot)
            case "first", day:
                lot = entry_id(client, f"referral/{client}-r", 0)
                items[lot] = reference.Gain(lot, day, start_of(day), REFERRAL, ends(day), "bonus")
            case "hold", (name, n, day, points, outcome, after):
                items[name] = reference.Hold(name, day, noon(day, n), points)
                end, when = f"{name}/ended", noon(day + timedelta(days=after), 30 + n)
                if outcome == "spent":
                    items[end] = reference.Spend(end, when.date(), when, name)
                elif outcome:
                    items[end] = reference.Release(end, when.date(), when, name, outcome == "withdrawn")
            case "adjusted", (item, day, points) if points > 0:
                lot = entry_id(client, item, 0)
                items[lot] = reference.Gain(lot, day, noon(day), points, ends(day), "adjusted")
            case "adjusted", (item, day, points):
                items[item] = reference.AdjustDown(item, day, noon(day), -points)
    return list(items.values())


def noon(day: date, minutes: int = 0) -> datetime:
    """So many minutes after noon in Shanghai, in UTC: the same date."""
    return at(day, 12) + timedelta(minutes=minutes)


async def tell(world: World, client: str, kind: str, told: Any) -> None:
    """Facts by their events; acts as the ledger keeps them once they are accepted."""
    match kind, told:
        case "trade", (name, day, points):
            await world.publish(trade(name, whole(points), client, day))
            await world.settle()
        case "cancelled", (name, _, on, _, left):
            await world.publish(cancelled(name, whole(left), client, noon(on)))
            await world.settle()
        case "referrer", _:
            await world.publish(ClientOpened(client_id=client, branch_id="B1", opened_on=OPENED))
            await world.settle()
        case "referred", _:
            new = ClientOpened(client_id=f"{client}-r", branch_id="B1", opened_on=OPENED, referrer_client_id=client)
            await world.publish(new)
            await world.settle()
        case "first", day:
            await world.publish(trade("first", "1", f"{client}-r", day))
            await world.settle()
        case _:
            async with world.database("points").unit_of_work() as uow:
                if kind == "bonus":
                    day, points, back = told
                    bonus = BonusRow(client, f"suggestion/{client}", day, points, ends(day), "test", back)
                    await bonuses.bring(uow, [bonus], {client: Cause("test", day)})
                    return
                locked = await balances.lock(uow.sql, [client])
                row: Any
                if kind == "hold":
                    name, n, day, points, outcome, after = told
                    ended = noon(day + timedelta(days=after), 30 + n) if outcome else None
                    row, table = HoldRow(client, name, "SMS1", points, noon(day, n), outcome, ended), "holds"
                else:
                    item, day, points = told
                    end = ends(day) if points > 0 else None
                    row = AdjustmentRow(client, item, None, "OTHER", points, points, noon(day), end, "d", "a", "b")
                    table = "adjustments"
                values = astuple(row)
                marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
                await uow.sql.execute(f"INSERT INTO {table} ({columns(type(row))}) VALUES ({marks})", *values)
                posting = Posting(uow, locked, await tiers.of(uow, [client]))
                posting.again(client, Cause("test", day))
                await posting.write(folded=[client])


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories())
async def test_the_ledger_equals_the_reference_in_any_order(ledger: World, history: tuple[list[Told], int]) -> None:
    told, closed_after = history
    client = f"p-{next(clients)}"
    for n, (kind, what) in enumerate(told):
        if n == closed_after:
            for day in (FIRST, LAST):
                await close(ledger, day)
        await tell(ledger, client, kind, what)
    for day in (FIRST, LAST):
        await close(ledger, day)
    wanted = reference.fold(as_items(client, told), LAST)
    found = await ledger.rows("points", "SELECT available, held, debt FROM balances WHERE client_id = $1", client)
    assert [tuple(row.values()) for row in found] == [(wanted.available, wanted.held, wanted.debt)]
    sums: Counter[tuple[str, date]] = Counter()
    for kind, value_on, _, points in wanted.posted:
        sums[kind, value_on] += points
    rows = await ledger.rows(
        "points",
        f"""SELECT CASE e.kind WHEN 'corrected' THEN 'accrued' ELSE e.kind END AS kind, {VALUE_ON} AS value_on,
                   sum({SIGNED})::bigint AS points
            FROM entries e WHERE client_id = $1 GROUP BY 1, 2 HAVING sum({SIGNED}) <> 0""",
        client,
    )
    assert {(row["kind"], row["value_on"]): row["points"] for row in rows} == {k: v for k, v in sums.items() if v}


async def adjust(world: World, client: str, item: str, points: int, when: datetime) -> None:
    """What two persons agreed to: a negative one stops at what is available."""
    async with world.database("points").unit_of_work() as uow:
        locked = await balances.lock(uow.sql, [client])
        if taken := max(points, -locked[client].available):
            end = ends(business_date(when)) if taken > 0 else None
            one = AdjustmentRow(client, item, "B1", "OTHER", points, taken, when, end, "doc-1", "ann", "bob")
            values = astuple(one)
            marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
            await uow.sql.execute(f"INSERT INTO adjustments ({columns(AdjustmentRow)}) VALUES ({marks})", *values)
            await adjustments.post(uow, locked, one)


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lots=st.lists(st.tuples(GAINED, st.integers(1, 300)), min_size=1, max_size=5),
    acts=st.lists(
        st.tuples(
            st.integers(0, 40),
            st.integers(1, 400),
            st.sampled_from(["spent", "refused", "withdrawn", "in", "out", None]),
        ),
        min_size=1,
        max_size=4,
    ),
)
async def test_holds_and_adjustments_taken_of_lots_as_they_are_are_those_of_the_fold(
    ledger: World, lots: list[tuple[date, int]], acts: list[tuple[int, int, Outcome | Literal["in", "out"] | None]]
) -> None:
    """Folding again changes nothing, whichever way each of them took."""
    client = f"p-{next(clients)}"
    await ledger.publish(*(trade(f"t-{n}", whole(points), client, day) for n, (day, points) in enumerate(lots)))
    await ledger.settle()
    day = date(2021, 1, 4)
    for n, (days, points, outcome) in enumerate(acts):
        day += timedelta(days=days)
        if outcome == "in" or outcome == "out":
            await adjust(ledger, client, f"adjustment/{n}", points if outcome == "in" else -points, noon(day, n))
            continue
        try:
            async with ledger.database("points").unit_of_work() as uow:
                await holding.hold(uow, client, f"redemption/{n}", "SMS1", points, noon(day, n))
        except (InsufficientPoints, InDebt):
            continue
        if outcome:
            async with ledger.database("points").unit_of_work() as uow:
                await holding.end(uow, [Ended(client, f"redemption/{n}", outcome, noon(day, n + 30))])
    state = "SELECT available, held, debt, used_on FROM balances WHERE client_id = $1"
    known = (
        "SELECT lot, free, held, expired FROM lots WHERE client_id = $1 AND (free + held + expired > 0) ORDER BY lot"
    )
    before = [await ledger.rows("points", query, client) for query in (state, known)]
    async with ledger.database("points").unit_of_work() as uow:
        posting = Posting(uow, await balances.lock(uow.sql, [client]), await tiers.of(uow, [client]))
        posting.again(client, Cause("test", day))
        await posting.write(folded=[client])
        assert posting.entries.rows == []
    after = [await ledger.rows("points", query, client) for query in (state, known)]
    assert after[0] == before[0]
    untouched = {(row["lot"], row["free"]) for row in after[1]} - {(row["lot"], row["free"]) for row in before[1]}
    given_ = {(entry_id(client, f"adjustment/{n}", 0), points) for n, (_, points, _) in enumerate(acts)}
    assert untouched <= {(entry_id(client, f"t-{n}", 0), points) for n, (_, points) in enumerate(lots)} | given_
    assert {tuple(row.values()) for row in before[1]} <= {tuple(row.values()) for row in after[1]}
