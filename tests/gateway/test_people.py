"""One person under many names, at every door: who leaves, signs out or is revoked is out, and two names are not two."""

import ast
import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse

from careline.asgi import apps_of
from careline.server import Server, configured
from chassis.actor import Actor, Role
from chassis.http import Tokens, mint
from chassis.http.identity import EXPIRED, GATEWAY, HEADER, INTERNAL
from chassis.staff import Roster, roster_of
from contracts.broker import Absence, BranchChanged, Seat, StaffChanged
from gateway import access
from gateway.app import gateway_app
from gateway.auth_middleware import COOKIE, INTERNAL_SECONDS, RENEW_SECONDS
from gateway.keys import make_key
from gateway.limits import Attempts, Buckets, TooManyRequests
from gateway.people import add_user
from gateway.tokens import GatewayTokens, issue_token
from tests.gateway.conftest import BASE
from tests.world import World

ADMIN = Actor("os:root", Role.OPERATIONS)
NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
EARLIER = NOW - timedelta(days=30)
PASSWORD = "a long password"
ROOT = Path(__file__).parents[2]


def at_hq(staff_id: str, seat: str = "operations_centre", **more: Any) -> StaffChanged:
    """A person of headquarters."""
    return StaffChanged(staff_id=staff_id, branch_id="HQ", seats=(Seat(unit="HQ", seat=seat),), **more)


def known(*people: StaffChanged, branches: tuple[BranchChanged, ...] = ()) -> Roster:
    """A roster of them, for a while."""
    return roster_of([(EARLIER, one) for one in people], [(EARLIER, one) for one in branches])


