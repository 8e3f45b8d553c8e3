"""`python -m tests.faults.suite SEEDS [SCENARIO] [--table FILE]`: every scenario with so many seeds, a line each.

A seed that fails is printed, with what happened; the same seed does the same. Exit code 1 when anything was lost or doubled.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from careline.schema import make_schemas
from chassis.servers.kafka import PrivateKafka
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from gateway.app import service as gateway
from tests.faults.counting.service import COUNTING
from tests.faults.forks import Forks, forks
from tests.faults.own_server import NoSmallDisk, OwnServer, own_server
from tests.faults.scenarios import FORKED, KAFKA, OWN, SCENARIOS
from tests.faults.scene import scene

SECONDS_A_SEED = 120
BEGIN, END = "<!-- made by make faults: begin -->", "<!-- made by make faults: end -->"


@dataclass
class Line:
    """What became of a scenario: seeds played, facts lost, effects doubled, seeds that broke."""

    name: str
    seeds: int = 0
    lost: int = 0
    doubled: int = 0
    broken: int = 0

    @property
    def good(self) -> bool:
        """Nothing lost, nothing doubled, every seed came to its end."""
        return not (self.lost or self.doubled or self.broken)


async def play(
    settings: Settings, name: str, seed: int, own: OwnServer | None = None, others: Forks | None = None
) -> tuple[int, int]:
    """One seed of a scenario: lost and doubled."""
    async with asyncio.timeout(SECONDS_A_SEED), scene(settings, name, seed, own, others) as at:
        await SCENARIOS[name](at)
        return await at.outcome()


@asynccontextmanager
async def _others(settings: Settings, name: str) -> AsyncIterator[Forks | None]:
    """The process whose forks work, where a scenario has such."""
    if name not in FORKED:
        yield None
        return
    async with forks(settings) as others:
        yield others


async def run(settings: Settings, name: str, seeds: int, first: int = 0, own: OwnServer | None = None) -> Line:
    """A scenario with some seeds."""
    line = Line(name)
    async with _others(settings, name) as others:
        for seed in range(first, first + seeds):
            line.seeds += 1
            try:
                lost, doubled = await play(settings, name, seed, own, others)
            except Exception as error:
                line.broken += 1
                print(f"  {name} seed {seed}: {error!r}", flush=True)
                continue
            if lost or doubled:
                print(f"  {name} seed {seed}: lost {lost}, doubled {doubled}", flush=True)
            line.lost, line.doubled = line.lost + lost, line.doubled + doubled
    return line


async def prepared(settings: Settings) -> Settings:
    """The schemas of the small platform the scenarios play on."""
    await make_schemas(settings, (gateway, COUNTING))
    return settings


def written(lines: list[Line], document: Path) -> None:
    """Put the table between its marks in a document."""
    text = document.read_text("utf-8")
    head, rest = text.split(BEGIN)
    rows = "\n".join(f"| {one.name} | {one.seeds} | {one.lost} | {one.doubled} |" for one in lines)
    table = f"| scenario | seeds | lost | doubled |\n|---|---|---|---|\n{rows}\n"
    document.write_text(f"{head}{BEGIN}\n{table}{END}{rest.split(END)[1]}", "utf-8")


async def every(seeds: int, names: list[str], first: int) -> list[Line]:
    """Every scenario named, on servers of its own."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="careline-faults-") as folder:
        home = Path(folder)
        server = PrivatePostgres(home / "p", settings={"fsync": "off", "synchronous_commit": "off"})
        broker = PrivateKafka(home / "k", short_lived=True) if set(names) & KAFKA.keys() else None
        try:
            url = await asyncio.to_thread(server.start)
            at = await asyncio.to_thread(broker.start) if broker else ""
            for name in (one for one in names if one not in OWN):
                database = f"faults_{name}"
                import asyncpg

                admin = await asyncpg.connect(url)
                await admin.execute(f"CREATE DATABASE {database}")
                await admin.close()
                settings = Settings(
                    home=home / "h", database_url=url.replace("/careline?", f"/{database}?"),
                    bus_url=f"kafka://{at}/{name.replace('_', '')}" if name in KAFKA else None,
                )  # fmt: skip
                lines.append(_said(await run(await prepared(settings), name, seeds, first)))
        finally:
            await asyncio.to_thread(server.stop, even_if_used=True)
            if broker:
                await asyncio.to_thread(broker.stop)
        if chosen := [name for name in names if name in OWN]:
            lines += await _on_own(home, chosen, seeds, first)
    return sorted(lines, key=lambda line: names.index(line.name))


async def _on_own(home: Path, names: list[str], seeds: int, first: int) -> list[Line]:
    """Those that take a server down, where this machine lets us mount a small disk."""
    try:
        async with own_server(home / "own") as own:
            settings = await prepared(Settings(home=home / "h", database_url=own.url))
            return [_said(await run(settings, name, seeds, first, own)) for name in names]
    except NoSmallDisk as error:
        print(f"not played, no small disk can be mounted ({error}): {', '.join(names)}", flush=True)
        return []


def _said(line: Line) -> Line:
    print(f"{line.name}: {line.seeds} seeds, {line.lost} lost, {line.doubled} doubled", flush=True)
    return line


def main() -> None:
    """The suite by itself."""
    import argparse

    parser = argparse.ArgumentParser(prog="faults", description="Play every fault; print seeds, lost, doubled.")
    parser.add_argument("seeds", type=int)
    parser.add_argument("scenario", nargs="?", choices=[[], *SCENARIOS], default=[])
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--table", type=Path, help="write the table into this document")
    given = parser.parse_args()
    lines = asyncio.run(every(given.seeds, [given.scenario] if given.scenario else list(SCENARIOS), given.first))
    if given.table:
        written(lines, given.table)
    sys.exit(0 if all(line.good for line in lines) else 1)


if __name__ == "__main__":
    from careline.logs import log_at

    log_at("CRITICAL", libraries="CRITICAL")
    main()
