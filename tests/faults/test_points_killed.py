"""The points ledger killed by signal 9 in the middle of what it does: nothing of it is left, or all of it, and the same again
does it once. Where it dies follows from a seed."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from chassis.clock import end_of
from chassis.service import Service
from chassis.settings import Settings
from contracts.broker import BrokerDayClosed
from contracts.classification import DayCompleted
from contracts.products import RedemptionConfirmed
from gateway.app import service as gateway
from services.points.app import service as points
from tests.conftest import IN_CI, KEYS, Cluster, new_world
from tests.faults.running import PROJECT
from tests.faults.test_replay_survives import as_environment
from tests.points.facts import DAY, close, entries
from tests.points.invariants import broken
from tests.points.test_cut_off import LOTS_END, known, left
from tests.points.test_redemptions import points_of
from tests.world import World

SEEDS = 10 if IN_CI else 3
MOST_STATEMENTS = 25
KILLED = -signal.SIGKILL


class Acting:
    """The process whose forks act."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def do(self, act: str, statement: int = 0) -> int:
        """The exit code of an act that dies after a statement."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{act} {statement}\n".encode())
        async with asyncio.timeout(90):
            said = await self.process.stdout.readline()
        return int(said)


@asynccontextmanager
async def acting(settings: Settings) -> AsyncIterator[Acting]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("CARELINE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.points_acts", cwd=PROJECT, env=given | as_environment(settings),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Acting(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@pytest.fixture
async def ledger(postgres: Cluster, tmp_path: Path) -> AsyncIterator[World]:
    services: tuple[Service, ...] = (gateway, points)
    async with new_world(Settings(home=tmp_path / "home", pool_size=64, **KEYS), postgres, "log", services) as world:
        yield world
        assert await broken(world) == []
        await world.seal()
        assert await world.findings() == []


async def killed_then_done(world: World, process: Acting, act: str, *, transactions: int = 1) -> None:
    """Kill it at seeded places, then let it come through. It leaves something `transactions` times at most."""
    before, steps, deaths = await left(world), 0, 0
    for seed in range(SEEDS):
        code = await process.do(act, random.Random(f"{act}/{seed}").randint(1, MOST_STATEMENTS))
        assert code in (KILLED, 0)
        deaths += code == KILLED
        now = await left(world)
        steps += now != before
        before = now
    assert deaths, "it was killed at least once"
    assert await process.do(act) == 0
    steps += await left(world) != before
    assert 1 <= steps <= transactions


async def test_redeemed_delivered_closed_and_expired_once_though_killed_p5_p6(ledger: World) -> None:
    await known(ledger)
    async with acting(ledger.settings) as process:
        await killed_then_done(ledger, process, "redeem")
        assert await points_of(ledger) == ("2970.00", "30.00", "0.00")
        made: UUID = await ledger.value("points", "SELECT redemption_id FROM redemptions")
        at = end_of(DAY - timedelta(days=1)) + timedelta(hours=3)
        await ledger.publish(RedemptionConfirmed(client_id="c-1", redemption_id=made, at=at))
        await killed_then_done(ledger, process, "deliver")
        assert await points_of(ledger) == ("2970.00", "0.00", "0.00")
        await close(ledger, LOTS_END - timedelta(days=1))
        await killed_then_done(ledger, process, "month")
        assert await ledger.value("points", "SELECT count(*) FROM liability_closes") == 1
        await ledger.publish(BrokerDayClosed(business_date=LOTS_END), DayCompleted(business_date=LOTS_END))
        await killed_then_done(ledger, process, "lots", transactions=4)  # heard topic by topic, then closed
    expired = [points for kind, _, points in await entries(ledger) if kind == "expired"]
    assert expired == [Decimal(-2970)]
