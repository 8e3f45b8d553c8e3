"""The counting service's worker in processes of its own, which a signal stops or ends in the middle of a batch:
`python -m tests.faults.forks`, one task a line on stdin, and on stdout what became of its process.

What was imported stays: each worker is a fork. `work PLACE NTH SIGNAL BATCH` begins one that gets the signal at a place of its
nth batch; `go` lets a stopped one go on, `end` tells it to terminate; the answer says `stopped`, `going` or the exit code.
"""

import asyncio
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from careline.session import stop_signals
from chassis.database import Database
from chassis.notifications import Notifications
from chassis.personal.keys import Keyring
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from chassis.worker import Worker
from gateway.client_keys import ClientKeys
from tests.faults.counting.service import COUNTING, HOOKS
from tests.faults.running import PROJECT

STUCK_SECONDS = 60
GIVEN = ("home", "database_url", "internal_key", "field_key", "seal_key", "master_key")


async def work(place: str, nth: int, number: signal.Signals, batch: int) -> None:
    """A worker that gets a signal from itself at a place of its nth batch."""
    settings = Settings()
    database, keys = Database(settings, "counting"), ClientKeys(settings)
    database.keyring = Keyring(keys)
    wake = Notifications()
    worker = Worker(COUNTING, database, settings.model_copy(update={"batch_records": batch}), wake, sole=True)
    stop_signals(worker.stop)
    left = nth

    async def signalled(uow: UnitOfWork) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            if number is signal.SIGSTOP:  # instead of the limit of a minute
                await uow.sql.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            os.kill(os.getpid(), number)

    async def look() -> None:
        while True:
            wake.set()
            await asyncio.sleep(0.02)  # nobody notifies this process

    HOOKS[place] = signalled
    looking = asyncio.create_task(look())
    try:
        await worker.run()
    finally:
        looking.cancel()
        await database.close()
        await keys.database.close()


def _begun(place: str, nth: str, number: str, batch: str) -> int:
    child = os.fork()
    if child:
        return child
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what it logs is no answer
    faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
    try:
        asyncio.run(work(place, int(nth), signal.Signals(int(number)), int(batch)))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Fork for each task; say when it stopped or ended."""
    from careline.logs import log_at

    log_at("CRITICAL", libraries="CRITICAL")
    child = 0
    for line in sys.stdin:
        task, *words = line.split()
        if task == "work":
            child = _begun(*words)
        else:
            os.kill(child, signal.SIGCONT if task == "go" else signal.SIGTERM)
        if task == "go":
            print("going", flush=True)
            continue
        status = os.waitpid(child, os.WUNTRACED)[1]
        print("stopped" if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status), flush=True)


class Forks:
    """The process whose forks work."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def do(self, *words: object) -> str:
        """Give a task; the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        async with asyncio.timeout(2 * STUCK_SECONDS):
            return (await self.process.stdout.readline()).decode().strip()


@asynccontextmanager
async def forks(settings: Settings) -> AsyncIterator[Forks]:
    """The process, with these settings."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("CARELINE_")}
    for name in GIVEN:
        if value := getattr(settings, name):
            given[f"CARELINE_{name.upper()}"] = value.get_secret_value() if name.endswith("_key") else str(value)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.forks", cwd=PROJECT, env=given, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Forks(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    main()
