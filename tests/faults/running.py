"""Commands in processes of their own, killed and watched from outside."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import asyncpg

PROJECT = Path(__file__).parents[2]
BANK = PROJECT / "tests" / "data" / "bank"
LONGEST_SECONDS = 240
PROGRESS = re.compile(r"careline replay: \d+ of \d+ published")


class Command:
    """`careline ...` in a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, *words: str, **environment: str) -> "Command":
        """Start it with these settings and no others."""
        given = {name: value for name, value in os.environ.items() if not name.startswith("CARELINE_")}
        if cache := os.environ.get("CARELINE_CACHE"):
            given["CARELINE_CACHE"] = cache
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "careline", *words, cwd=PROJECT, env=given | {"PYTHONFAULTHANDLER": "1"} | environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return cls(process)

    async def line(self, beginning: str) -> str:
        """The next line on stdout that begins so; the rest of it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LONGEST_SECONDS):
            while line := (await self.process.stdout.readline()).decode():
                if line.startswith(beginning):
                    return line.removeprefix(beginning).strip()
        raise AssertionError(f"it ended without saying {beginning!r}: {(await self.ended())[2]}")

    async def ended(self) -> tuple[int, str, str]:
        """Its exit code and what it said, once it has ended."""
        saying = asyncio.ensure_future(self.process.communicate())
        done, _ = await asyncio.wait([saying], timeout=LONGEST_SECONDS)
        if not done:
            self.process.send_signal(signal.SIGABRT)  # Python's own fault handler writes where it stands
        out, err = await saying
        assert done, f"it had not ended after {LONGEST_SECONDS} s: {err.decode()}"
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), without_progress(err.decode())

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it by a signal; nothing to do when it has ended."""
        if self.process.returncode is None:
            self.process.send_signal(number)
            await self.ended()


def without_progress(err: str) -> str:
    """What a command said of trouble: how far a long one is, it says every ten seconds."""
    return "".join(line for line in err.splitlines(keepends=True) if not PROGRESS.match(line))


async def until_said(url: str, facts: int) -> int:
    """Wait until a replay has published more than so many facts, and say how many it has."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            position = await _position(url)
            if position > facts:
                return position
            await asyncio.sleep(0.05)  # another process writes it; there is nothing to be woken by


async def _position(url: str) -> int:
    try:
        sql = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return 0
    try:
        return int(await sql.fetchval("SELECT position::text FROM gateway.home") or 0)
    except (asyncpg.PostgresError, asyncpg.InterfaceError):  # not migrated yet, or just killed
        return 0
    finally:
        await sql.close(timeout=5)
