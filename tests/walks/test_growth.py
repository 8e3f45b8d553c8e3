"""What grows with what: the close of a month at most with the clients, in every service; what is read of one client not with its
history, but for what is named here. Rows are counted by the database's plans; no clock is asked."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import date, timedelta
from typing import Any

import pytest

from careline.services import SERVICES
from chassis.actor import Actor, Role
from chassis.clock import end_of
from chassis.database import Database, connect
from contracts.base import Event
from tests.classification.facts import opened, trade, valued
from tests.rows_touched import Counting
from tests.world import World

CLIENTS, HISTORY = 60, 120
BEFORE, LAST = date(2024, 5, 31), date(2024, 6, 30)
"""The month that is closed is the one in which lots of July 2022 end."""
BOUGHT = date(2022, 7, 1)
GROWTH = 2.2
"""At most so many times the rows for twice the clients."""
SAME = 1.2
FEW = 60
"""Rows that statements may differ by: plans of small tables are not all alike."""
RICH = "c-0"
HQ = Actor("hanna", Role.HQ, purpose="test")
STILL_GROWING = {f"/v1/points/clients/{RICH}{rest}" for rest in ("", "/lots", "/entries", "/entries?limit=10")}
"""Known to grow: what ends when is summed over all of a client's lots, and its entries have no index by their day."""
READS = {
    "points": ("", "/entries", "/lots", "/holds"),
    "classification": ("", "/explain"),
}


class Undone(Exception):
    """Nothing of a trial is kept."""


def facts_of(first: int) -> list[Event]:
    """So many clients from a number on, each with an account, an anniversary, trades and values."""
    found: list[Event] = []
    for number in range(first, first + CLIENTS):
        client = f"c-{number}"
        found += [
            opened(client, date(2021, 6, 30), f"B{number % 3}"),
            trade(f"{client}-old", BOUGHT, "100", client),
            trade(f"{client}-new", date(2024, 6, 3) + timedelta(days=number % CLIENTS % 20), "50", client),
            valued(date(2024, 1, 3), str(10_000 * (number % CLIENTS + 1)), client),
            valued(date(2024, 6, 5), str(20_000 * (number % CLIENTS + 1)), client),
        ]
    return found


def history_of(first: int) -> list[Event]:
    """So many more trades and values of one client, a day each."""
    days = [date(2022, 7, 4) + timedelta(days=n) for n in range(first, first + HISTORY)]
    return [
        fact
        for n, day in enumerate(days)
        for fact in (trade(f"h-{first + n}", day, "20", RICH), valued(day, str(50_000 + n), RICH))
    ]


async def analyzed(world: World) -> None:
    admin = await connect(world.database("gateway").url)
    await admin.execute("ANALYZE")
    await admin.close()


async def rows_of_closes(world: World) -> dict[str, Counter[str]]:
    """The rows that each statement of each service's close of the month touches; nothing of it is kept."""
    found = {}
    for service in SERVICES:
        if service.closes is None:
            continue
        with suppress(Undone):
            async with world.database(service.name).unit_of_work() as uow:
                counting: Any = Counting(uow.sql)
                uow.sql, uow.happened_at = counting, min(uow.now, end_of(LAST))
                await service.closes([LAST], uow)
                found[service.name] = counting.by_statement
                raise Undone
    return found


@contextmanager
def counted_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Counting]]:
    """Every connection that is lent for reading, meanwhile."""
    lent, real = list[Counting](), Database.reading

    @asynccontextmanager
    async def reading(self: Database) -> AsyncIterator[Any]:
        async with real(self) as sql:
            lent.append(Counting(sql))
            yield lent[-1]

    with monkeypatch.context() as patched:
        patched.setattr(Database, "reading", reading)
        yield lent


async def rows_of_reads(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The rows that each read of one client touches: its part of the 360 view, its statement, what ends next."""
    found = {}
    for service in SERVICES:
        routes = {*service.client_parts.values(), *READS.get(service.name, ())}
        for rest in sorted(routes):
            async with world.client(service.name, HQ) as http:
                path = f"/v1/{service.name}/clients/{RICH}{rest}"
                with counted_reads(monkeypatch) as lent:
                    answer = await http.get(path)
            assert answer.status_code in (200, 404), (path, answer.text)
            found[path] = sum(one.rows for one in lent)
    return found


async def test_closes_grow_with_the_clients_and_reads_of_a_client_not_with_its_history(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    closes, reads = [], []
    for turn in range(2):
        await world.publish(*facts_of(turn * CLIENTS), *history_of(turn * HISTORY))
        await world.settle()
        for service in SERVICES:
            assert await world.value(service.name, "SELECT count(*)::int FROM dead_letters") == 0
        if not turn:
            await world.close(BEFORE)
        await analyzed(world)
        closes.append(await rows_of_closes(world))
        reads.append(await rows_of_reads(world, monkeypatch))
    steep = {
        name: {
            one: (closes[0][name][one], rows) for one, rows in by.items() if rows > GROWTH * closes[0][name][one] + FEW
        }
        for name, by in closes[1].items()
        if by.total() > GROWTH * closes[0][name].total() + FEW
    }
    grown = {path: (reads[0][path], rows) for path, rows in reads[1].items() if rows > SAME * reads[0][path] + FEW}
    assert steep == {}
    assert closes[0]["points"].total() > CLIENTS
    assert grown.keys() <= STILL_GROWING, grown
