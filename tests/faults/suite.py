"""`python -m tests.faults.suite SEEDS [SCENARIO] [--table FILE]`: every scenario with so many seeds, a line each.

A seed that fails is printed, with what happened; the same seed does the same. Exit code 1 when anything was lost or doubled.
"""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from careline.schema import make_schemas
from chassis.servers.kafka import PrivateKafka
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from gateway.app import service as gateway
from tests.faults.counting.service import COUNTING
from tests.faults.scenarios import KAFKA, SCENARIOS
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


async def play(settings: Settings, name: str, seed: int) -> tuple[int, int]:
    """One seed of a scenario: lost and doubled."""
    async with asyncio.timeout(SECONDS_A_SEED), scene(settings, name, seed) as at:
        await SCENARIOS[name](at)
        return await at.outcome()


async def run(settings: Settings, name: str, seeds: int, first: int = 0) -> Line:
    """A scenario with some seeds."""
    line = Line(name)
    for seed in range(first, first + seeds):
        line.seeds += 1
        try:
            lost, doubled = await play(settings, name, seed)
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
        broker = PrivateKafka(home / "k") if set(names) & KAFKA.keys() else None
        try:
            url = await asyncio.to_thread(server.start)
            at = await asyncio.to_thread(broker.start) if broker else ""
            for name in names:
                database = f"faults_{name}"
                import asyncpg

                admin = await asyncpg.connect(url)
                await admin.execute(f"CREATE DATABASE {database}")
                await admin.close()
                settings = Settings(
                    home=home / "h", database_url=url.replace("/careline?", f"/{database}?"),
                    bus_url=f"kafka://{at}/{name.replace('_', '')}" if name in KAFKA else None,
                )  # fmt: skip
                line = await run(await prepared(settings), name, seeds, first)
                print(f"{name}: {line.seeds} seeds, {line.lost} lost, {line.doubled} doubled", flush=True)
                lines.append(line)
        finally:
            await asyncio.to_thread(server.stop, even_if_used=True)
            if broker:
                await asyncio.to_thread(broker.stop)
    return lines


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
