"""`/livez`, `/readyz`, `/metrics`: of a process; the gateway does not route them. The metrics, and why a process is not ready,
are for whoever scrapes them; everybody else hears whether it is ready."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response

from chassis import calendars
from chassis.actor import Role
from chassis.clock import clock_ahead
from chassis.database import Database
from chassis.errors import Forbidden, NotFound, Refusal, Text, Unauthenticated
from chassis.http.identity import HEADER, identified
from chassis.settings import Settings

if TYPE_CHECKING:
    from chassis.audit import Sealer
    from chassis.service import Service
    from chassis.worker import Worker

CHECK_SECONDS = 2.0
CLOCK_WARNS_SECONDS = 2.0
Check = Callable[[], Awaitable[dict[str, Any]]]


def probes(checks: dict[str, Check], advised: dict[str, Check] | None = None) -> APIRouter:
    """The three routes; `checks` are what readiness depends on, by name; `advised` are shown and stop no request."""
    shown = checks | (advised or {})
    routes = APIRouter(include_in_schema=False)

    @routes.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "pass"}

    @routes.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        names = list(shown)
        found = dict(zip(names, await asyncio.gather(*(_checked(shown[name]) for name in names)), strict=True))
        failing = [name for name in names if found[name]["status"] == "fail"]
        poor = [name for name in names if found[name]["status"] != "pass"]
        ready = not checks.keys() & failing and not getattr(
            request.app.state, "draining", False
        )  # a warning is shown, and served
        body: dict[str, Any] = {"status": "pass" if ready else "fail"}
        if await _is_told_why(request):
            body = {"status": ("warn" if poor else "pass") if ready else "fail", "checks": found}
        return JSONResponse(body, 200 if ready else 503, media_type="application/health+json")

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        await _require_scraper(request)
        # Megabytes of text: made aside, so that requests go on.
        return Response(await asyncio.to_thread(generate_latest), media_type=CONTENT_TYPE_LATEST)

    return routes


def is_scraper(settings: Settings, authorization: str) -> bool:
    """Whether an Authorization header carries the token that reads the metrics."""
    token = settings.metrics_token
    given = authorization.partition(" ")[2].strip()
    return token is not None and hmac.compare_digest(given.encode(), token.get_secret_value().encode())


async def _require_scraper(request: Request) -> None:
    """Let through who has the token of the metrics, or the role operations.

    Raises: NotFound where they have a port of their own; Unauthenticated, Forbidden.
    """
    if request.app.state.settings.metrics_port is not None:
        raise NotFound(Text("metrics are at CARELINE_METRICS_PORT", "指标见 CARELINE_METRICS_PORT 端口"))
    await _require_operator(request)


async def _is_told_why(request: Request) -> bool:
    """Whether the checks' own words are for this caller. A load balancer shows nothing, and nothing is looked up for it."""
    if not {"authorization", HEADER} & set(request.headers.keys()):
        return False
    try:
        await _require_operator(request)
    except Refusal:
        return False
    return True


async def _require_operator(request: Request) -> None:
    state = request.app.state
    settings: Settings = state.settings
    if is_scraper(settings, request.headers.get("authorization", "")):
        return
    if getattr(state, "tokens", None) is None:  # a process of work alone takes nobody's word of who is calling
        raise Unauthenticated(Text("set CARELINE_METRICS_TOKEN, and send it", "请设置并携带 CARELINE_METRICS_TOKEN"))
    if (await identified(request)).role is not Role.OPERATIONS:
        raise Forbidden(Text("metrics are for role operations", "指标仅供 operations 角色查看"))


async def _checked(check: Check) -> dict[str, Any]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except Exception as error:  # whatever it is, this is the place that reports it
        return {"status": "fail", "output": type(error).__name__}


def database_check(database: Database) -> Check:
    """Whether the database answers."""

    async def check() -> dict[str, Any]:
        async with database.probing() as sql:
            ahead = await clock_ahead(sql)
        if abs(ahead) >= CLOCK_WARNS_SECONDS:
            return {"status": "warn", "output": f"this machine's clock is {ahead:+.1f} s against the database's"}
        return {"status": "pass"}

    return check


def calendar_check(service: str, database: Database) -> Check:
    """Whether the calendar lasts: a warning from 60 days before its end on, never a failure."""

    async def check() -> dict[str, Any]:
        async with database.probing() as sql:
            return await calendars.check(service, sql)

    return check


def service_checks(service: "Service", database: Database) -> dict[str, Check]:
    """What the service itself looks at, by name."""

    def of(look: Callable[[Any], Awaitable[dict[str, Any]]]) -> Check:
        async def check() -> dict[str, Any]:
            async with database.reading() as sql:
                return await look(sql)

        return check

    return {f"{service.name}-{name}": of(look) for name, look in service.checks.items()}


def sealing_check(sealer: "Sealer") -> Check:
    """Whether the sealer finds the history as it was sealed."""

    async def check() -> dict[str, Any]:
        return {"status": "fail", "output": sealer.alarm} if sealer.alarm else {"status": "pass"}

    return check


def worker_check(worker: "Worker") -> Check:
    """Whether every loop of the worker makes progress or has nothing to do."""

    async def check() -> dict[str, Any]:
        failing = {name: state.error for name, state in worker.states.items() if state.error or state.stopped}
        return {"status": "fail", "output": failing} if failing else {"status": "pass"}

    return check
