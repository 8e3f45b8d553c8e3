"""Dead letters are seen and redriven, conflicts decided, lag measured: all audited, by operations only."""

import httpx
import pytest
from sqlalchemy import insert

from chassis import tables
from chassis.actor import Role
from chassis.bus.record import Outgoing
from chassis.consumer import Consumer, read_from_log
from chassis.database import Database
from chassis.http.operators import _shown
from chassis.settings import Settings
from contracts.base import encode
from contracts.broker import ACCOUNTS, ClientOpened
from tests.chassis.http.conftest import SAMPLE

BASE = "/v1/sample/operations"


@pytest.fixture
def operator(as_) -> dict[str, str]:
    return as_(Role.OPERATIONS, "ops")


@pytest.fixture
async def consumer(database: Database) -> Consumer:
    consumer = Consumer(SAMPLE, database, 100)
    await consumer.prepare()
    return consumer


async def _say(database: Database, client_id: str, name: str) -> None:
    from datetime import date

    from chassis.clock import utc_now

    event = ClientOpened(client_id=client_id, branch_id="B1", opened_on=date(2021, 1, 4), referrer_id=name)
    async with database.unit_of_work() as uow:
        place = uow.partition_of(client_id)
        uow.publish([Outgoing(ACCOUNTS, place, client_id, event.type, client_id, "test", utc_now(), encode(event))])


async def test_lag_counts_records_and_seconds(
    http: httpx.AsyncClient, operator, database: Database, consumer: Consumer
) -> None:
    for number in range(3):
        await _say(database, f"c-{number}", str(number))
    behind = (await http.get(f"{BASE}/lag", headers=operator)).json()
    assert (behind["records"], behind["unshipped"], behind["topics"][0]["topic"]) == (3, 0, ACCOUNTS)
    assert behind["seconds"] > 0
    while await read_from_log(consumer, 4, 100):
        pass
    caught_up = (await http.get(f"{BASE}/status", headers=operator)).json()
    assert (caught_up["lag_records"], caught_up["lag_seconds"], caught_up["state"]) == (0, 0, "up")
    assert caught_up["dead_letters"] == 0
    assert caught_up["requests_per_second"] > 0


async def test_a_dead_letter_is_redriven_when_its_cause_is_gone(
    http: httpx.AsyncClient, operator, database: Database, consumer: Consumer
) -> None:
    async with database.unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO notes VALUES (7, 'x', 'B1', 'in the way'), (8, 'x', 'B1', 'stays')")
    await _say(database, "c-7", "7")
    await _say(database, "c-8", "8")
    while await read_from_log(consumer, 4, 100):
        pass
    letters = (await http.get(f"{BASE}/dead-letters", headers=operator)).json()["items"]
    assert [letter["reason"] for letter in letters] == ["UniqueViolationError"] * 2
    ids = {letter["key"]: letter["id"] for letter in letters}
    one = (await http.get(f"{BASE}/dead-letters/{ids['c-7']}", headers=operator)).json()
    assert '"client_id":"c-7"' in one["value"]

    async with database.unit_of_work() as uow:
        await uow.sql.execute("DELETE FROM notes WHERE id = 7")
    dry = await http.post(f"{BASE}/dead-letters/redrive", json={"all": True, "dry_run": True}, headers=operator)
    assert {r["id"]: r["outcome"] for r in dry.json()["results"]} == {ids["c-7"]: "would_pass", ids["c-8"]: "failed"}
    async with database.reading() as sql:
        assert await sql.fetchval("SELECT count(*) FROM notes WHERE id = 7") == 0

    real = await http.post(f"{BASE}/dead-letters/redrive", json={"all": True}, headers=operator)
    assert {r["id"]: r["outcome"] for r in real.json()["results"]} == {ids["c-7"]: "done", ids["c-8"]: "failed"}
    again = await http.post(f"{BASE}/dead-letters/redrive", json={"ids": [ids["c-7"]]}, headers=operator)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/not-redrivable")
    missing = await http.post(f"{BASE}/dead-letters/redrive", json={"ids": [999]}, headers=operator)
    assert missing.status_code == 404
    async with database.reading() as sql:
        assert await sql.fetchval("SELECT client_id FROM notes WHERE id = 7") == "c-7"
        row = await sql.fetchrow("SELECT * FROM dead_letters WHERE key = 'c-7'")
        done = await sql.fetch("SELECT actor, action, object FROM audit ORDER BY action")
    assert row["redriven_by"] == "ops"
    assert [tuple(r) for r in done] == [
        ("ops", "redrive", f"dead_letter/{ids['c-7']}"),
        ("ops", "redrive_failed", f"dead_letter/{ids['c-8']}"),
    ]
    left = (await http.get(f"{BASE}/dead-letters", headers=operator)).json()["items"]
    assert [letter["id"] for letter in left] == [ids["c-8"]]


async def test_a_conflict_is_decided_once(http: httpx.AsyncClient, operator, database: Database) -> None:
    offered = {"client_id": "c-1", "branch_id": "B2", "opened_on": "2021-01-04"}
    async with database.unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO notes VALUES (1, 'c-1', 'B1', 'a')")
        for kind in ("broker.client.opened", "broker.client.closed"):
            row = {"at": uow.now, "type": kind, "client_id": "c-1", "identity": "c-1", "known": {}, "offered": offered}
            await uow.connection.execute(insert(tables.conflicts), [row])
    first, second = (c["id"] for c in (await http.get(f"{BASE}/conflicts", headers=operator)).json()["items"])
    order = {"decision": "accepted", "reason": "the account system corrected it"}
    taken = await http.post(f"{BASE}/conflicts/{first}/decision", json=order, headers=operator)
    assert (taken.status_code, taken.json()["decided_by"], taken.json()["offered"]) == (200, "ops", offered)
    again = await http.post(f"{BASE}/conflicts/{first}/decision", json=order, headers=operator)
    assert again.json()["type"] == "/problems/already-decided"
    no_way = await http.post(f"{BASE}/conflicts/{second}/decision", json=order, headers=operator)
    assert no_way.json()["type"] == "/problems/not-acceptable"
    left = await http.post(
        f"{BASE}/conflicts/{second}/decision", json=order | {"decision": "rejected"}, headers=operator
    )
    assert left.json()["decision"] == "rejected"
    async with database.reading() as sql:
        assert await sql.fetchval("SELECT branch_id FROM notes WHERE id = 1") == "B2"
        assert await sql.fetchval("SELECT count(*) FROM audit WHERE action LIKE 'conflict_%'") == 2


async def test_only_operations_may(http: httpx.AsyncClient, as_, here: Settings) -> None:
    assert (await http.get(f"{BASE}/dead-letters", headers=as_(Role.HQ))).status_code == 403


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgresql://me:word@host/db?password=word&sslmode=require", "postgresql://host/db?password=•••&sslmode=require"),
        ("https://host/a?access_token=word b?x=1", "https://host/a?access_token=••• b?x=1"),
        ("kafka:9092", "kafka:9092"),
    ],
)  # fmt: skip
def test_settings_show_no_login_and_no_secret_option(value: str, shown: str) -> None:
    assert _shown(value) == shown