def sources(*folders: str) -> list[tuple[Path, ast.Module]]:
    """The modules below some folders, read."""
    return [(path, ast.parse(path.read_text())) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_service_looks_at_sign_in_names() -> None:
    """Guards and records name persons: the name somebody signed in with is the gateway's and the audit's alone."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, module in sources("services")
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
        and node.attr == "subject"
        and ((isinstance(node.value, ast.Name) and node.value.id == "actor")
             or (isinstance(node.value, ast.Attribute) and node.value.attr == "actor"))
    ]  # fmt: skip
    assert found == []


def test_no_service_asks_the_roster_who_a_name_is() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, module in sources("services")
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
        and node.attr in ("person_of", "resolve")
        and "roster" in ast.dump(node.value)
    ]
    assert found == []


@pytest.mark.parametrize(
    "actor",
    [
        Actor("s-li", Role.HQ),
        Actor("user:li", Role.HQ),
        Actor("oidc:li", Role.HQ),
        Actor("user:s-li", Role.HQ),
        Actor("key:li-scripts", Role.HQ, person="s-li"),
        Actor("token:s-li", Role.HQ, person="s-li"),
        Actor("token:li", Role.HQ, person="li"),
    ],
)
def test_every_name_of_somebody_is_one_person(actor: Actor) -> None:
    found = known(at_hq("s-li", user="li"), at_hq("s-wang", user="wang")).resolve(actor, NOW)
    assert (found.person, found.branch_id, found.seats) == ("s-li", "HQ", {("HQ", "operations_centre")})
    assert found.subject == actor.subject


def test_a_client_or_system_is_never_taken_for_staff() -> None:
    people = known(at_hq("7c", user="trading"))
    for actor in (Actor("client:7c", Role.CLIENT, client_id="7c"), Actor("key:trading", Role.SYSTEM)):
        assert people.resolve(actor, NOW) == actor


def test_the_seats_of_somebody_are_theirs_and_those_they_stand_in_for() -> None:
    away = (Absence(since=EARLIER, until=None),)
    people = known(
        StaffChanged(
            staff_id="gm", seats=(Seat(unit="B1", seat="general_manager"),), deputies=("vice",), absences=away
        ),
        StaffChanged(staff_id="vice", branch_id="B1"),
        StaffChanged(staff_id="named", branch_id="B1"),
        branches=(BranchChanged(branch_id="B1", seat_deputies={"complaint_officer": "named"}),),
    )
    assert people.acts_in("vice", NOW) == {("B1", "general_manager")}
    assert people.acts_in("named", NOW) == {("B1", "complaint_officer")}
    assert people.acts_in("gm", NOW) == {("B1", "general_manager")}, "away, and still theirs"
    assert people.acts_in("nobody", NOW) == set()


def test_the_call_centre_is_a_seat() -> None:
    people = known(at_hq("a", "call_centre"), at_hq("b"))
    seen = {name: people.resolve(Actor(name, Role.AGENT, branch_id="HQ"), NOW).is_centre for name in ("a", "b", "new")}
    assert seen == {"a": True, "b": False, "new": True}
    assert not people.resolve(Actor("new", Role.AGENT, branch_id="B1"), NOW).is_centre


def test_who_was_let_in_is_out_within_fifteen_seconds() -> None:
    """What is known may be so old, the token made from it is used so long, and holds so long."""
    assert access.REFRESH_SECONDS + INTERNAL_SECONDS < 15
    assert INTERNAL_SECONDS - RENEW_SECONDS >= 5


Call = Callable[[], Awaitable[httpx.Response]]


@pytest.fixture
async def doors(world: World, http: httpx.AsyncClient) -> dict[str, Call]:
    """Every way in of one person, s-li, all of them open."""
    database = world.database("gateway")
    await world.publish(at_hq("s-li", user="li"), at_hq("s-wang", user="wang"), at=EARLIER)
    await world.settle()
    await add_user(database, ADMIN, "li", PASSWORD, Role.HQ)
    form = {"name": "li", "password": PASSWORD}
    signed_in = await http.post("/sign-in", data=form, headers={"origin": BASE})
    assert signed_in.status_code == 303, signed_in.text
    cookie = {"cookie": f"{COOKIE}={http.cookies[COOKIE]}"}
    http.cookies.clear()
    key = await make_key(database, ADMIN, "li-scripts", Role.HQ, person="s-li")
    oidc = GatewayTokens(world.settings).session.make(Actor("oidc:li", Role.HQ), 600, id="by-oidc")
    headers = {
        "session": cookie,
        "session of a provider": {"cookie": f"{COOKIE}={oidc}"},
        "token": {"authorization": f"Bearer {issue_token(world.settings, Role.HQ, person='s-li')}"},
        "token by name": {"authorization": f"Bearer {issue_token(world.settings, Role.HQ, subject='user:li')}"},
        "key": {"x-api-key": key},
    }
    paths = ("/v1/status", "/v1/points/policies", "/v1/clients/7c", "/v1/complaints/cases")
    found: dict[str, Call] = {}
    for name, given in headers.items():
        for path in paths:
            found[f"{name} {path}"] = lambda given=given, path=path: http.get(path, headers=given | {"purpose": "test"})  # type: ignore[misc]
    return found


async def statuses(doors: dict[str, Call], among: str = "") -> set[int]:
    return {(await call()).status_code for name, call in doors.items() if name.startswith(among)}


@pytest.mark.services
async def test_who_left_is_refused_at_every_door(
    world: World, app: FastAPI, http: httpx.AsyncClient, doors: dict[str, Call]
) -> None:
    assert 401 not in await statuses(doors)
    gone = StaffChanged(staff_id="s-li", user="li", left_on=EARLIER.date())
    await world.publish(gone, at=NOW - timedelta(days=1))
    await world.settle()
    app.state.access.forget()  # what a few seconds do
    assert await statuses(doors) == {401}
    refused = await http.post("/sign-in", data={"name": "li", "password": PASSWORD}, headers={"origin": BASE})
    assert (refused.status_code, COOKIE in refused.cookies) == (401, False)


async def test_a_cookie_is_worth_nothing_after_signing_out(
    world: World, http: httpx.AsyncClient, doors: dict[str, Call]
) -> None:
    assert 401 not in await statuses(doors, "session /")
    session = (await http.post("/sign-in", data={"name": "li", "password": PASSWORD}, headers={"origin": BASE})).cookies
    copied = session[COOKIE]
    csrf = GatewayTokens(world.settings).csrf(copied)
    http.cookies.clear()
    headers = {"cookie": f"{COOKIE}={copied}"}
    assert (await http.get("/v1/status", headers=headers)).status_code == 200
    left = await http.post("/sign-out", headers=headers | {"x-csrf-token": csrf})
    assert left.status_code == 200
    for path in ("/v1/status", "/v1/points/policies"):
        assert (await http.get(path, headers=headers)).status_code == 401
    assert 401 not in await statuses(doors, "session /"), "another session of theirs goes on"
    ends = await world.rows("gateway", "SELECT actor, inputs FROM audit WHERE action = 'end_session'")
    assert [(one["actor"], one["inputs"]["reason"], one["inputs"]["person"]) for one in ends] == [
        ("user:li", "signed out", "s-li")
    ]


async def test_sessions_and_tokens_are_listed_and_ended_one_by_one(
    http: httpx.AsyncClient, bearer, doors: dict[str, Call]
) -> None:
    operator = bearer(Role.OPERATIONS)
    await statuses(doors)
    rows = (await http.get("/v1/sessions?person=s-li", headers=operator)).json()
    assert sorted((row["kind"], row["subject"]) for row in rows) == [
        ("session", "user:li"), ("token", "token:s-li"), ("token", "user:li"),
    ]  # fmt: skip
    token = next(row["id"] for row in rows if row["subject"] == "token:s-li")
    assert (await http.delete(f"/v1/sessions/{token}", headers=operator)).status_code == 204
    assert (await http.delete(f"/v1/sessions/{token}", headers=operator)).status_code == 404
    assert await statuses(doors, "token /") == {401}
    assert 401 not in await statuses(doors, "token by name") | await statuses(doors, "session /")
    rows = (await http.get("/v1/sessions?person=s-li&everything=true", headers=operator)).json()
    assert {row["id"]: row["active"] for row in rows}[token] is False


async def test_all_of_a_persons_sessions_end_at_once(
    world: World, http: httpx.AsyncClient, bearer, doors: dict[str, Call]
) -> None:
    body = {"person": "s-li", "reason": "laptop lost"}
    assert (await http.post("/v1/sessions/revoke", json=body, headers=bearer(Role.HQ))).status_code == 204
    refused = {name.partition(" /")[0] for name, call in doors.items() if (await call()).status_code == 401}
    assert refused == {"session", "session of a provider", "token", "token by name"}, "keys are revoked by name"
    signed_in = await http.post("/sign-in", data={"name": "li", "password": PASSWORD}, headers={"origin": BASE})
    assert signed_in.status_code == 303, "they may come back"
    schema = world.database("gateway").log.schema
    told = await world.rows("gateway", f"SELECT key FROM {schema}.log WHERE type = 'platform.access.revoked'")
    assert [row["key"] for row in told] == ["s-li"]


async def test_what_a_service_knows_of_a_caller_is_soon_over(world: World) -> None:
    """A token of ours that is over on arrival is our fault: not "sign in first", and counted."""
    async with world.client("points") as http:
        before = EXPIRED._value.get()
        over = Tokens(world.settings, INTERNAL).make(Actor("x", Role.OPERATIONS), -1)
        answer = await http.get("/v1/points/operations/status", headers={HEADER: over})
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/clocks-differ")
        assert EXPIRED._value.get() == before + 1
        other = Tokens(world.settings, GATEWAY).make(Actor("x", Role.OPERATIONS))
        assert (await http.get("/v1/points/operations/status", headers={HEADER: other})).status_code == 401


@pytest.mark.services
async def test_the_call_centre_is_the_centre_for_every_service(world: World, bearer, http: httpx.AsyncClient) -> None:
    await world.publish(at_hq("s-centre", "call_centre"), at_hq("s-clerk", "strategy"), at=EARLIER)
    await world.settle()
    case = {"branch_id": "B7", "channel": "hotline", "words": "客户经理业务不熟练", "category": "service"}
    centre, clerk = (bearer(Role.AGENT, branch_id="HQ", person=one) for one in ("s-centre", "s-clerk"))
    made = await http.post("/v1/complaints/cases", json=case, headers=centre | {"idempotency-key": "k1"})
    assert (made.status_code, made.json()["branch_id"]) == (201, "B7"), made.text
    path = f"/v1/complaints/cases/{made.json()['case_id']}"
    assert await world.value("complaints", "SELECT flow FROM cases") == "centre"
    assert [(await http.get(path, headers=one)).status_code for one in (centre, clerk)] == [200, 404]
    assert (await http.post(f"{path}/ticket", json={}, headers=centre)).status_code == 428
    answer = dict.fromkeys(("facts", "responsible", "action", "reaction"), "已道歉") | {"upheld": True}
    tried = await http.post(f"{path}/feedback", json=answer, headers=centre | {"if-match": '"1"'})
    assert (tried.status_code, tried.json()["type"]) == (403, "/problems/not-yours"), (
        "it does not answer for the branch"
    )
    assert (await http.post(f"{path}/ticket", json={}, headers=clerk)).status_code == 403
    from services.callbacks.people import queues_of

    async with world.sql("gateway") as sql:
        people = await access.roster(sql)
    queues = [queues_of(people.resolve(Actor(one, Role.AGENT, branch_id="HQ"), NOW)) for one in ("s-centre", "s-clerk")]
    assert queues == [("centre",), ("branch", "manager")]


@pytest.mark.services
async def test_a_conduct_case_is_hidden_from_whom_it_concerns_under_any_name(world: World) -> None:
    from contracts.callbacks import FindingRaised

    await world.publish(at_hq("s-li", "compliance", user="li"), at_hq("s-mei", "compliance", user="mei"), at=EARLIER)
    await world.settle()
    finding = FindingRaised(
        finding_id=UUID(int=7), client_id="7c", branch_id="B7", kind="operated",
        raised_at=NOW - timedelta(days=1), concerned=["s-li"],
    )  # fmt: skip
    await world.publish(finding)
    await world.settle()
    case_id = await world.value("complaints", "SELECT case_id FROM cases WHERE restricted")
    assert case_id is not None
    seen = {}
    for name in ("s-li", "user:li", "oidc:li", "user:mei"):
        async with world.client("complaints", Actor(name, Role.COMPLIANCE, purpose="test")) as http:
            listed = (await http.get("/v1/complaints/cases")).json()["items"]
            seen[name] = ((await http.get(f"/v1/complaints/cases/{case_id}")).status_code, len(listed))
    assert seen == {"s-li": (404, 0), "user:li": (404, 0), "oidc:li": (404, 0), "user:mei": (200, 1)}


@pytest.fixture
async def two(world: World, bearer) -> dict[str, dict[str, str]]:
    """Two people of headquarters who can decide, the second under two names, and a trial token nobody is behind."""
    await world.publish(at_hq("s-li", user="li"), at_hq("s-wang", user="wang"), at=EARLIER)
    await world.settle()
    return {
        "li": bearer(Role.HQ, subject="user:li"),
        "li again": bearer(Role.HQ, person="s-li"),
        "wang": bearer(Role.HQ, subject="oidc:wang"),
        "nobody": bearer(Role.OPERATIONS),
    }


async def decide(http: httpx.AsyncClient, headers: dict[str, str], approval: str) -> int:
    path = f"/v1/gateway/approvals/{approval}/approve"
    return (await http.post(path, json={}, headers=headers)).status_code


async def test_seats_and_sign_ins_change_by_two_persons(world: World, http: httpx.AsyncClient, two) -> None:
    seat = {"unit": "B1", "seat": "general_manager"}
    asked = await http.put("/v1/staff/s-new", json={"user": "new", "seats": [seat]}, headers=two["li"])
    assert (asked.status_code, asked.json()["status"]) == (202, "waiting")
    approval = asked.json()["approval"]
    assert (approval["asked_by"], approval["before"], approval["after"]["seats"]) == ("s-li", None, [seat])
    await world.settle()
    assert (await http.get("/v1/staff/s-new", headers=two["li"])).status_code == 404, "not yet"
    waits = (await http.get("/v1/approvals", headers=two["wang"])).json()["items"]
    assert [one["approval_id"] for one in waits] == [approval["approval_id"]]
    tried = [await decide(http, two[name], approval["approval_id"]) for name in ("li", "li again", "wang", "wang")]
    assert tried == [403, 403, 200, 409], "one person under two names is one person"
    await world.settle()
    assert (await http.get("/v1/staff/s-new", headers=two["li"])).json()["user"] == "new"
    rows = await world.rows(
        "gateway", "SELECT actor, action, inputs FROM audit WHERE object = 'staff/s-new' ORDER BY at"
    )
    assert [(row["action"], row["inputs"]["person"]) for row in rows] == [
        ("roster.asked", "s-li"), ("roster.approved", "s-wang"),
    ]  # fmt: skip
    assert rows[1]["inputs"]["before"] is None
    assert rows[1]["inputs"]["after"]["user"] == "new"


async def test_nobody_changes_themselves(world: World, http: httpx.AsyncClient, two) -> None:
    """Not their seat, not their link (what would make them another person), nor as whose deputy they act."""
    seat = {"unit": "HQ", "seat": "compliance"}
    for staff_id, body in (
        ("s-li", {"branch_id": "HQ", "seats": [seat], "user": "li"}),
        ("s-li", {"branch_id": "HQ", "seats": [{"unit": "HQ", "seat": "operations_centre"}]}),
        ("s-other", {"user": "li"}),
        ("s-other", {"seats": [seat], "deputies": ["s-li"]}),
    ):
        for name in ("li", "li again"):
            if name == "li again" and body == {"user": "li"}:
                continue
            refused = await http.put(f"/v1/staff/{staff_id}", json=body, headers=two[name])
            assert (refused.status_code, refused.json()["type"]) == (403, "/problems/about-oneself"), (staff_id, body)
    hidden = await http.put("/v1/staff/s-wang", json={"branch_id": "HQ", "user": "wang"}, headers=two["li"])
    approval = hidden.json()["approval"]["approval_id"]
    assert await decide(http, two["wang"], approval) == 404, "it is about them"
    assert await decide(http, two["nobody"], approval) == 200


async def test_what_only_takes_away_does_not_wait(world: World, http: httpx.AsyncClient, two) -> None:
    person = {"branch_id": "HQ", "user": "wang", "seats": [{"unit": "HQ", "seat": "operations_centre"}]}
    gone = await http.put("/v1/staff/s-wang", json=person | {"left_on": "2020-01-01"}, headers=two["li"])
    assert gone.json() == {"status": "durable", "warnings": []}
    await world.settle()
    row = (await world.rows("gateway", "SELECT inputs FROM audit WHERE action = 'change_staff'"))[0]["inputs"]
    assert (row["before"].get("left_on"), row["after"]["left_on"], row["before"]["user"]) == (
        None,
        "2020-01-01",
        "wang",
    )


async def test_users_and_keys_open_by_two_persons_and_close_by_one(world: World, http: httpx.AsyncClient, two) -> None:
    assert (
        await http.post("/v1/users", json={"name": "a", "password": PASSWORD, "role": "agent"}, headers=two["li"])
    ).status_code == 422
    user = {"name": "zhao", "password": PASSWORD, "role": "agent", "branch_id": "B1"}
    asked = (await http.post("/v1/users", json=user, headers=two["li"])).json()
    assert (asked["status"], (await http.get("/v1/users/zhao", headers=two["li"])).json()["disabled"]) == (
        "waiting",
        True,
    )
    assert PASSWORD not in str(asked)
    assert "argon" not in str(asked)
    form, origin = {"name": "zhao", "password": PASSWORD}, {"origin": BASE}
    assert (await http.post("/sign-in", data=form, headers=origin)).status_code == 401
    assert await decide(http, two["wang"], asked["approval"]["approval_id"]) == 200
    assert (await http.post("/sign-in", data=form, headers=origin)).status_code == 303
    cookie = {"cookie": f"{COOKIE}={http.cookies[COOKIE]}"}
    http.cookies.clear()
    assert (await http.get("/v1/status", headers=cookie)).status_code == 200
    new = await http.put("/v1/users/zhao/password", json={"password": "another password"}, headers=two["li"])
    assert await decide(http, two["wang"], new.json()["approval"]["approval_id"]) == 200
    assert (await http.get("/v1/users", headers=two["li"])).json()[0]["name"] == "zhao"
    assert (await http.post("/sign-in", data=form, headers=origin)).status_code == 401, "the old password"
    assert (await http.post("/v1/users/zhao/disable", headers=two["li"])).json()["disabled"] is True
    assert (await http.get("/v1/status", headers=cookie)).status_code == 401
    assert (await http.delete("/v1/users/zhao", headers=two["li"])).status_code == 204
    assert (await http.get("/v1/users/zhao", headers=two["li"])).status_code == 404

    made = (await http.post("/v1/keys", json={"name": "crm"}, headers=two["li"])).json()
    key = {"x-api-key": made["key"]}
    assert (await http.get("/v1/status", headers=key)).status_code == 401
    assert await decide(http, two["wang"], made["approval"]["approval_id"]) == 200
    fresh = gateway_app(world.settings, world.database("gateway"), apps_of(world.platform))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(fresh), base_url=BASE) as other:
        assert (await other.get("/v1/status", headers=key)).status_code == 200
        assert (await other.post("/v1/keys/crm/disable", headers=two["li"])).json()["disabled"] is True
        assert (await other.get("/v1/status", headers=key)).status_code == 401
    assert (await http.delete("/v1/keys/crm", headers=two["li"])).status_code == 204
    told = await world.rows("gateway", "SELECT DISTINCT action FROM audit WHERE inputs ? 'before' AND inputs ? 'after'")
    assert {row["action"] for row in told} >= {
        "add_user", "enable_user", "disable_user", "remove_user", "set_password", "make_api_key", "enable_api_key",
        "disable_api_key", "remove_api_key", "sign_in.asked", "sign_in.approved",
    }  # fmt: skip


async def test_a_first_set_up_needs_one_person_and_says_so(world: World, http: httpx.AsyncClient, bearer) -> None:
    operator = bearer(Role.OPERATIONS)
    hq = {"branch_id": "HQ", "user": "li", "seats": [{"unit": "HQ", "seat": "operations_centre"}]}
    first = await http.put("/v1/staff/s-li", json=hq, headers=operator)
    await world.settle()
    second = await http.put("/v1/staff/s-wang", json=hq | {"user": "wang"}, headers=operator)
    assert [first.json()["status"], second.json()["status"]] == ["durable", "waiting"]


def test_tries_at_one_name_do_not_lock_another_out() -> None:
    attempts = Attempts()
    with pytest.raises(TooManyRequests):  # noqa: PT012
        for _ in range(11):
            attempts.take("192.0.2.1", "li")
    attempts.take("192.0.2.1", "wang")
    attempts.take("192.0.2.2", "li")
    with pytest.raises(TooManyRequests):  # noqa: PT012
        for n in range(120):
            attempts.take("192.0.2.9", f"name-{n}")


@pytest.mark.parametrize(("proxies", "believed"), [("", "127.0.0.1"), ("127.0.0.1", "192.0.2.7")])
async def test_only_a_proxy_that_is_named_says_who_is_calling(proxies: str, believed: str) -> None:
    echo = FastAPI()
    echo.get("/")(_host_of)
    ready, listening = asyncio.Event(), socket.create_server(("127.0.0.1", 0))
    server = Server(configured(echo, trusted_proxies=proxies, of_one_address=9), ready.set)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await ready.wait()
    async with httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        answer = await client.get(url, headers={"x-forwarded-for": "192.0.2.7"})
    server.should_exit = server.force_exit = True
    await serving
    assert answer.text == believed


def _host_of(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.client.host if request.client else "")


async def test_tries_to_sign_in_are_counted_by_name_and_address(app: FastAPI, http: httpx.AsyncClient) -> None:
    app.state.attempts.at_name = Buckets(rate=0.0001, burst=2)
    origin = {"origin": BASE}
    answers = [
        (await http.post("/sign-in", data={"name": name, "password": "wrong"}, headers=origin)).status_code
        for name in ("li", "li", "li", "wang")
    ]
    assert answers == [401, 401, 429, 401]


async def test_without_its_database_the_gateway_lets_nobody_in_for_long(world: World, bearer) -> None:
    settings = world.settings.model_copy(update={"database_url": "postgresql://127.0.0.1:9/none"})
    from chassis.database import Database

    away = Database(settings, "gateway")
    app = gateway_app(world.settings, away, {})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        answer = await client.get("/v1/status", headers=bearer(Role.HQ))
    await away.close()
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")


def test_an_internal_token_carries_the_person_and_the_seats(world: World) -> None:
    actor = Actor("user:li", Role.HQ, branch_id="HQ", person="s-li", seats=frozenset({("HQ", "compliance")}))
    assert Tokens(world.settings, INTERNAL).check(mint(actor, world.settings)).actor == actor
