"""The edge of every route: what it does not name, cannot read or did not sign is refused, never a fault of ours."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from careline.asgi import apps_of
from chassis.actor import Role
from chassis.http import permission_of, routes_of
from chassis.http.paging import Cursors
from chassis.http.readable import body_of, query_names
from gateway import ingest
from tests.gateway.conftest import event, opened
from tests.world import World

pytestmark = pytest.mark.services()

DEEP = "[" * 100_000 + "]" * 100_000


def _routes(world: World) -> Iterator[tuple[str, str, Role, Any]]:
    for app in apps_of(world.platform).values():
        if isinstance(app, FastAPI):
            for route in routes_of(app):
                permission = permission_of(route.dependant) if str(route.path).startswith("/v1/") else None
                if permission is not None:
                    path = str(route.path).format(**dict.fromkeys(route.param_convertors, "1"))
                    role = Role.HQ if Role.HQ in permission.roles else sorted(permission.roles)[0]
                    for method in sorted((route.methods or set()) - {"HEAD"}):
                        yield method, path, role, route.dependant


def _headers(bearer: Any, role: Role, **more: str) -> dict[str, str]:
    return {**bearer(role, client_id="7c", branch_id="B7"), "purpose": "a test", "idempotency-key": "k", **more}


async def test_a_query_parameter_that_a_route_does_not_name_is_refused(
    world: World, http: httpx.AsyncClient, bearer
) -> None:
    wrong, walked = [], 0
    for method, path, role, _ in _routes(world):
        answer = await http.request(method, path, params={"severities": "major"}, headers=_headers(bearer, role))
        walked += 1
        named = [error["pointer"] for error in answer.json().get("errors", [])]
        if answer.status_code != 422 or "/severities" not in named:
            wrong.append((method, path, answer.status_code, named))
    assert wrong == []
    assert walked > 150


async def test_dates_out_of_reach_and_nul_are_refused_by_every_query_parameter(
    world: World, http: httpx.AsyncClient, bearer
) -> None:
    wrong, dates = [], 0
    for method, path, role, dependant in _routes(world):
        for name in sorted(query_names(dependant)):
            for odd in ("%00", "a%00b"):
                answer = await http.request(method, f"{path}?{name}={odd}", headers=_headers(bearer, role))
                if answer.status_code != 422:
                    wrong.append((method, path, name, odd, answer.status_code))
            if name in {"as_of", "on", "day", "since", "until", "from", "to"}:
                dates += 1
                answer = await http.request(method, f"{path}?{name}=9999-12-31", headers=_headers(bearer, role))
                if answer.status_code not in (404, 422):  # there is no client 1
                    wrong.append((method, path, name, answer.status_code))
    assert wrong == []
    assert dates > 3


async def test_bodies_nested_without_end_and_with_nul_are_refused(
    world: World, http: httpx.AsyncClient, bearer
) -> None:
    wrong, walked = [], 0
    for method, path, role, dependant in _routes(world):
        if not body_of(dependant):
            continue
        walked += 1
        for body in (DEEP, '{"reason":"a\\u0000b"}', '{"reason":"\\ud800"}', "{", "\xff", '{"a":1e400}', "NaN"):
            media = {"content-type": "application/json"}
            raw = body.encode("latin-1")
            answer = await http.request(method, path, content=raw, headers=_headers(bearer, role, **media))
            if not 400 <= answer.status_code < 500:
                wrong.append((method, path, body[:30], answer.status_code))
    assert wrong == []
    assert walked > 50


async def test_a_cursor_that_was_not_made_here_is_refused_by_every_list(
    world: World, http: httpx.AsyncClient, bearer
) -> None:
    genuine = Cursors(b"another key", "x").encode(["2024-01-01", "a"])
    forged = base64.urlsafe_b64encode(b"\0" * 16 + json.dumps([{"a": 1}, None]).encode()).decode()
    wrong, lists = [], 0
    for method, path, role, dependant in _routes(world):
        if "cursor" in query_names(dependant):
            lists += 1
            for cursor in (genuine, forged, "x", "====", "é", "a" * 1999):
                answer = await http.request(method, path, params={"cursor": cursor}, headers=_headers(bearer, role))
                if answer.status_code not in (400, 422):
                    wrong.append((method, path, cursor[:20], answer.status_code))
    assert wrong == []
    assert lists > 20


def test_a_cursor_is_good_for_its_list_as_it_was_made() -> None:
    cursors = Cursors(b"k" * 32, "list")
    cursor = cursors.encode(["2024-01-01", 7, "王"])
    assert cursors.decode(cursor) == ("2024-01-01", 7, "王")
    for other in (Cursors(b"k" * 32, "another"), Cursors(b"o" * 32, "list")):
        with pytest.raises(Exception, match="wrong"):
            other.decode(cursor)
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        if base64.urlsafe_b64decode(changed + "=" * (-len(changed) % 4)) != base64.urlsafe_b64decode(
            cursor + "=" * (-len(cursor) % 4)
        ):
            with pytest.raises(Exception, match="wrong"):
                cursors.decode(changed)


async def test_no_answer_is_kept_by_a_cache(world: World, http: httpx.AsyncClient, bearer) -> None:
    wrong = []
    for method, path, role, _ in _routes(world):
        answer = await http.request(method, path, headers=_headers(bearer, role))
        if answer.headers.get("cache-control") != "no-store":
            wrong.append((method, path, answer.status_code, answer.headers.get("cache-control")))
    assert wrong == []
    assert "no-store" not in (await http.get("/static/console.css")).headers.get("cache-control", "")


@pytest.mark.parametrize(
    ("value", "status"), [(b"\xff\xfe", 400), (b"%ff", 400), ("王".encode(), 202), (b"%E7%8E%8B", 202)]
)
async def test_binary_headers_are_utf8(http: httpx.AsyncClient, bearer, value: bytes, status: int) -> None:
    envelope = event("broker.client.opened", opened())
    headers = [(name.encode(), text.encode()) for name, text in bearer(Role.SYSTEM).items()]
    headers += [(b"content-type", b"application/json"), (b"ce-specversion", b"1.0"), (b"ce-source", b"test")]
    headers += [(b"ce-type", b"broker.client.opened"), (b"ce-id", value)]
    answer = await http.post("/v1/events", content=json.dumps(envelope["data"]), headers=headers)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("media", [ingest.BATCH, ingest.STRUCTURED])
async def test_events_nested_without_end_are_refused(http: httpx.AsyncClient, bearer, media: str) -> None:
    for body in (DEEP, '{"specversion":"1.0","data":' + DEEP + "}", "[" + '{"a":' * 50_000 + "1" + "}" * 50_000 + "]"):
        answer = await http.post("/v1/events", content=body, headers=bearer(Role.SYSTEM) | {"content-type": media})
        assert answer.status_code in (400, 422), answer.text[:200]


async def test_a_trade_dated_years_ahead_is_refused(http: httpx.AsyncClient, bearer) -> None:
    from tests.gateway.conftest import trade

    body = [event("broker.trade.settled", trade(trade_date="2031-03-04"))]
    answer = await http.post("/v1/events", json=body, headers=bearer(Role.SYSTEM) | {"content-type": ingest.BATCH})
    assert answer.status_code == 422
    assert "ahead" in answer.text
