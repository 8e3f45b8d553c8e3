"""A year's coverage proof for many clients: `python -m bench.coverage_proof --clients 1000000` (target: under a minute).

A private PostgreSQL is filled with made-up clients, standings and contacts; then the proof is written as operators
would write it, ledger, numbers and hashes, and its lines are counted again.
"""

import argparse
import asyncio
import json
import tempfile
from datetime import date
from pathlib import Path
from time import perf_counter

from careline.schema import make_schemas
from chassis.database import Database
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from services.callbacks import proof
from services.callbacks.app import service

YEAR_END = date(2021, 12, 31)
FILL = (
    """INSERT INTO clients (client_id, branch_id, opened_on)
       SELECT 'c-' || n, 'B' || n % 200, date '2015-01-01' + n % 2800 FROM generate_series(1, $1::int) n""",
    """INSERT INTO standings (client_id, since, branch_id, account_status)
       SELECT 'c-' || n, date '2015-01-01' + n % 2800, 'B' || n % 200, CASE WHEN n % 17 = 0 THEN 'dormant' END
       FROM generate_series(1, $1::int) n""",
    """INSERT INTO standings (client_id, since, account_status)
       SELECT 'c-' || n, date '2020-06-01', 'normal' FROM generate_series(1, $1::int, 5) n ON CONFLICT DO NOTHING""",
    """INSERT INTO attempts (attempt_id, call_id, task_id, client_id, branch_id, topic, script, agent, at, on_day, channel,
                             outcome, reached, valid, covers, answers, evidence_id)
       SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'c-' || n, 'B' || n % 200, 'sample', 's', 'a',
              timestamptz '2021-03-01' + n % 300 * interval '1 day', date '2021-03-01' + n % 300, 'phone', 'completed',
              true, true, true, '{}', md5(n::text) FROM generate_series(1, $1::int, 8) n""",
)


async def measure(url: str, clients: int, folder: Path) -> dict[str, object]:
    """Fill, write the proof, count its ledger again."""
    settings = Settings(home=folder, database_url=url)
    await make_schemas(settings, [service])
    database = Database(settings, "callbacks")
    try:
        async with database.unit_of_work() as uow:
            for statement in FILL:
                await uow.sql.execute(statement, clients)
        async with database.reading() as sql:
            await sql.execute("ANALYZE")
            started = perf_counter()
            manifest = await proof.write_proof(sql, YEAR_END, folder / "proof")
            seconds = perf_counter() - started
    finally:
        await database.close()
    firm = manifest["branches"][0]
    counted = covered = 0
    with (folder / "proof" / manifest["ledger"]).open() as ledger:
        next(ledger)
        for line in ledger:
            _, _, standing, covered_on, *_ = line.rstrip("\n").split(",")
            counted += standing == "counts"
            covered += standing == "counts" and covered_on != ""
    if (counted, covered) != (firm["counted"], firm["covered"]):
        raise ValueError(f"the ledger says {counted} and {covered}, the manifest {firm}")
    return {"clients": clients, "seconds": round(seconds, 1), **firm}


def main() -> None:
    """Run it and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1_000_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        server = PrivatePostgres(Path(name))
        try:
            print(json.dumps(asyncio.run(measure(server.start(), wanted.clients, Path(name)))))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
