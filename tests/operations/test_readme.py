"""The README from its first command to a client's page, each block word for word, in a home of the test's own; the blocks of
the other language are the same (`test_docs.py`)."""

import asyncio
import csv
import gzip
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import httpx

from chassis.servers.ports import free_port
from tests.faults.running import BANK
from tests.operations.pages import ROOT, follow

DATES = {"trades": "traded_on", "month_end_assets": "as_of", "customers": "last_questionnaire_on"}
LAST = "2020-07-02"


async def line(process: Process, begins: str) -> str:
    """What follows the beginning of the next such line."""
    assert process.stdout
    while said := (await process.stdout.readline()).decode():
        if said.startswith(begins):
            return said.removeprefix(begins).strip()
    raise AssertionError(f"it ended and never said {begins!r}")


def few_facts(folder: Path) -> str:
    """The first days of the data: a day closed costs the same, whoever trades on it. Gives a client."""
    folder.mkdir()
    traders = set[str]()
    for name in ("trades", "month_end_assets", "customers"):
        file = f"bank_{name}.csv.gz"
        with (
            gzip.open(BANK / file, "rt", encoding="utf-8") as whole,
            gzip.open(folder / file, "wt", encoding="utf-8") as few,
        ):
            rows = csv.DictReader(whole)
            written = csv.DictWriter(few, rows.fieldnames or ())
            written.writeheader()
            for row in rows:
                if row[DATES[name]] <= LAST and (name != "customers" or row["customer_id"] in traders):
                    written.writerow(row)
                    traders.add(row["customer_id"])
    return min(traders)


async def test_the_readme_works_as_it_is_written(tmp_path: Path) -> None:
    port, home = str(free_port()), str(tmp_path / "var")
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS"))}
    process = await asyncio.create_subprocess_exec(
        "make", "--silent", "run", cwd=ROOT, env=mine | {"CARELINE_HOME": home, "CARELINE_PORT": port},
        stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        address = await line(process, "ready ")
        once = await line(process, "sign in once at ")
        assert (address, once.startswith(f"{address}/sign-in/")) == (f"http://127.0.0.1:{port}", True)
        async with httpx.AsyncClient(follow_redirects=True) as http:
            page = await http.get(once)
            assert (page.status_code, page.url.path) == (200, "/")
        client = few_facts(tmp_path / "data")
        instead = {"../shared/data": str(tmp_path / "data"), "2021-12-31": LAST}
        fed = await follow("README.md", "Feed it real trades", instead, CARELINE_HOME=home)
        assert fed.code == 0, fed.out
        assert fed.out.count("points held") == 2, fed.out
        instead = {"CLIENT": client, "http://127.0.0.1:8000": address}
        seen = await follow("README.md", "Look at a client", instead, CARELINE_HOME=home)
        assert (seen.code, f'"{client}"' in seen.out) == (0, True), seen.out
    finally:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
        await asyncio.wait_for(process.wait(), 60)
    assert not [*(tmp_path / "var").rglob("postmaster.pid")], "its database stopped with it"
