"""HTTP of this process: the gateway, with the services behind it that run here."""

from starlette.types import ASGIApp, Receive, Scope, Send

from careline.platform import Platform
from chassis.http import service_app


def apps_of(platform: Platform) -> dict[str, ASGIApp]:
    """One app per service, with its worker's health where the worker runs here."""
    return {
        service.name: service_app(
            service,
            platform.databases[service.name],
            platform.settings,
            platform.workers[service.name] if service.name in platform.working else None,
        )
        for service in platform.services
    }


def front(platform: Platform) -> ASGIApp:
    """What this process answers at its address: each service under its own path."""
    apps = apps_of(platform)

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        name = scope.get("path", "").removeprefix("/v1/").split("/")[0]
        await apps.get(name, apps["gateway"])(scope, receive, send)

    return choose


async def one_time_link(platform: Platform, address: str) -> str:
    """A link that signs its first user in."""
    return f"{address}/sign-in?settings={platform.settings.host}"
