"""Who comes in, at which speed, and which way a request goes."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Tokens, permission_of, routes_of
from gateway.app import gateway_app
from gateway.auth_middleware import COOKIE
from gateway.keys import NameTaken, make_key, revoke_key
from gateway.limits import Buckets
from gateway.people import LinkUsed, WrongPassword, add_user, check_password, make_sign_in_link, use_link
from gateway.settings import GatewaySettings
from gateway.tokens import GatewayTokens, issue_token
from tests.gateway.conftest import BASE
from tests.world import World

ADMIN = Actor("os:root", Role.OPERATIONS)
PUBLIC = {
    "/livez", "/readyz", "/metrics", "/openapi.json", "/v1/openapi.json", "/v1/asyncapi.json", "/sign-in",
    "/sign-in/link", "/sign-in/openid", "/sign-in/openid/back", "/sign-out", "/language/{language}",
    "/problems/{name}", "/static",
}  # fmt: skip


def test_every_route_names_its_permission_or_is_meant_to_be_public(app: FastAPI) -> None:
    unnamed = {
        route.path
        for route in routes_of(app)
        if permission_of(getattr(route, "dependant", None) or type("None", (), {"dependencies": ()})) is None
    }
    assert unnamed == PUBLIC


async def test_nobody_comes_in_without_identity(http: httpx.AsyncClient, world: World) -> None:
    internal = {"careline-identity": Tokens(world.settings, "careline-internal").make(Actor("x", Role.OPERATIONS))}
    for headers in (
        {},
        internal,
        {"authorization": "Bearer nonsense"},
        {"authorization": "Bearer ck_nonsense"},
        {"authorization": "Basic eDp4"},
        {"x-api-key": "ck_x"},
        {"cookie": f"{COOKIE}=nonsense"},
        {"authorization": f"Bearer {internal['careline-identity']}"},
    ):
        for path in ("/v1/points/clients/x", "/v1/clients/x", "/v1/status", "/v1/gateway/operations/status"):
            answer = await http.get(path, headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), headers


async def test_an_outside_identity_header_is_replaced(http: httpx.AsyncClient, world: World, bearer) -> None:
    forged = {"careline-identity": Tokens(world.settings, "careline-internal").make(Actor("x", Role.OPERATIONS))}
    client = bearer(Role.CLIENT, client_id="c-1")
    assert (await http.get("/v1/points/operations/lag", headers=client | forged)).status_code == 403
    assert (await http.get("/v1/status", headers=client | forged)).status_code == 403


async def test_keys_of_systems(http: httpx.AsyncClient, world: World) -> None:
    database = world.database("gateway")
    key = await make_key(database, ADMIN, "trading", Role.SYSTEM)
    with pytest.raises(NameTaken):
        await make_key(database, ADMIN, "trading", Role.SYSTEM)
    assert key.encode() not in (await world.value("gateway", "SELECT digest FROM api_keys"))
    for headers in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}):
        assert (await http.get("/v1/status", headers=headers)).status_code == 200
    await revoke_key(database, ADMIN, "trading")
    with pytest.raises(NotFound):
        await revoke_key(database, ADMIN, "trading")
    app = gateway_app(world.settings, database, {})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as fresh:
        assert (await fresh.get("/v1/status", headers={"x-api-key": key})).status_code == 401


async def test_passwords(world: World) -> None:
    database = world.database("gateway")
    await add_user(database, ADMIN, "li", "correct horse", Role.AGENT, branch_id="B1")
    actor = await check_password(database, "li", "correct horse")
    assert (actor.subject, actor.role, actor.branch_id) == ("user:li", Role.AGENT, "B1")
    for name, password in (("li", "wrong"), ("nobody", "correct horse"), ("", "")):
        with pytest.raises(WrongPassword):
            await check_password(database, name, password)
    assert "horse" not in await world.value("gateway", "SELECT password FROM users")


async def test_a_sign_in_link_works_once(world: World) -> None:
    database = world.database("gateway")
    token = (await make_sign_in_link(database, BASE)).partition("token=")[2]
    tries = await asyncio.gather(*(use_link(database, token) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, Actor) for one in tries) == 1
    assert sum(isinstance(one, LinkUsed) for one in tries) == 4
    old = (await make_sign_in_link(database, BASE)).partition("token=")[2]
    async with database.unit_of_work() as uow:
        await uow.sql.execute("UPDATE sign_in_links SET expires_at = now() - interval '1 second'")
    with pytest.raises(LinkUsed):
        await use_link(database, old)


async def test_a_session_changes_nothing_without_the_pages_token(http: httpx.AsyncClient, world: World) -> None:
    session = GatewayTokens(world.settings).session.make(Actor("op", Role.OPERATIONS), 60)
    cookie = {"cookie": f"{COOKIE}={session}"}
    order = {"all": True, "dry_run": True}
    path = "/v1/points/operations/dead-letters/redrive"
    assert (await http.get("/v1/status", headers=cookie)).status_code == 200
    forged = await http.post(path, json=order, headers=cookie)
    assert (forged.status_code, forged.json()["type"]) == (403, "/problems/cross-site")
    ours = await http.post(
        path, json=order, headers=cookie | {"x-csrf-token": GatewayTokens(world.settings).csrf(session)}
    )
    assert ours.status_code == 200


async def test_a_caller_too_fast_is_told_when_to_go_on(world: World, bearer) -> None:
    app = gateway_app(world.settings, world.database("gateway"), {}, own=GatewaySettings(rate_people=0.01))
    app_client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)
    async with app_client as http:
        first = [await http.get("/v1/asyncapi.json", headers=bearer(Role.HQ)) for _ in range(2)]
        other = await http.get("/v1/asyncapi.json", headers=bearer(Role.SYSTEM))
    assert [first[0].status_code, other.status_code] == [429, 200]
    assert int(first[0].headers["retry-after"]) >= 1


def test_buckets_fill_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway import limits

    now = [0.0]
    monkeypatch.setattr(limits, "monotonic", lambda: now[0])
    buckets = Buckets(rate=2, burst=3)
    for _ in range(3):
        buckets.take("a")
    with pytest.raises(limits.TooManyRequests):
        buckets.take("a")
    buckets.take("b")
    now[0] = 0.5
    buckets.take("a")
    now[0] = 100
    for _ in range(3):
        buckets.take("a")


async def test_every_answer_carries_security_headers(http: httpx.AsyncClient) -> None:
    for path in ("/sign-in", "/v1/status", "/static/console.css", "/livez"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("role", "rest"), [(Role.CLIENT, {}), (Role.AGENT, {}), (Role.BRANCH_MANAGER, {"client_id": "c"})]
)
def test_a_token_says_whom_it_is_for(world: World, role: Role, rest: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="token"):
        issue_token(world.settings, role, **rest)
