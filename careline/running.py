"""The forms a running process takes: everything, one service's HTTP, some services' work."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from careline.asgi import advised, apps_of, one_time_link, platform_app
from careline.platform import Platform
from careline.server import metrics_at, serve
from careline.services import SERVICES, named
from careline.session import say, stop_signals
from careline.sockets import address_of
from chassis import housekeeping
from chassis.database import as_owner
from chassis.http import new_app
from chassis.http.probes import database_check, sealing_check, worker_check
from chassis.settings import Settings
from gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from fastapi import FastAPI


async def run_all(settings: Settings, listening: socket.socket) -> None:
    """Every service's HTTP and work behind the gateway, until told to stop."""
    address = address_of(listening)
    async with Platform(settings, SERVICES) as platform:
        app, link = platform_app(platform), await one_time_link(platform, address)

        def ready() -> None:
            say(f"ready {address}")
            say(f"sign in once at {link}")

        await _serve(settings, app, listening, ready, GatewaySettings().trusted_proxies)


async def run_http(settings: Settings, name: str, listening: socket.socket) -> None:
    """One service's HTTP, until told to stop; the gateway reaches the others where CARELINE_SERVICE_URLS says."""
    async with Platform(settings, named(name), working=()) as platform:
        app: FastAPI = platform_app(platform) if name == "gateway" else apps_of(platform)[name]
        proxies = GatewaySettings().trusted_proxies if name == "gateway" else ""
        await _serve(settings, app, listening, lambda: say(f"ready {address_of(listening)}"), proxies)


async def run_work(settings: Settings, names: Sequence[str], listening: socket.socket | None) -> None:
    """Some services' work, until told to stop; with a socket also the probes of it."""
    async with Platform(settings, named(*names), sole=False) as platform:
        started = f"working {', '.join(names)}"
        if listening is None:
            stopped = asyncio.Event()
            stop_signals(stopped.set)
            with metrics_at(settings):
                say(started)
                await stopped.wait()
            return
        checks = {f"{name}-database": database_check(platform.databases[name]) for name in names}
        checks |= {f"{name}-worker": worker_check(platform.workers[name]) for name in names}
        app = new_app("work", "Careline work", [], checks, settings, advised=advised(platform))
        await _serve(settings, app, listening, lambda: say(f"{started} {address_of(listening)}"))


async def run_seal(settings: Settings, listening: socket.socket) -> None:
    """Sealing and housekeeping of every service, until told to stop."""
    async with Platform(as_owner(settings), SERVICES, working=()) as platform:
        for worker in platform.workers.values():
            platform.supervise(worker.seal())
        platform.supervise(housekeeping.run(settings, SERVICES))
        checks = {f"{name}-database": database_check(one) for name, one in platform.databases.items()}
        sealing = {f"{name}-seals": sealing_check(worker.sealer) for name, worker in platform.workers.items()}
        app = new_app("seal", "Careline seal", [], checks, settings, advised=sealing)
        await _serve(settings, app, listening, lambda: say(f"sealing {address_of(listening)}"))


async def _serve(
    settings: Settings, app: "FastAPI", listening: socket.socket, ready: Callable[[], None], proxies: str = ""
) -> None:
    with metrics_at(settings):
        await serve(
            app, listening, ready, trusted_proxies=proxies, drain_seconds=settings.drain_seconds,
            of_one_address=settings.connections_per_address,
        )  # fmt: skip
