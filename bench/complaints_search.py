"""Search over many complaints: `python -m bench.complaints_search --cases 100000` (target: 50 ms for two characters).

A private PostgreSQL is filled with made-up cases; words are asked for over HTTP, in process, as headquarters and as a
branch ask, and every answer is compared with what a plain scan of the texts finds: the same cases in the same order.
"""

import argparse
import asyncio
import json
import random
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import httpx

from careline.schema import make_schemas
from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.http import mint, service_app
from chassis.http.identity import HEADER
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from gateway.app import service as gateway
from services.complaints.app import service
from services.complaints.words import codes_of, grams_of

FIRST = datetime(2020, 1, 1, tzinfo=UTC)
SYLLABLES = (
    "基金净值下跌经理失联开户流程太慢交易软件登录失败手续费过高分红没有到账信息泄露电话骚扰产品风险说明不清转托管拖延"
)
OFTEN, HALF, OLD, ODD, EVEN, RARE = "客户", "投资", "债券", "甲方", "乙方", "钻石"
ROUNDS = 15
HQ = Actor("HQ-CS-1", Role.HQ, purpose="bench")
BRANCH = Actor("B7-1", Role.AGENT, branch_id="B7", purpose="bench")


def text_of(number: int, cases: int, pick: random.Random) -> str:
    """About 120 characters, with the marked words where they belong."""
    words = [OFTEN, "".join(pick.choices(SYLLABLES, k=100))]
    if number % 2:
        words.append(HALF)
    if number < cases // 2:
        words.append(OLD)
    if number % 3 == 0:
        words.append(ODD)
    if number % 3 == 1 or number % 9_999 == 0:
        words.append(EVEN)
    if number % 10_000 == 5:
        words.append(RARE)
    return "，".join(words)


def rows_of(cases: int) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Cases in the order they came, with the index entries of each."""
    pick = random.Random(7)  # noqa: S311 - the same texts each time, no secret
    for number in range(cases):
        case_id, at = uuid.UUID(int=pick.getrandbits(128)), FIRST + timedelta(minutes=number * 20)
        text = text_of(number, cases, pick)
        row = {
            "case_id": case_id, "system": "bench", "key": f"c-{number % 40_000}", "client_id": f"c-{number % 40_000}",
            "branch_id": f"B{number % 200}", "kind": "complaint", "source": "client", "channel": "hotline",
            "flow": "centre", "severity": "ordinary", "state": "received" if number % 50 == 0 else "closed",
            "owner": f"HQ-CS-{number % 10}", "received_at": at, "received_on": at.date(), "words": text,
            "opened_by": "bench",
        }  # fmt: skip
        yield row, codes_of(grams_of(text))


async def fill(sql: asyncpg.Connection, cases: int) -> None:
    """The tables that search reads."""
    made = list(rows_of(cases))
    names = tuple(made[0][0])
    await sql.copy_records_to_table("cases", records=[tuple(row.values()) for row, _ in made], columns=names)
    await sql.copy_records_to_table(
        "case_words",
        records=[(row["case_id"], row["received_at"], grams) for row, grams in made],
        columns=("case_id", "received_at", "grams"),
    )


def asked(pages: int) -> list[tuple[str, Actor, dict[str, str], int]]:
    """What is asked: a name, who, the query, the page."""
    return [
        ("in every case", HQ, {"q": OFTEN}, 1),
        ("in every case, a late page", HQ, {"q": OFTEN}, pages),
        ("in every other", HQ, {"q": HALF}, 1),
        ("in the older half only", HQ, {"q": OLD}, 1),
        ("in the older half only, a late page", HQ, {"q": OLD}, pages),
        ("two words often, together hardly ever", HQ, {"q": f"{ODD} {EVEN}"}, 1),
        ("rare", HQ, {"q": RARE}, 1),
        ("nowhere", HQ, {"q": "翡翠"}, 1),
        ("a longer word", HQ, {"q": "电话骚扰"}, 1),
        ("in every case, one branch", BRANCH, {"q": OFTEN}, 1),
        ("in the older half, one branch", BRANCH, {"q": OLD}, 1),
        ("in every case, open ones", HQ, {"q": OFTEN, "state": "received"}, 1),
        ("in every case, one client", HQ, {"q": OFTEN, "client": "c-77"}, 1),
    ]


async def page(http: httpx.AsyncClient, query: dict[str, str], number: int) -> tuple[list[str], float]:
    """The ids on a page, and how many milliseconds that page took."""
    cursor: str | None = None
    for _ in range(number):
        started = perf_counter()
        answer = await http.get("/v1/complaints/cases", params=query | ({"cursor": cursor} if cursor else {}))
        taken = (perf_counter() - started) * 1000
        answer.raise_for_status()
        cursor = answer.json().get("next")
    return [one["case_id"] for one in answer.json()["items"]], taken


async def expected(sql: asyncpg.Connection, actor: Actor, query: dict[str, str], number: int, limit: int) -> list[str]:
    """The same by looking at every text."""
    rows = await sql.fetch(
        """SELECT case_id FROM cases WHERE NOT EXISTS (SELECT FROM unnest($1::text[]) w WHERE strpos(words, w) = 0)
             AND ($2::text IS NULL OR branch_id = $2) AND ($3::text IS NULL OR state = $3)
             AND ($4::text IS NULL OR client_id = $4)
           ORDER BY received_at DESC, case_id DESC LIMIT $5 OFFSET $6""",
        query["q"].split(), actor.branch_id, query.get("state"), query.get("client"), limit, (number - 1) * limit,
    )  # fmt: skip
    return [str(row["case_id"]) for row in rows]


async def measure(url: str, cases: int, folder: Path) -> list[dict[str, object]]:
    """Fill and ask."""
    settings = Settings(home=folder, database_url=url)
    await make_schemas(settings, [gateway, service])
    database = Database(settings, "complaints")
    found: list[dict[str, object]] = []
    try:
        async with database.unit_of_work() as uow:
            await fill(uow.sql, cases)
        async with database.reading() as sql:
            await sql.execute("VACUUM ANALYZE cases, case_words")
        app = service_app(service, database, settings)
        for name, actor, query, number in asked(pages=20):
            headers = {HEADER: mint(actor, settings)}
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://complaints", headers=headers
            ) as http:
                ids, _ = await page(http, query, number)
                async with database.reading() as sql:
                    if ids != await expected(sql, actor, query, number, 50):
                        raise ValueError(f"{name}: not what a scan of the texts finds")
                times = sorted([(await page(http, query, number))[1] for _ in range(ROUNDS)])
            found.append(
                {
                    "what": name,
                    "found": len(ids),
                    "p50_ms": round(times[ROUNDS // 2], 1),
                    "worst_ms": round(times[-1], 1),
                }
            )
    finally:
        await database.close()
    return found


def main() -> None:
    """Run it and print a JSON line for each question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        server = PrivatePostgres(Path(name))
        try:
            for line in asyncio.run(measure(server.start(), wanted.cases, Path(name))):
                print(json.dumps(line, ensure_ascii=False))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
