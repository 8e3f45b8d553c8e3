"""The forms a running process takes: everything, one service's HTTP, some services' work."""

import asyncio
import socket
from collections.abc import Sequence

from starlette.types import ASGIApp

from careline.asgi import advised, apps_of, one_time_link, platform_app
from careline.platform import Platform
from careline.server import serve
from careline.services import SERVICES, named
from careline.session import say, stop_signals
from careline.sockets import address_of
from chassis.http import new_app
from chassis.http.probes import database_check, worker_check
from chassis.settings import Settings
from gateway.settings import GatewaySettings


async def run_all(settings: Settings, listening: socket.socket) -> None:
    """Every service's HTTP and work behind the gateway, until told to stop."""
    address = address_of(listening)
    async with Platform(settings, SERVICES) as platform:
        app, link = platform_app(platform), await one_time_link(platform, address)

        def ready() -> None:
            say(f"ready {address}")
            say(f"sign in once at {link}")

        await serve(app, listening, ready, trusted_proxies=GatewaySettings().trusted_proxies)


async def run_http(settings: Settings, name: str, listening: socket.socket) -> None:
    """One service's HTTP, until told to stop; the gateway reaches the others where CARELINE_SERVICE_URLS says."""
    async with Platform(settings, named(name), working=()) as platform:
        app: ASGIApp = platform_app(platform) if name == "gateway" else apps_of(platform)[name]
        proxies = GatewaySettings().trusted_proxies if name == "gateway" else ""
        await serve(app, listening, lambda: say(f"ready {address_of(listening)}"), trusted_proxies=proxies)


async def run_work(settings: Settings, names: Sequence[str], listening: socket.socket | None) -> None:
    """Some services' work, until told to stop; with a socket also the probes of it."""
    async with Platform(settings, named(*names), sole=False) as platform:
        started = f"working {', '.join(names)}"
        if listening is None:
            stopped = asyncio.Event()
            stop_signals(stopped.set)
            say(started)
            await stopped.wait()
            return
        checks = {f"{name}-database": database_check(platform.databases[name]) for name in names}
        checks |= {f"{name}-worker": worker_check(platform.workers[name]) for name in names}
        app = new_app("work", "Careline work", [], checks, advised=advised(platform))
        await serve(app, listening, lambda: say(f"{started} {address_of(listening)}"))
