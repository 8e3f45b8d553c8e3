"""Every app of the platform and every route of it, without a server: what the walks over the REST interface read."""

import base64
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from fastapi import FastAPI

from careline.asgi import apps_of, platform_app
from careline.platform import Platform
from chassis.http import routes_of
from chassis.settings import Settings

KEYS = {f"{name}_key": base64.b64encode(bytes(32)).decode() for name in ("internal", "field", "seal", "master")}


@cache
def apps() -> dict[str, FastAPI]:
    """The apps by service name; none of them may be asked anything that needs a database."""
    platform = Platform(Settings(home=Path(gettempdir()) / "unused", database_url="postgresql://nobody@nowhere/none", **KEYS))  # fmt: skip
    platform.connect()
    return {"gateway": platform_app(platform)} | {
        name: app for name, app in apps_of(platform).items() if isinstance(app, FastAPI)
    }


def routes() -> Iterator[tuple[str, Any]]:
    """Each route with a handler of ours, and the name of its app."""
    for name, app in apps().items():
        for route in routes_of(app):
            if getattr(route, "dependant", None) is not None:
                yield name, route


def fields_of(dependant: Any) -> Iterator[Any]:
    """Every parameter and body a route and its dependencies read."""
    yield from (*dependant.path_params, *dependant.query_params, *dependant.header_params, *dependant.cookie_params)
    yield from dependant.body_params
    for below in dependant.dependencies:
        yield from fields_of(below)
