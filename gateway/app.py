"""The gateway on one page: a service whose log carries the broker's facts, and the app in front of all services."""

import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from chassis.database import Database
from chassis.http import new_app, service_app
from chassis.http.paging import cursor_key
from chassis.http.probes import Check, database_check, is_scraper, worker_check
from chassis.live import Live
from chassis.service import Service
from chassis.settings import Settings
from chassis.staff import keep_branches, keep_staff
from contracts import broker, platform
from contracts.complaints import CaseErased
from contracts.relationships import ProspectErased
from gateway import access_api, api, approvals, calendar, client_keys, client_search, console, desk, erasure, staff
from gateway.access import Access
from gateway.auth_middleware import AuthMiddleware, Identities
from gateway.console import sign_in
from gateway.console.frame import SignInFirst, to_sign_in
from gateway.console.live.pages import TOPICS as LIVE
from gateway.documents import Documents
from gateway.keys import Keys
from gateway.limits import Attempts
from gateway.oidc import OpenId
from gateway.service_client import ServiceClient
from gateway.settings import DEMO_MARK, GatewaySettings
from gateway.tables import metadata
from gateway.tokens import GatewayTokens
from gateway.transport import InProcess, OverHttp, Transport, Unset

if TYPE_CHECKING:
    from chassis.worker import Worker

service = Service(
    name="gateway",
    tables=metadata,
    migrations=Path(__file__).parent / "migrations",
    routes=api.routes,
    listens={
        broker.StaffChanged: keep_staff,
        broker.BranchChanged: keep_branches,
        CaseErased: erasure.forget_case,
        ProspectErased: erasure.forget_prospect,
        **dict.fromkeys(erasure.EXPECTED, erasure.note_answers),
    },
    loops={"erasures": erasure.ask_again},
    publishes=[*broker.EVENTS, *platform.EVENTS],
    waits_for=(),
    approvals=[staff.ROSTER, access_api.SIGN_IN, erasure.ERASURE, calendar.CALENDAR],
)
OPERATED = replace(service, routes=None)
"""The gateway as operators reach it: as any service, its own routes being the app in front."""


def gateway_app(
    settings: Settings,
    database: Database,
    apps: Mapping[str, ASGIApp],
    worker: "Worker | None" = None,
    own: GatewaySettings | None = None,
    advised: dict[str, Check] | None = None,
    client_parts: Mapping[str, tuple[str, str]] = MappingProxyType({}),
    services: Collection[str] = (),
) -> FastAPI:
    """The app in front of everything. `apps` are the services in this process by name; the others are reached at
    `settings.service_urls`; of `services` that are neither, callers are told which setting is missing. `database` is the gateway's own, `worker` its loops when they run here, `advised`
    the services' own checks."""
    own = own or GatewaySettings()
    tokens = GatewayTokens(settings)
    identities, keys, access = Identities(tokens), Keys(database), Access(database)
    transports: dict[str, Transport] = {
        name: OverHttp(url, own.service_seconds) for name, url in settings.service_urls.items()
    }
    transports |= {name: InProcess(app) for name, app in apps.items()}
    transports |= {name: Unset(name) for name in services if name not in transports and name != service.name}
    operated = service_app(OPERATED, database, settings, worker)
    transports[service.name] = InProcess(operated)
    checks = {"database": database_check(database)}
    if worker is not None:
        checks["worker"] = worker_check(worker)
    app = new_app(
        service.name,
        "Careline gateway",
        [
            access_api.routes,
            api.routes,
            approvals.routes,
            client_keys.routes,
            client_search.routes,
            erasure.routes,
            calendar.routes,
            desk.routes,
            staff.routes,
            sign_in.routes,
            *console.routes(),
        ],
        checks,
        settings,
        body_bytes=own.body_bytes,
        seconds=own.service_seconds + 5,
        advised=advised,
        large=[(re.compile(rf"/v1/(?:{'|'.join(map(re.escape, sorted(transports)))})/.*"), own.upload_bytes)],
        middleware=[
            Middleware(
                AuthMiddleware,
                tokens=tokens,
                identities=identities,
                keys=keys,
                access=access,
                services=transports,
                settings=own,
                scrapes=partial(is_scraper, settings),
            )
        ],
    )
    app.add_exception_handler(SignInFirst, to_sign_in)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    state = app.state
    state.service, state.database, state.worker = service, database, worker
    state.tokens, state.gateway_tokens, state.own_settings = tokens.internal, tokens, own
    state.keys, state.access = keys, access
    state.attempts, state.live = Attempts(), Live(database.url, LIVE)
    state.demo = (settings.home / DEMO_MARK).is_file()
    operated.state.traffic = state.traffic
    state.services = ServiceClient(transports, identities, client_parts)
    state.open_id = OpenId(own) if own.oidc_issuer else None
    state.documents = Documents(app, transports)
    state.cursor_key = cursor_key(settings)
    app.router.lifespan_context = _until_closed
    return app


@asynccontextmanager
async def _until_closed(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.live.end_streams()
    await app.state.services.close()
