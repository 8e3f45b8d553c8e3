"""What the console offers: of the services' published operations those that its pages have buttons for."""

import base64
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import msgspec
from fastapi import FastAPI

from careline.asgi import apps_of
from careline.platform import Platform
from careline.services import SERVICES
from chassis.http import openapi_of, service_app
from chassis.settings import Settings
from gateway.app import gateway_app
from gateway.app import service as gateway
from gateway.console.rest import KEPT, operations_of
from gateway.console.tables import IN_EVERY_SERVICE, TABLES
from gateway.settings import GatewaySettings

__all__ = ["KEPT", "POLICY_TABLES", "offered", "policy_tables"]
POLICY_TABLES = KEPT.parent / "policies" / "tables.json"
_NOBODYS: dict[str, Any] = {
    f"{name}_key": base64.b64encode(bytes(32)).decode() for name in ("internal", "field", "seal", "master")
}


def offered() -> dict[str, Any]:
    """The operations by id, from the documents of apps that no request reaches."""
    home = Path(gettempdir()) / "unused"
    platform = Platform(Settings(home=home, database_url="postgresql://nobody@nowhere/none", **_NOBODYS))
    platform.connect()
    apps = {name: app for name, app in apps_of(platform).items() if isinstance(app, FastAPI)}
    operated = replace(gateway, routes=None)  # its operators' routes are reached as any service's
    apps[gateway.name] = service_app(operated, platform.databases[gateway.name], platform.settings)
    front = gateway_app(platform.settings, platform.databases[gateway.name], apps, own=GatewaySettings())
    documents = [openapi_of(app) for app in (*apps.values(), front)]
    wanted = {do.operation for table in TABLES for do in table.values()}
    wanted |= {f"{name}_{do.operation}" for name in apps for do in IN_EVERY_SERVICE.values()}
    known = {name: one for one_of in documents for name, one in operations_of(one_of).items()}
    return {name: msgspec.to_builtins(known[name]) for name in sorted(wanted & known.keys())}


def policy_tables() -> dict[str, list[str]]:
    """The policy tables of every service that has some."""
    return {service.name: sorted(service.policy.tables) for service in SERVICES if service.policy is not None}
