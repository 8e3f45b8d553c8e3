"""Reads answered without the framework's analysis of each request: what a route needs is laid out once.

FastAPI walks all routes, then a route's dependencies with what each of them might take, on every request; for a read that
is more work than the read. Here a GET of ours is found by its address, its parameters are judged by the same fields, and
its dependencies are called in the same order. Whatever is not plain (a wrong parameter, a dependency of another sort) goes
the framework's way, which alone says what is wrong with it.
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, params
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from pydantic import BaseModel, ValidationError
from starlette._utils import get_route_path
from starlette.convertors import PathConvertor
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import Refusal
from chassis.http import problems
from chassis.http.idempotency import Route, once
from chassis.http.readable import require_readable
from chassis.http.reads import record_shown

JSON = "application/json"


class NotPlain(Exception):
    """A route that has to go the framework's way."""


class _Step(NamedTuple):
    """One call: what it takes of the steps before it, of the request, and of the parameters."""

    call: Callable[..., Any]
    opens: bool
    takes: tuple[tuple[str, int], ...]
    path: Sequence[tuple[str, str, Callable[..., Any]]]
    query: Sequence[Any]
    unasked: Mapping[str, Any] | None
    headers: Sequence[Any]
    request: str | None
    response: str | None


class Plan:
    """A route's calls in order, the last of them its endpoint. Raises: NotPlain."""

    def __init__(self, route: Route) -> None:
        default = isinstance(route.response_class, DefaultPlaceholder)
        shapes = (route.response_model_include, route.response_model_exclude)
        unset = (
            route.response_model_exclude_unset,
            route.response_model_exclude_defaults,
            route.response_model_exclude_none,
        )
        if (default and route.response_field is None) or any(shapes) or any(unset) or route.stream_item_field:
            raise NotPlain
        self.route = route
        self.field = route.response_field if default else None
        self.model = route.response_model
        self.steps: list[_Step] = []
        self._lay_out(route.dependant, {})
        self.opens = any(step.opens for step in self.steps)
        self.answers_by = any(step.response for step in self.steps)

    def _lay_out(self, needs: Dependant, places: dict[Any, int]) -> int:
        others = (needs.cookie_params, needs.body_params, needs.own_oauth_scopes, needs.parent_oauth_scopes)
        names = (
            needs.websocket_param_name, needs.http_connection_param_name, needs.background_tasks_param_name,
            needs.security_scopes_param_name, needs.concurrency,
        )  # fmt: skip
        call = needs.call
        opens = inspect.isasyncgenfunction(call)
        if any(others) or any(names) or call is None or call is once or (opens and needs.scope != "function"):
            raise NotPlain
        if not opens and not inspect.iscoroutinefunction(call):
            raise NotPlain
        below = [(one.name, self._lay_out(one, places)) for one in needs.dependencies]
        key = (call, needs.scope)
        if needs.use_cache and key in places:
            return places[key]
        self.steps.append(
            _Step(
                asynccontextmanager(call) if opens else call, opens,
                tuple((name, place) for name, place in below if name is not None),
                [_judged(field) for field in needs.path_params], needs.query_params, _unasked(needs.query_params),
                needs.header_params, needs.request_param_name, needs.response_param_name,
            )
        )  # fmt: skip
        places[key] = len(self.steps) - 1
        return places[key]

    async def answer(self, request: Request) -> Response | None:
        """The answer; None, with nothing done, where a parameter is wrong."""
        await require_readable(request, self.route.known, has_body=False)
        given: list[dict[str, Any]] = []
        queried = request.scope["query_string"]
        for step in self.steps:
            values: dict[str, Any] = {}
            try:
                for name, alias, judge in step.path:
                    values[name] = judge(request.path_params[alias], from_attributes=True)
            except ValidationError:
                return None
            if step.query and not queried and step.unasked is not None:
                values |= step.unasked
            elif step.query:
                found, errors = request_params_to_args(step.query, request.query_params)
                if errors:
                    return None
                values |= found
            if step.headers:
                found, errors = request_params_to_args(step.headers, request.headers)
                if errors:
                    return None
                values |= found
            given.append(values)
        if not self.opens:
            return await self._called(request, given, None)
        async with AsyncExitStack() as stack:
            return await self._called(request, given, stack)

    async def _called(self, request: Request, given: list[dict[str, Any]], stack: AsyncExitStack | None) -> Response:
        said = _no_answer() if self.answers_by else None
        results: list[Any] = []
        for step, values in zip(self.steps, given, strict=True):
            for name, place in step.takes:
                values[name] = results[place]
            if step.request:
                values[step.request] = request
            if step.response:
                values[step.response] = said
            if step.opens:
                assert stack is not None
                results.append(await stack.enter_async_context(step.call(**values)))
            else:
                results.append(await step.call(**values))
        response = self._response(results[-1], said)
        if self.route.recorded:
            await record_shown(request, response)
        return response

    def _response(self, found: Any, said: Response | None) -> Response:
        if isinstance(found, Response):
            return found
        if self.field is None:
            raise TypeError(f"{self.route.path}: its endpoint makes no response")
        if type(found) is not self.model:
            found, errors = self.field.validate(found, {}, loc=("response",))
            if errors:
                raise TypeError(f"{self.route.path}: its endpoint answers with something else: {errors}")
        status = (said.status_code if said is not None else None) or self.route.status_code or 200
        response = Response(self.field.serialize_json(found, by_alias=True), status, media_type=JSON)
        if said is not None:
            response.headers.raw.extend(said.headers.raw)
        return response


