"""One replay: say what has not been said, work where nobody works, return when every service has caught up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date

from careline.lag import Heads, first_behind, lags_of, late_work
from careline.platform import Platform
from careline.replay.progress import Progress
from careline.replay.publish import publish
from careline.replay.source import DataSet
from careline.retry import retry_through_outages
from careline.worker_lock import wait_for_worker_lock
from chassis.errors import Conflict, Text
from chassis.settings import Settings

LOOK_AGAIN_SECONDS = 0.1


class WorkStopped(Conflict):
    """A consumer stopped because too many records in a row could not be applied."""

    title = Text("A consumer has stopped", "消费者已停止")


@asynccontextmanager
async def replayed(
    settings: Settings, read: Callable[[], DataSet], until: date, progress: Progress
) -> AsyncIterator[tuple[Platform, DataSet]]:
    """Replay a data set until a day, included, and catch up; then the platform is there to be asked.

    The data are read, in a thread, while the schemas are made. A running platform's workers do the work; what nobody
    works for, or no longer, is done here. Safe to be killed at any moment and to be run again. Raises: what cannot be
    read, what the home refuses.
    """
    reading = asyncio.get_running_loop().run_in_executor(None, read)
    async with Platform(settings, working=()) as platform:
        data = await reading
        goal = data.through(until)
        progress.begin(goal)
        for service in platform.services:
            platform.supervise(_work_if_nobody_does(platform, service.name))
        gateway, at_once = platform.databases["gateway"], settings.batch_records
        async with Heads(settings, platform.databases) as heads, Heads(settings, platform.databases) as shown:
            showing = asyncio.create_task(_show(platform, shown, progress))
            try:
                await retry_through_outages(
                    lambda: publish(gateway, data, goal, progress.said, at_once=at_once), progress.trouble
                )
                await retry_through_outages(lambda: _catch_up(platform, heads, progress), progress.trouble)
            finally:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
            await retry_through_outages(lambda: _look(platform, heads, progress), progress.trouble)
        yield platform, data


async def _work_if_nobody_does(platform: Platform, service: str) -> None:
    url = platform.databases[service].url
    await retry_through_outages(lambda: wait_for_worker_lock(url, service), lambda _: None)
    platform.start_work(service)


async def _show(platform: Platform, heads: Heads, progress: Progress) -> None:
    """Show how far the services are, from time to time: looking at all of them costs their time."""
    while True:
        await retry_through_outages(lambda: _look(platform, heads, progress), progress.trouble)
        await asyncio.sleep(1)


async def _look(platform: Platform, heads: Heads, progress: Progress) -> None:
    try:
        progress.applied(await lags_of(platform.services, heads))
    except Exception:
        await heads.close()  # its connection may be what is broken
        raise


async def _catch_up(platform: Platform, heads: Heads, progress: Progress) -> None:
    """Until every offset is at its head, every relay empty, every said day closed: twice in a row."""
    quiet = 0
    try:
        while quiet < 2:
            if await first_behind(platform.services, heads):
                quiet = 0
                _tell_of_failures(platform, progress)
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                continue
            worked = [await late_work(service, platform.databases[service.name]) for service in platform.services]
            quiet = 0 if any(worked) else quiet + 1
    except Exception:
        await heads.close()  # its connection may be what is broken
        raise


def _tell_of_failures(platform: Platform, progress: Progress) -> None:
    """A loop of ours that fails is said while it is tried again; one that has stopped will not go on by itself.

    Raises: WorkStopped.
    """
    failing = [
        (f"{name}, {state.name}: {state.error}", state.stopped)
        for name, worker in platform.workers.items()
        for state in worker.states.values()
        if state.error
    ]
    for words, stopped in failing:
        if stopped:
            raise WorkStopped(f"{words} - look at `careline dead-letters list`, mend the cause and replay again")
    progress.trouble("; ".join(words for words, _ in failing))
