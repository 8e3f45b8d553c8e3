"""Who is calling, what they may do and see, and who read what."""

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from chassis.actor import Actor, Role
from chassis.http import Tokens, permission_of, routes_of
from chassis.http.identity import INTERNAL

OPEN = {"/livez", "/readyz", "/metrics", "/openapi.json"}


async def test_nobody_comes_in_without_a_token_of_ours(http: httpx.AsyncClient, here) -> None:
    now = int(datetime.now(UTC).timestamp())
    claims = {"aud": INTERNAL, "sub": "x", "role": "hq", "exp": now + 60}
    stranger = OKPKey.generate_key("Ed25519")
    forged = [
        jwt.encode({"alg": "Ed25519"}, claims, stranger, algorithms=["Ed25519"]),
        jwt.encode({"alg": "HS256"}, claims, OctKey.generate_key(256)),
        Tokens(here, "elsewhere").make(Actor("x", Role.HQ)),
        "not.a.token",
        "",
    ]
    answers = [
        (await http.get("/v1/sample/notes", headers={"careline-identity": token})).status_code for token in forged
    ]
    assert answers == [401] * len(forged)
    over = Tokens(here, INTERNAL).make(Actor("x", Role.HQ), seconds=-1)
    late = await http.get("/v1/sample/notes", headers={"careline-identity": over})
    assert (late.status_code, late.json()["type"]) == (503, "/problems/clocks-differ"), "our fault, not the caller's"
    assert (await http.get("/v1/sample/notes")).status_code == 401


def test_every_route_names_its_permission(app: FastAPI) -> None:
    unnamed = [r.path for r in routes_of(app) if r.path not in OPEN and permission_of(r.dependant) is None]
    assert unnamed == []


async def test_every_route_refuses_every_role_it_does_not_name(app: FastAPI, http: httpx.AsyncClient, as_) -> None:
    for route in routes_of(app):
        permission = permission_of(route.dependant)
        if permission is None:
            continue
        path = route.path.format(**dict.fromkeys(route.param_convertors, "1"))
        for role in set(Role) - permission.roles:
            answer = await http.request(next(iter(route.methods)), path, headers=as_(role))
            assert answer.status_code == 403, (path, role)


async def _write(http: httpx.AsyncClient, headers: dict[str, str], number: int, client_id: str) -> None:
    answer = await http.post(
        "/v1/sample/notes",
        json={"id": number, "client_id": client_id, "text": "a"},
        headers=headers | {"idempotency-key": f"k{number}"},
    )
    assert answer.status_code == 201, answer.text


async def test_clients_see_their_own_and_branches_theirs(http: httpx.AsyncClient, as_) -> None:
    await _write(http, as_(Role.HQ), 1, "c-1")
    await _write(http, as_(Role.HQ), 2, "c-2")

    async def seen(headers: dict[str, str]) -> list[int]:
        return [note["id"] for note in (await http.get("/v1/sample/notes", headers=headers)).json()["items"]]

    assert await seen(as_(Role.CLIENT, client_id="c-2")) == [2]
    assert await seen(as_(Role.CLIENT)) == []
    assert await seen(as_(Role.AGENT, branch_id="B1")) == [1, 2]
    assert await seen(as_(Role.AGENT, branch_id="B2")) == []
    assert await seen(as_(Role.HQ)) == [1, 2]
    other = await http.get("/v1/sample/clients/c-1", headers=as_(Role.CLIENT, client_id="c-2"))
    own = await http.get("/v1/sample/clients/c-1", headers=as_(Role.CLIENT, client_id="c-1"))
    assert (other.status_code, own.status_code) == (404, 200)


async def test_staff_say_why_they_read_a_client_and_it_is_recorded(http: httpx.AsyncClient, as_, database) -> None:
    await _write(http, as_(Role.HQ), 1, "c-1")
    agent = as_(Role.AGENT, "li", branch_id="B1")
    silent = await http.get("/v1/sample/clients/c-1", headers=agent)
    assert (silent.status_code, silent.json()["type"]) == (400, "/problems/purpose-required")
    spoken = await http.get("/v1/sample/clients/c-1", headers=agent | {"purpose": "%E5%9B%9E%E8%AE%BF"})
    assert spoken.status_code == 200
    carried = await http.get("/v1/sample/clients/c-1", headers=as_(Role.HQ, "wang", purpose="audit"))
    assert carried.status_code == 200
    async with database.reading() as sql:
        rows = await sql.fetch("SELECT actor, object, inputs FROM audit WHERE action = 'read' ORDER BY at")
    assert [(r["actor"], r["object"], r["inputs"]["purpose"]) for r in rows] == [
        ("li", "client/c-1", "回访"),
        ("wang", "client/c-1", "audit"),
    ]


@pytest.mark.parametrize("role", [Role.CLIENT, Role.SYSTEM])
async def test_clients_and_systems_read_without_a_purpose(http: httpx.AsyncClient, as_, role: Role) -> None:
    await _write(http, as_(Role.HQ), 1, "c-1")
    assert (await http.get("/v1/sample/clients/c-1", headers=as_(role, client_id="c-1"))).status_code == 200
