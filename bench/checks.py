"""Suitability checks through the gateway, each a stored decision with its evidence, at 500 requests a second."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
from aiokafka import AIOKafkaProducer

from bench.children import ChildFailed, child, environment, said_by
from bench.ground import Ground
from bench.keys import KEYS
from bench.trades import PARTITIONS
from chassis.bus.record import partition_of
from chassis.clock import business_date
from chassis.servers.ports import free_port
from contracts.base import Event, Quantity, encode
from contracts.broker import AssessmentRecorded, ClientOpened, Instrument, TradeSettled

RATE, CLIENTS = 500, 1_000
SCHEME, LEVEL = "SEED-2010-12Q", "HIGH"
PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Checks:
    """Milliseconds a decision took, and how many there were by outcome."""

    asked: int
    p50_ms: float
    p99_ms: float
    outcomes: dict[str, int]


async def measure(ground: Ground, seconds: float) -> Checks:
    """`careline serve gateway`, `serve suitability`, `work suitability`; 1,000 assessed clients ask about one product.

    Raises: ChildFailed when an answer is anything but a decision, or a decision is not kept.
    """
    prefix, url = f"{ground.run}-checks", await ground.make("checks")
    service, gateway = free_port(), free_port()
    env = environment(
        CARELINE_DATABASE_URL=url, CARELINE_BUS_URL=f"kafka://{ground.servers}/{prefix}",
        CARELINE_SERVICE_URLS=json.dumps({"suitability": f"http://127.0.0.1:{service}"}),
        CARELINE_RATE_PEOPLE="1000000", CARELINE_RATE_SYSTEMS="1000000",
        **{f"CARELINE_{name.upper()}": value for name, value in KEYS.items()},
    )  # fmt: skip
    try:
        async with (
            child("careline", "serve", "gateway", "--port", str(gateway), env=env, until="ready"),
            child("careline", "serve", "suitability", "--port", str(service), env=env, until="ready"),
        ):
            async with child("careline", "work", "suitability", env=env, until="working"):
                await _assess(ground, prefix, url)
            token = await said_by("careline", "token", "--role", "operations", env=env, seconds=60)
            said = await said_by(
                "bench.lanes.ask", f"http://127.0.0.1:{gateway}", token, str(RATE), str(seconds), str(CLIENTS),
                env=env, seconds=seconds + 120,
            )  # fmt: skip
        found = Checks(**json.loads(said))
        await _check(url, found)
        return found
    finally:
        await ground.drop("checks")


async def _assess(ground: Ground, prefix: str, url: str) -> None:
    """Clients, their assessments, and a trade that makes the product known; wait until all of it is applied."""
    now = datetime.now(UTC) - timedelta(days=1)
    today = business_date(now)
    events: list[Event] = []
    for number in range(CLIENTS):
        who = f"S{number:05d}"
        events.append(ClientOpened(client_id=who, branch_id="B1", opened_on=today, kind="individual"))
        events.append(AssessmentRecorded(client_id=who, scheme=SCHEME, level=LEVEL, assessed_on=today))
    events.append(
        TradeSettled(
            trade_id="T1", client_id="S00000", account_id="S00000", branch_id="B1", trade_date=today, settled_at=now,
            instrument=Instrument(symbol="FUND", kind="fund:equity"), side="buy", quantity=Quantity(1),
            amount=Quantity(1), commission=Quantity(1), currency="CNY",
        )
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=ground.servers, acks="all")
    await producer.start()
    try:
        for number, event in enumerate(events):
            topic, place = prefix + event.topic.removeprefix("careline"), partition_of(event.key, PARTITIONS)
            await producer.send(topic, encode(event), event.key.encode(), place, headers=_headers(event, number, now))
    finally:
        await producer.stop()
    connection, until = await asyncpg.connect(url), time.monotonic() + PATIENCE_SECONDS
    try:
        while await connection.fetchval("SELECT sum(next) FROM suitability.consumer_offsets") < len(events):
            if time.monotonic() > until:
                raise TimeoutError("the assessments were not applied")
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


def _headers(event: Event, number: int, now: datetime) -> list[tuple[str, bytes]]:
    given = {
        "ce_specversion": "1.0", "ce_id": f"made/{number}", "ce_source": "bench", "ce_type": event.type,
        "ce_time": now.isoformat(), "ce_subject": event.key, "content-type": "application/json",
    }  # fmt: skip
    return [(name, text.encode()) for name, text in given.items()]


async def _check(url: str, found: Checks) -> None:
    connection = await asyncpg.connect(url)
    try:
        kept = await connection.fetchval("SELECT count(*) FROM suitability.decisions")
    finally:
        await connection.close()
    if any(outcome.startswith("HTTP") for outcome in found.outcomes) or kept < found.asked:
        raise ChildFailed(f"{found.outcomes}; {kept} decisions kept of {found.asked}")