def _judged(field: Any) -> tuple[str, str, Callable[..., Any]]:
    """Name, place in the path, and judge of one of its parameters. Raises: NotPlain."""
    if not issubclass(type(field.field_info), params.Path) or isinstance(field.field_info.annotation, type(BaseModel)):
        raise NotPlain
    return field.name, field.validation_alias or field.alias, field._type_adapter.validate_python


def _unasked(fields: Sequence[Any]) -> Mapping[str, Any] | None:
    """What parameters are where a request has no query; None where that has to be found out each time."""
    values, errors = request_params_to_args(fields, QueryParams())
    plain = all(isinstance(value, str | int | float | None) for value in values.values())
    return values if plain and not errors else None


def _no_answer() -> Response:
    """What a route may set a status and headers on."""
    said = Response()
    del said.headers["content-length"]
    said.status_code = None  # type: ignore[assignment]
    return said


class Direct:
    """The innermost layer of an app, before its router."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._plans: dict[int, list[tuple[Any, Plan | None]]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            if self._plans is None:
                self._plans = plans_of(scope["app"])
            path = get_route_path(scope)
            for regex, plan in self._plans.get(path.count("/"), ()):
                if match := regex.match(path):
                    if plan is None or not await self._answered(plan, match.groupdict(), scope, receive, send):
                        break
                    return
        await self.app(scope, receive, send)

    async def _answered(
        self, plan: Plan, params: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> bool:
        route, before = plan.route, scope.get("path_params", {})
        converters = route.param_convertors
        scope["path_params"] = before | {name: converters[name].convert(value) for name, value in params.items()}
        scope["endpoint"], scope["route"] = route.endpoint, route
        scope.setdefault("router", scope["app"].router)
        response: Response | None
        try:
            response = await plan.answer(Request(scope, receive, send))
        except Refusal as refusal:
            response = problems.answer(scope, refusal)
        except HTTPException as error:
            response = problems.answer(scope, problems.of_http(error), error.headers)
        if response is None:
            scope["path_params"] = before
            return False
        await response(scope, receive, send)
        return True


def plans_of(app: FastAPI) -> dict[int, list[tuple[Any, Plan | None]]]:
    """The addresses that can be read, by how many slashes they have, in the order in which the app looks for them; None: the
    framework's way."""
    everywhere: list[tuple[Any, Plan | None]] = []
    found: defaultdict[int, list[tuple[Any, Plan | None]]] = defaultdict(lambda: [*everywhere])
    routes: Sequence[Any] = app.router.routes
    for route in routes:
        methods = getattr(route, "methods", None)
        if not hasattr(route, "path_regex"):
            break
        if methods is None or "GET" in methods:
            one = (route.path_regex, _plan(route))
            if any(isinstance(convertor, PathConvertor) for convertor in route.param_convertors.values()):
                everywhere.append(one)
                for others in found.values():
                    others.append(one)
            else:
                found[str(route.path).count("/")].append(one)
    return found


def _plan(route: Any) -> Plan | None:
    if not isinstance(route, Route):
        return None
    try:
        return Plan(route)
    except NotPlain:
        return None
