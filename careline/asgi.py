"""HTTP of this process: the gateway, with the services behind it that run here."""

from fastapi import FastAPI

from careline.platform import Platform
from careline.services import SERVICES
from chassis.http import service_app
from chassis.http.probes import Check, sealing_check, service_checks
from gateway.app import gateway_app
from gateway.people import make_sign_in_link


def apps_of(platform: Platform) -> dict[str, FastAPI]:
    """One app per service but the gateway, with its worker's health where the worker runs here."""
    return {
        service.name: service_app(
            service,
            platform.databases[service.name],
            platform.settings,
            platform.workers[service.name] if service.name in platform.working else None,
        )
        for service in platform.services
        if service.name != "gateway"
    }


def platform_app(platform: Platform) -> FastAPI:
    """What this process answers at its address: the gateway, with the services that run here behind it."""
    worker = platform.workers["gateway"] if "gateway" in platform.working else None
    return gateway_app(
        platform.settings,
        platform.databases["gateway"],
        apps_of(platform),
        worker,
        advised=advised(platform),
        client_parts=client_parts(),
        services=[service.name for service in SERVICES],
    )


def advised(platform: Platform) -> dict[str, Check]:
    """What the services of this process look at for people."""
    looked_at = {
        name: check
        for service in platform.services
        for name, check in service_checks(service, platform.databases[service.name]).items()
    }
    return looked_at | {f"{name}-seals": sealing_check(platform.workers[name].sealer) for name in platform.working}


def client_parts() -> dict[str, tuple[str, str]]:
    """The parts of the 360 view of a client, by every service's own word."""
    return {part: (service.name, rest) for service in SERVICES for part, rest in service.client_parts.items()}


async def one_time_link(platform: Platform, address: str) -> str:
    """A link that signs its first user in."""
    return await make_sign_in_link(platform.databases["gateway"], address)
