"""Many planned messages: `python -m bench.messages [--messages 50000] [--rate 300] [--batch 1]`, a JSON line.

Messages of as many clients come due at one instant. `careline work messaging` judges them and hands them to a carrier's
gateway on this machine, which brings a receipt for each, signed, to `careline serve messaging`; meanwhile messages of clients
that were delivered before are asked for over HTTP, as before the rest began. The run ends when every message is delivered, and with what the gateway took
counted: each message once. Target: 300 a second and worker with receipts (aim: 1,000 by a batch call), p99 of REST no more
than doubled.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from bench.children import child, environment, said_by
from bench.keys import KEYS
from bench.points_ledger import Place
from bench.processes import cpu_seconds, machine
from careline.platform import Platform
from careline.schema import make_schemas
from chassis.actor import Actor, Role
from chassis.bus.record import Outgoing, partition_of
from chassis.clock import business_date, utc_now
from chassis.consumer import read_from_log
from chassis.gc_tuning import collect_rarely
from chassis.http import mint
from chassis.http.identity import HEADER
from chassis.servers.ports import free_port
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from contracts.base import encode
from contracts.broker import ClientOpened
from gateway.app import service as gateway
from services.messaging.app import service as messaging
from services.messaging.messages import Wanted, ask
from services.messaging.policy import Policies

AT_ONCE = 2_000
RECEIPTS_AT_ONCE = 500
SECRET = "of the bench"  # noqa: S105 - of a gateway on this machine
PROBED, PROBES_A_SECOND, QUIET_SECONDS = 300, 50, 8
PATIENCE_SECONDS = 420


class WrongCounts(Exception):
    """A message came twice or never: the speed means nothing."""


class Carrier:
    """A carrier's gateway: takes messages one by one or many in a call, and brings a receipt for each."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.began = self.ended = 0.0
        self.owed: list[str] = []
        self.refused: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                at = head.index(b"content-length:") + 15
                said = json.loads(await reader.readexactly(int(head[at : head.index(b"\r\n", at)])))
                keys = [one["id"] for one in said.get("messages", [said])]
                self.ended = time.perf_counter()
                self.began = self.began or self.ended
                self.taken.update(keys)
                self.owed += keys
                results = [{"id": key, "receipt": f"r-{key}"} for key in keys]
                data = json.dumps({"results": results} if "messages" in said else results[0]).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(data) + data)
                await writer.drain()
        writer.close()

    async def bring_receipts(self, url: str, settings: Settings) -> None:
        """Bring what is owed, for ever."""
        provider = Actor("carrier", Role.SYSTEM)
        async with httpx.AsyncClient(timeout=60) as http:
            while True:
                await asyncio.sleep(0.2)
                while owed := self.owed[:RECEIPTS_AT_ONCE]:
                    self.owed = self.owed[RECEIPTS_AT_ONCE:]
                    now = datetime.now(UTC)
                    receipts = [{"message_id": key, "state": "delivered", "at": now.isoformat()} for key in owed]
                    body, seconds = json.dumps({"receipts": receipts}).encode(), str(int(now.timestamp()))
                    made = hmac.new(SECRET.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
                    headers = {
                        HEADER: mint(provider, settings), "signature": f"t={seconds},v1={made}",
                        "content-type": "application/json",
                    }  # fmt: skip
                    answer = await http.post(f"{url}/v1/messaging/inbound", content=body, headers=headers)
                    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # a provider brings them again
                        self.refused.append(answer.text)
                        self.owed = owed + self.owed
                        await asyncio.sleep(1)
                    else:
                        answer.raise_for_status()


@asynccontextmanager
async def carrying() -> AsyncIterator[tuple[Carrier, str]]:
    """A carrier for the length of a block, and its address."""
    carrier = Carrier()
    server = await asyncio.start_server(carrier.serve, "127.0.0.1", 0)
    try:
        yield carrier, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/sms"
    finally:
        server.close()


async def plan(settings: Settings, count: int, rate: int, at_once: int) -> None:
    """Clients with a number each and a message that waits for its hour, in a real home with nothing to hand over."""
    await make_schemas(settings, [gateway, messaging])
    platform = Platform(settings, (gateway, messaging))
    platform.connect()
    try:
        await _publish_policy(platform, rate, at_once)
        doors, database = platform.databases["gateway"], platform.databases["messaging"]
        for first in range(0, count, AT_ONCE):
            opened = [
                ClientOpened(
                    client_id=f"P{number:06d}", branch_id="B1", opened_on=date(2022, 1, 4), name="王小明",
                    phone=f"139{number:08d}",
                )
                for number in range(first, min(count, first + AT_ONCE))
            ]  # fmt: skip
            sealed = await doors.keyring.seal_events(opened)
            async with doors.unit_of_work() as uow:
                uow.publish([_outgoing(one, settings) for one in sealed])
        worker = platform.workers["messaging"]
        await worker.consumer.prepare()
        while await read_from_log(worker.consumer, worker.partitions_at_once, settings.batch_records):
            pass
        async with database.unit_of_work() as uow:
            await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ('real', now())")
            await uow.sql.execute("INSERT INTO hand_overs (publisher, taken, told) VALUES ('callbacks', 0, 0)")
        for first in range(0, count, AT_ONCE):
            async with database.unit_of_work() as uow:
                await ask(uow, [_wanted(number, uow.now) for number in range(first, min(count, first + AT_ONCE))], uow.now)  # fmt: skip
        async with database.reading() as sql:
            await sql.execute("VACUUM ANALYZE")
    finally:
        await platform.disconnect()


def _wanted(number: int, now: datetime) -> Wanted:
    return Wanted(
        client_id=f"P{number:06d}", kind="account_notice", cause="bench", fields={"text": "资料已更新"}, asked_by="bench",
        asked_at=now, not_before=now + timedelta(days=1), shock=True,
    )  # fmt: skip


def _outgoing(event: Any, settings: Settings) -> Outgoing:
    place = partition_of(event.key, settings.partitions)
    return Outgoing(event.topic, place, event.key, event.type, str(uuid4()), "bench", utc_now(), encode(event))


async def _publish_policy(platform: Platform, rate: int, at_once: int) -> None:
    """What the provider takes, as a version in force."""
    body = deepcopy(dict(Policies.tables["sending"].shipped[-1].written))
    body["ways"]["own"] |= {"per_second": rate, "at_once": at_once}
    async with platform.databases["messaging"].unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
               VALUES ('sending', '', 1, $1, $2, 'bench', 'published', 'bench', now())""",
            business_date(utc_now()),
            body,
        )


async def measure(there: Place, count: int, rate: int, batch: int) -> dict[str, Any]:
    """One run on a fresh database. Raises: WrongCounts."""
    settings = await there.make("messages")
    began = time.perf_counter()
    await plan(settings, count, rate, max(batch * 2, 50))
    planned = time.perf_counter() - began
    doors, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    async with carrying() as (carrier, address):
        env = environment(
            CARELINE_DATABASE_URL=settings.database_url or "", CARELINE_HOME=str(there.home),
            CARELINE_GATEWAY_URL=f"http://127.0.0.1:{doors}", CARELINE_MESSAGES_SMS=address,
            CARELINE_MESSAGES_SMS_BATCH=str(batch), CARELINE_MESSAGES_INBOUND_SECRET=SECRET,
            **{f"CARELINE_{name.upper()}": value for name, value in KEYS.items()},
        )  # fmt: skip
        async with (
            child("careline", "serve", "gateway", "--port", str(doors), env=env, until="ready"),
            child("careline", "serve", "messaging", "--port", str(port), env=env, until="ready"),
        ):
            receipts = asyncio.create_task(carrier.bring_receipts(url, settings))
            try:
                async with child("careline", "work", "messaging", env=env) as worker:
                    quiet, busy, seconds = await _run(carrier, settings, port, env, count, receipts)
                    used = cpu_seconds(worker.pid)
            finally:
                receipts.cancel()
                await asyncio.gather(receipts, return_exceptions=True)
    if len(carrier.taken) != count or carrier.taken.total() != count:
        raise WrongCounts(f"{len(carrier.taken)} messages in {carrier.taken.total()} calls, not {count}")
    return {
        "what": "messages", "messages": count, "limit": rate, "batch": batch, "planning_s": round(planned, 1),
        "handed_per_second": round((count - _first(count)) / (carrier.ended - carrier.began)),
        "due_to_last_receipt_s": round(seconds, 1), "rest_p50_ms": [quiet["p50_ms"], busy["p50_ms"]],
        "rest_p99_ms": [quiet["p99_ms"], busy["p99_ms"]], "rest_refused": [quiet["refused"], busy["refused"]],
        "receipts_refused": carrier.refused[:3], "worker_cpu_us": round(used / count * 1e6),
    }  # fmt: skip


async def _run(
    carrier: Carrier,
    settings: Settings,
    port: int,
    env: dict[str, str],
    count: int,
    receipts: "asyncio.Task[None]",
) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Let those come due that are read over REST; read them while nothing else goes on; then let all others come due, read the
    same again, and wait for the last receipt."""
    sql = await asyncpg.connect(settings.database_url)
    first = _first(count)
    try:
        await _release(sql, f"client_id < 'P{first:06d}'")
        await _delivered(sql, first, receipts)  # by then the worker has started
        read = min(first, PROBED)
        await _probe(settings, port, env, read, read / PROBES_A_SECOND)  # their keys are known from here on
        quiet = await _probe(settings, port, env, read, QUIET_SECONDS)
        carrier.began = 0.0
        began = time.perf_counter()
        await _release(sql, "true")
        probing = asyncio.create_task(_probe(settings, port, env, read, max(3, min(30, count / 1000))))
        await _delivered(sql, count, receipts)
        seconds = time.perf_counter() - began
        return quiet, await probing, seconds
    finally:
        await sql.close()


def _first(count: int) -> int:
    """How many go first, to be read."""
    return min(PROBED, count // 2)


async def _release(sql: asyncpg.Connection, which: str) -> None:
    """Their time has come."""
    await sql.execute(
        f"UPDATE messaging.messages SET not_before = now(), due_at = now() WHERE state = 'planned' AND {which}"
    )


async def _delivered(sql: asyncpg.Connection, count: int, receipts: "asyncio.Task[None]") -> None:
    """Wait until so many are delivered."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await sql.fetchval("SELECT count(*) FROM messaging.messages WHERE state = 'delivered'") < count:
            if receipts.done():
                receipts.result()
            await asyncio.sleep(0.5)


async def _probe(settings: Settings, port: int, env: dict[str, str], clients: int, seconds: float) -> dict[str, Any]:
    """What a client's messages take to read, at an even pace."""
    token = mint(Actor("bench", Role.SYSTEM, purpose="bench"), settings)
    found: dict[str, Any] = json.loads(
        await said_by(
            "bench.lanes.paced", "127.0.0.1", str(port), "/v1/messaging/clients/P{:06d}/messages", str(clients),
            str(PROBES_A_SECOND), str(seconds), f"{HEADER}:{token}", env=env, seconds=seconds + 60,
        )
    )  # fmt: skip
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it and print the machine and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rate", type=int, default=300)
    parser.add_argument("--batch", type=int, default=1)
    wanted = parser.parse_args(arguments)
    collect_rarely()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="careline-messages-") as name:
        server = PrivatePostgres(Path(name))
        try:
            import uvloop

            found = uvloop.run(measure(Place(server.start(), Path(name)), wanted.messages, wanted.rate, wanted.batch))
            print(json.dumps(found), flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
