"""A service's HTTP app: its routes, its operators' routes, probes, and one shape for every error."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from chassis.database import Database
from chassis.errors import Refusal
from chassis.http import documents, problems
from chassis.http.approvals import approvals_routes
from chassis.http.direct import Direct
from chassis.http.document import Document
from chassis.http.edge import Edge
from chassis.http.idempotency import AnsweredBefore, Route, answer_again, joined
from chassis.http.identity import INTERNAL, Tokens
from chassis.http.operators import operators_routes
from chassis.http.paging import cursor_key
from chassis.http.policies import policy_routes
from chassis.http.probes import Check, calendar_check, database_check, probes, service_checks, worker_check
from chassis.http.traffic import Traffic
from chassis.http.uploads import Large, large_of
from chassis.live import Live
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry import SERVING
from chassis.version import version

if TYPE_CHECKING:
    from chassis.worker import Worker

BODY_BYTES = 1_000_000
SECONDS = 30.0


def new_app(
    name: str,
    title: str,
    routers: Iterable[APIRouter],
    checks: dict[str, Check],
    settings: Settings,
    *,
    body_bytes: int = BODY_BYTES,
    seconds: float = SECONDS,
    large: Large | None = None,
    advised: dict[str, Check] | None = None,
    middleware: Sequence[Middleware] = (),
) -> FastAPI:
    """An app with our errors, limits, metrics and probes. Its own docs pages are off: the gateway has them offline.

    `large` are paths not of this app's own that take larger bodies, `advised` are checks that stop no request.
    `middleware` lies inside the edge, the first outermost; pure ASGI only. Reads are answered before the router (`Direct`).
    """
    traffic, larger = Traffic(), list(large or ())
    app = FastAPI(
        title=title,
        version=version(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        exception_handlers={
            Refusal: problems.answer_refusal,
            HTTPException: problems.answer_http,
            RequestValidationError: problems.answer_fields,
            AnsweredBefore: answer_again,
        },
        middleware=[
            Middleware(Edge, service=name, traffic=traffic, body_bytes=body_bytes, seconds=seconds, large=larger),
            *middleware,
            Middleware(Direct),
        ],
    )
    app.state.name, app.state.traffic, app.state.settings = name, traffic, settings
    SERVING.labels(name).set(1)
    app.add_api_route("/openapi.json", Document(lambda: openapi_of(app)).answer, include_in_schema=False)
    app.router.routes.extend(joined(probes(checks, advised), *routers).routes)
    larger += large_of(routes_of(app))
    for route in routes_of(app):
        own = isinstance(route.original_route, Route) or not isinstance(route.original_route, APIRoute)
        if not own and str(route.path).startswith("/v1/"):
            raise TypeError(f"{route.path}: make its router with chassis.http.router()")
    return app


def service_app(service: Service, database: Database, settings: Settings, worker: "Worker | None" = None) -> FastAPI:
    """One service over HTTP. `worker`: its loops, when they run in this process, for health."""
    checks = {"database": database_check(database), "calendar": calendar_check(service.name, database)}
    if worker is not None:
        checks["worker"] = worker_check(worker)
    own = (policy_routes(service), service.routes, approvals_routes(service), operators_routes(service.name))
    routers = [router for router in own if router is not None]
    advised = service_checks(service, database)
    app = new_app(service.name, f"Careline {service.name}", routers, checks, settings, advised=advised)
    app.state.service = service
    app.state.database = database
    app.state.cursor_key = cursor_key(settings)
    app.state.worker, app.state.live = worker, Live(database.url)
    app.state.tokens = Tokens(settings, INTERNAL)
    return app


def routes_of(app: FastAPI) -> Iterable[RouteContext]:
    """Every route as it is reached, with path, methods and dependencies (for `permission_of`)."""
    return iter_route_contexts(app.routes)


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The app's OpenAPI 3.1 document."""
    return documents.openapi_of(app, app.state.name, routes_of(app))
