"""Child processes of a benchmark: started by us, ended by us, by process id."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

START_SECONDS = 60
STOP_SECONDS = 20


class ChildFailed(Exception):
    """A process of the benchmark ended, or did not say what it should."""


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with no CARELINE_* settings but these (and where downloads are cached)."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CARELINE_") or k == "CARELINE_CACHE"}
    return kept | {"CARELINE_LOG_LEVEL": "ERROR"} | settings


@asynccontextmanager
async def child(
    *arguments: str, env: Mapping[str, str], until: str | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m ARGUMENTS...` for the length of a block; with `until` wait first for a line that begins with it.

    Raises: ChildFailed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, env=dict(env), stdout=asyncio.subprocess.PIPE
    )
    draining: asyncio.Task[None] | None = None
    try:
        if until is not None:
            await asyncio.wait_for(_until(process, until, arguments), START_SECONDS)
            draining = asyncio.create_task(_drain(process))
        yield process
    finally:
        if draining:
            draining.cancel()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.communicate(), STOP_SECONDS)
            except BaseException as error:  # also when we are interrupted here: nothing of ours may stay
                process.kill()
                await process.wait()
                if not isinstance(error, TimeoutError):
                    raise


async def _until(process: asyncio.subprocess.Process, words: str, arguments: tuple[str, ...]) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if line.decode().startswith(words):
            return
    raise ChildFailed(f"{' '.join(arguments)} ended with {await process.wait()} before it said {words!r}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Read on: a process whose output nobody takes stands still when the pipe is full."""
    assert process.stdout is not None
    while await process.stdout.read(65536):
        pass


async def said_by(*arguments: str, env: Mapping[str, str], seconds: float) -> str:
    """Run to the end; the last line it said.

    Raises: ChildFailed, TimeoutError.
    """
    async with child(*arguments, env=env) as process:
        said, _ = await asyncio.wait_for(process.communicate(), seconds)
        if process.returncode:
            raise ChildFailed(f"{' '.join(arguments)} ended with {process.returncode}")
        return said.decode().strip().rpartition("\n")[2]
