"""What every command stands on: settings, a server where there is none, and a loop that ends cleanly.

Light to import: the private server starts while the rest of the program is being loaded.
"""

import asyncio
import gc
import getpass
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from careline.settings import judge_services, loaded
from chassis.actor import Actor, Role
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings

if TYPE_CHECKING:
    from careline.platform import Platform
    from chassis.service import Service

T = TypeVar("T")
TERMINATED = 128 + signal.SIGTERM


def os_user() -> Actor:
    """The actor behind the command line: whoever the system says is typing."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        name = str(os.getuid())
    return Actor(f"os:{name}", Role.OPERATIONS)


@contextmanager
def database_there(*, keep_running: bool = False) -> Iterator[Settings]:
    """The settings, with a database: the one they name, or the private server, shared with whoever else uses it.

    `keep_running` starts the private server again when it ends before we do.
    """
    settings = loaded()
    if not settings.embedded_database:
        judge_services()
        yield settings
        return
    server = PrivatePostgres(settings.home)
    with ThreadPoolExecutor(1, "start postgres") as aside:
        starting = aside.submit(server.start)
        import careline.platform  # noqa: F401 - what takes longest to load, meanwhile
    try:
        starting.result()
        judge_services()
        if keep_running:
            server.keep_running()
        yield settings.model_copy(update={"database_url": server.service_url, "owner_url": server.owner_url})
    finally:
        server.stop()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; an interrupt or a termination cancels the work, so that it cleans up."""
    import uvloop

    from chassis.gc_tuning import collect_rarely

    gc.enable()  # `main` turned it off for the time of loading
    collect_rarely()

    async def supervised() -> T:
        task = asyncio.current_task()
        assert task is not None
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return uvloop.run(supervised())
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None


@asynccontextmanager
async def connected(settings: Settings, services: "Sequence[Service] | None" = None) -> AsyncIterator["Platform"]:
    """The databases of all services (or of some) at the newest revision, nothing running."""
    from careline.platform import Platform
    from careline.schema import make_schemas
    from careline.services import SERVICES
    from chassis.database import as_owner

    chosen, settings = SERVICES if services is None else services, as_owner(settings)
    await make_schemas(settings, chosen, topics=False)
    platform = Platform(settings, chosen)
    platform.connect()
    try:
        yield platform
    finally:
        await platform.disconnect()


def with_platform(work: Callable[["Platform"], Awaitable[T]], services: "Sequence[Service] | None" = None) -> T:
    """Do something on the platform's databases (or on those of some services, whose logins are all it needs then), whether a
    platform runs or not."""
    say_little()

    async def go(settings: Settings) -> T:
        async with connected(settings, services) as platform:
            return await work(platform)

    with database_there() as settings:
        return run(go(settings))


def stop_signals(stop: Callable[[], None], terminate: Callable[[], None] | None = None) -> None:
    """From now on Ctrl-C calls `stop` and a termination `terminate` (or `stop`) instead of breaking off."""
    loop = asyncio.get_running_loop()
    for number, call in ((signal.SIGINT, stop), (signal.SIGTERM, terminate or stop)):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, call)


def say_little() -> None:
    """For commands that end soon: what they have to say is their output or their one line of error."""
    from careline.logs import log_at

    log_at("ERROR", libraries="CRITICAL")


def say(line: str = "") -> None:
    """A line on stdout, at once."""
    print(line, flush=True)
