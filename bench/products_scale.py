"""Products at size: `python -m bench.products_scale [tiers|prices]` on a private PostgreSQL, a JSON line each.

- tiers: another tier for each of 100,000 clients, read from the log until every entitlement is worked out, kept and told
  (target: 10 s).
- prices: a draft of the catalogue tried on 1,000,000 clients who have a commission, a tenth of them with a product: both
  runs of the shadow run, as it is and with the draft (target: 60 s).
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from datetime import date
from pathlib import Path

from bench.lanes.lane import LaneResult, Watch
from bench.points_ledger import SOURCE, Place, publish
from bench.processes import machine
from careline.schema import make_schemas
from chassis import shadow
from chassis.actor import Actor, Role
from chassis.bus.record import Outgoing, partition_of
from chassis.clock import at
from chassis.consumer import read_from_log
from chassis.database import Database
from chassis.gc_tuning import collect_rarely
from chassis.notifications import Notifications
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from chassis.worker import Worker
from contracts.base import Event, encode
from contracts.broker import ClientOpened
from contracts.classification import TierChanged, TierStretch
from gateway.app import service as gateway
from services.classification.app import service as classification
from services.products.app import service
from services.products.policy import Policies

OPENED, RISES = date(2023, 1, 3), date(2024, 2, 1)
FILL = (
    """INSERT INTO clients (client_id, branch_id, opened_on)
       SELECT 'c-' || n, 'B' || n % 200, date '2023-01-03' FROM generate_series(1, $1::int) n""",
    """INSERT INTO fee_rates (client_id, revision, stretches)
       SELECT 'c-' || n, 1, jsonb_build_array(jsonb_build_object('since', '2023-01-03', 'x', x::text, 'rate', x::text))
       FROM generate_series(1, $1::int) n, LATERAL (SELECT round(n % 300 / 100.0, 2) AS x) r""",
    """INSERT INTO subscriptions (subscription_id, client_id, branch_id, code, paid_by, state, signed_on, since, made_by, made_at)
       SELECT gen_random_uuid(), 'c-' || n, 'B' || n % 200, (ARRAY['A', 'B', 'C', 'E'])[1 + n / 10 % 4], 'fee', 'active',
              date '2024-01-03', date '2024-01-03', 'bench', now() FROM generate_series(10, $1::int, 10) n""",
)


async def tiers(there: Place, clients: int) -> dict[str, object]:
    """Everybody is opened and NORMAL, then everybody rises."""
    settings = await there.make("tiers")
    await make_schemas(settings, [gateway, classification, service])
    names = [f"c-{n:07d}" for n in range(clients)]
    opened = (ClientOpened(client_id=name, branch_id="B1", opened_on=OPENED) for name in names)
    await publish(settings, [_message(event, settings) for event in opened])
    database = Database(settings, "products")
    try:
        worker = Worker(service, database, settings, Notifications(), sole=True)
        await worker.consumer.prepare()
        await _read(worker, settings)
        await publish(settings, [_message(_risen(name, n), settings) for n, name in enumerate(names)])
        result, watch = LaneResult(), await Watch.on(settings.database_url or "")
        watch.start()
        await _read(worker, settings)
        watch.stop(result)
        async with database.reading() as sql:
            told = await sql.fetchval("SELECT count(*) FROM entitlements_changes WHERE revision = 2")
    finally:
        await database.close()
    if told != clients:
        raise ValueError(f"{told} of {clients} told")
    await there.drop("tiers")
    return {
        "what": "tiers", "clients": clients, "seconds": round(result.seconds, 2),
        "client_cpu": round(result.client_cpu, 2), "database_cpu": round(result.database_cpu, 2),
    }  # fmt: skip


def _risen(name: str, n: int) -> TierChanged:
    stretches = [TierStretch(since=RISES, tier=("SILVER", "GOLD", "PLATINUM", "DIAMOND")[n % 4])]
    return TierChanged(
        client_id=name, branch_id="B1", revision=1, changed_from=RISES, previous="NORMAL", stretches=stretches, reason="upgrade"
    )  # fmt: skip


def _message(event: Event, settings: Settings) -> Outgoing:
    place, when = partition_of(event.key, settings.partitions), at(RISES, 1)
    return Outgoing(event.topic, place, event.key, event.type, f"{event.type}/{event.key}", SOURCE, when, encode(event))


async def _read(worker: Worker, settings: Settings) -> None:
    while await read_from_log(worker.consumer, worker.partitions_at_once, settings.batch_records):
        pass


async def prices(there: Place, clients: int) -> dict[str, object]:
    """A draft in which A adds more, also for holders."""
    settings = await there.make("prices")
    await make_schemas(settings, [gateway, classification, service])
    table = Policies.tables["catalogue"]
    draft = deepcopy(dict(table.shipped[0].written))
    draft["rates"] = [row | {"add": "1.2"} if row["product"] == "A" else row for row in draft["rates"]]
    draft["holders_from"] = "2024-02-01"
    database = Database(settings, "products")
    try:
        async with database.unit_of_work() as uow:
            for statement in FILL:
                await uow.sql.execute(statement, clients)
        async with database.reading() as sql:
            await sql.execute("ANALYZE")
        result, watch = LaneResult(), await Watch.on(settings.database_url or "")
        watch.start()
        async with database.unit_of_work(Actor("bench", Role.HQ)) as uow:
            run = await shadow.run(uow, service.shadow, table, "", draft)
        watch.stop(result)
    finally:
        await database.close()
    moved = sum(one.objects for one in run.moves if one.aspect == "rate")
    if run.evaluated != clients or not 0 < moved <= clients / 10:
        raise ValueError(f"{run.evaluated} of {clients} looked at, {moved} moved")
    await there.drop("prices")
    return {
        "what": "prices", "clients": clients, "moved": moved, "seconds": round(result.seconds, 1),
        "client_cpu": round(result.client_cpu, 2), "database_cpu": round(result.database_cpu, 2),
    }  # fmt: skip


async def measure(url: str, home: Path, wanted: argparse.Namespace) -> None:
    """What was asked for, one after the other."""
    there = Place(url, home)
    works: dict[str, Callable[[], Awaitable[dict[str, object]]]] = {
        "tiers": lambda: tiers(there, wanted.risen),
        "prices": lambda: prices(there, wanted.clients),
    }
    sections: Sequence[str] = wanted.sections or list(works)
    for name in sections:
        print(json.dumps(await works[name]()), flush=True)


def main() -> None:
    """Run it and print the machine and a JSON line for each section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", help="tiers, prices; both where none is named")
    parser.add_argument("--risen", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=1_000_000)
    wanted = parser.parse_args()
    collect_rarely()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        server = PrivatePostgres(Path(name))
        try:
            asyncio.run(measure(server.start(), Path(name), wanted))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
