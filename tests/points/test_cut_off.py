"""A process that dies (kill -9, a cable pulled) at any statement of what the ledger does: nothing of it is left, or all of it,
and the same again does it once. Each act is cut off at one of its statements after the other, until it comes through; a night
takes every one of them (CUTS_EVERY=1), a run every third."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg

from chassis.actor import Actor, Role
from chassis.clock import end_of
from chassis.consumer import read_from_log
from chassis.database import Database
from chassis.uow import UnitOfWork
from contracts.broker import BrokerDayClosed, ClientOpened
from contracts.classification import DayCompleted
from contracts.products import RedemptionConfirmed
from services.points import liability
from tests.points.facts import DAY, balance, close, entries, trade
from tests.points.test_redemptions import MANAGER, apply, points_of, redeem
from tests.world import World

Act = Callable[[], Awaitable[Any]]
EVERY = int(os.environ.get("CUTS_EVERY", "3"))
LOTS_END = date(2024, 6, 30)
HQ = Actor("hanna", Role.HQ, purpose="test")
KEPT = ("balances", "entries", "lots", "holds", "bonuses", "adjustments", "redemptions", "applications", "liability_closes",
        "frozen_months", "deadlines", "audit")  # fmt: skip


@contextmanager
def dying_at(database: Database, statement: int) -> Iterator[list[int]]:
    """Whatever works in a transaction of this database loses its connection right after that statement; how many there were.
    The last one is the commit: it is done, and nobody is told."""
    real, seen = database.unit_of_work, [0]

    @asynccontextmanager
    async def dying(*arguments: Any, **named: Any) -> AsyncIterator[UnitOfWork]:
        used: list[asyncpg.Connection] = []

        def note(_: object) -> None:
            seen[0] += 1
            if seen[0] == statement:
                used[0].terminate()

        try:
            async with real(*arguments, **named) as uow:
                used.append(uow.sql)
                uow.sql.add_query_logger(note)
                yield uow
        finally:
            if used and not used[0].is_closed():
                used[0].remove_query_logger(note)

    database.unit_of_work = dying  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        del database.unit_of_work


async def left(world: World) -> list[Any]:
    """All that an act leaves."""
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in KEPT)
    rows = await world.rows("points", f"SELECT {counts}, (SELECT count(*) FROM bus.log WHERE source = 'points')")
    balances = await world.rows("points", "SELECT * FROM balances ORDER BY client_id")
    return [tuple(rows[0].values()), *(tuple(row.values()) for row in balances)]


async def cut_everywhere(world: World, act: Act) -> None:
    """Do it until it comes through whole; before that nothing of it is left, but by the commit nobody was told of."""
    at_first, commits = await left(world), 0
    for statement in count(1, EVERY):
        with dying_at(world.database("points"), statement) as seen, suppress(Exception):
            await act()
        now = await left(world)
        if seen[0] < statement:
            break
        if now != at_first:
            commits += 1
            at_first = now
        assert commits <= 1, f"statement {statement}: there twice"
    assert statement > 2 * EVERY, "it was cut off at several places"


async def known(world: World) -> None:
    """A client with 3,000 points, and another one whom they referred; the day before the first trade of that one is closed."""
    await world.publish(
        ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2022, 1, 3)),
        ClientOpened(client_id="c-2", branch_id="B1", opened_on=date(2022, 6, 10), referrer_client_id="c-1"),
        trade("t-1", "3000", day=date(2022, 6, 1)),
    )
    await close(world, DAY - timedelta(days=1))


async def heard(world: World, day: date) -> Act:
    """Everybody's word that a day is closed, read but not acted on; the act."""
    worker = world.platform.workers["points"]
    await world.publish(BrokerDayClosed(business_date=day), DayCompleted(business_date=day))
    while await read_from_log(worker.consumer, worker.partitions_at_once, 5000):
        pass
    return worker.closer.step


async def test_an_application_and_an_adjustment_cut_off_anywhere_are_there_once_p4(ledger: World) -> None:
    await known(ledger)
    await cut_everywhere(ledger, lambda: apply(ledger))
    asked = (await apply(ledger)).json()["application_id"]

    async def approve() -> None:
        async with ledger.client("points", MANAGER) as http:
            await http.post(f"/v1/points/applications/{asked}/approve")

    await cut_everywhere(ledger, approve)
    assert await points_of(ledger) == ("1000.00", "0.00", "0.00")
    body = {"points": "50.00", "reason": "OTHER", "why": "counted again", "attachment": "doc-1"}
    async with ledger.client("points", HQ) as http:
        wanted = await http.post("/v1/points/clients/c-1/adjustments", json=body, headers={"idempotency-key": "k-a"})
        path = f"/v1/points/approvals/{wanted.json()['approval_id']}/approve"

    async def agree() -> None:
        async with ledger.client("points", MANAGER) as http:
            await http.post(path, json={"because": "seen"})

    await cut_everywhere(ledger, agree)
    assert await points_of(ledger) == ("1050.00", "0.00", "0.00")


async def test_a_redemption_and_its_delivery_cut_off_anywhere_are_there_once_p5(ledger: World) -> None:
    await known(ledger)
    worker = ledger.platform.workers["points"]
    await cut_everywhere(ledger, lambda: redeem(ledger))
    made = (await redeem(ledger)).json()
    assert await points_of(ledger) == ("2970.00", "30.00", "0.00")
    at = end_of(DAY - timedelta(days=1)) + timedelta(hours=3)
    await ledger.publish(RedemptionConfirmed(client_id="c-1", redemption_id=UUID(made["redemption_id"]), at=at))
    await cut_everywhere(ledger, lambda: read_from_log(worker.consumer, worker.partitions_at_once, 5000))
    await ledger.settle()
    assert await points_of(ledger) == ("2970.00", "0.00", "0.00")
    assert [points for kind, _, points in await entries(ledger) if kind == "spent"] == [Decimal(-30)]


async def test_a_referral_the_end_of_lots_and_a_month_cut_off_anywhere_are_there_once_p3_p6(ledger: World) -> None:
    await known(ledger)
    await ledger.publish(trade("t-2", "5", "c-2"))
    await ledger.settle()
    await cut_everywhere(ledger, await heard(ledger, DAY))
    await ledger.settle()
    assert (await balance(ledger))[0] == 3500
    await close(ledger, date(2022, 7, 31))

    async def month() -> None:
        async with ledger.database("points").unit_of_work() as uow:
            await liability.close(uow, date(2022, 7, 1))

    await cut_everywhere(ledger, month)
    assert await ledger.value("points", "SELECT count(*) FROM liability_closes") == 1
    await close(ledger, LOTS_END - timedelta(days=1))
    await cut_everywhere(ledger, await heard(ledger, LOTS_END))
    await ledger.settle()
    assert [points for kind, _, points in await entries(ledger) if kind == "expired"] == [Decimal(-3000)]
