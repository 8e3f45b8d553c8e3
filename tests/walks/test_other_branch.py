"""Every route x people of another branch x objects of this one: nothing is given, and "not yours" looks like "not there".

Two branches have the same facts. Their own people send every POST with the document's example of its body, which makes
real objects of many kinds; then what everybody sees is read, and each id found in the first branch is tried by
everybody of the second, beside an id that nobody has. Lists, counts and searches are read beside a client that nobody has.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from chassis.actor import Actor, Role
from chassis.clock import business_date, utc_now
from chassis.http import openapi_of
from contracts.asyncapi import example_of, schema_of
from contracts.base import Event, Registry
from contracts.broker import EVENTS, StaffChanged
from tests.walks.rest import apps
from tests.world import World

HERE, THERE = "B1", "B2"
CLIENTS = {HERE: "k-here-71", THERE: "k-there-82"}
NAMES = {HERE: "欧阳梧桐", THERE: "司徒海棠"}
NOT_SAID = {"broker.client.closing_requested", "broker.client.closed", "broker.client.updated", "broker.agreement.ended",
            "broker.day.closed", "broker.staff.changed", "broker.branch.changed", "broker.trade.cancelled"}  # fmt: skip
OWNED = {
    "client_id", "case_id", "task_id", "grant_id", "decision_id", "hold_id", "request_id", "review_id", "approval_id",
    "redemption_id", "application_id", "drift_id", "deviation_id", "redress_id", "erasure_id", "demand_id", "suggestion_id",
    "visit_id", "attempt_id", "subscription_id", "membership_id", "evidence_id", "accountability_id", "alarm_id", "moment_id",
    "check_id", "question_id", "advice_id",
}  # fmt: skip
"""Parameters of paths that name an object of a client or a branch."""
SERVICES = (
    "callbacks", "classification", "complaints", "messaging", "points", "products", "relationships", "suitability",
)  # fmt: skip


def people_of(branch: str) -> list[Actor]:
    return [
        Actor(CLIENTS[branch], Role.CLIENT, client_id=CLIENTS[branch]),
        Actor(f"agent-{branch}", Role.AGENT, branch_id=branch, purpose="walk"),
        Actor(f"manager-{branch}", Role.CLIENT_MANAGER, branch_id=branch, purpose="walk"),
        Actor(f"head-{branch}", Role.BRANCH_MANAGER, branch_id=branch, purpose="walk"),
    ]


OVER_ALL = [
    Actor("hq", Role.HQ, purpose="walk"),
    Actor("compliance", Role.COMPLIANCE, purpose="walk"),
    Actor("operations", Role.OPERATIONS, purpose="walk"),
]


def facts(branch: str) -> Iterator[Event]:
    """Every fact of the broker's about the branch's client, as its schema's example says it."""
    client = CLIENTS[branch]
    for kind in sorted(EVENTS, key=lambda one: one.type != "broker.client.opened"):
        if kind.type in NOT_SAID:
            continue
        said = example_of(schema_of(kind))
        for name, value in said.items():
            if value == "c-1":
                said[name] = f"{name}-{client}"
            elif value == "-12.5":
                said[name] = "600000"
        said |= {"client_id": client} if "client_id" in said else {}
        said |= {"branch_id": branch} if "branch_id" in said else {}
        said |= {"name": NAMES[branch]} if "name" in said else {}
        said |= {"manager_id": f"manager-{branch}"} if "manager_id" in said else {}
        for name in ("sealed", "referrer_client_id", "referrer_id"):
            said.pop(name, None)
        yield Registry([kind]).decode(kind.type, json.dumps(said).encode())


def operations() -> Iterator[tuple[str, str, str, dict[str, Any], dict[str, Any]]]:
    """Service, method, path, operation and schemas of every route of the services."""
    for service in SERVICES:
        document = openapi_of(apps()[service])
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if path.startswith(f"/v1/{service}"):
                    yield service, method, path, operation, document.get("components", {}).get("schemas", {})


def body_of(operation: Mapping[str, Any], schemas: Mapping[str, Any], mine: Mapping[str, str]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    found = content["example"] if "example" in content else example_of(content["schema"], schemas)
    made = _mine(found, mine)
    if isinstance(made, dict) and made.get("channel") == "standard":  # what a code looks like, and no channel
        made["channel"] = "counter"
    return made


def _mine(value: Any, mine: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: mine.get(name, _mine(one, mine)) for name, one in value.items()}
    return [_mine(one, mine) for one in value] if isinstance(value, list) else value


def given_here() -> dict[str, str]:
    """What bodies about the first branch say where the example will not do."""
    coming = business_date(utc_now()) + timedelta(days=2)
    return {
        "client_id": CLIENTS[HERE], "client": CLIENTS[HERE], "branch_id": HERE, "branch": HERE, "reason": "a walk over all routes",
        "since": str(coming), "until": str(coming + timedelta(days=30)), "tier": "GOLD",
    }  # fmt: skip


def ids_in(value: Any, owner: str | None = None) -> Iterator[tuple[str, str, str | None]]:
    """Every id in an answer: its name, itself, and whose client or branch it lies with."""
    if isinstance(value, list):
        for one in value:
            yield from ids_in(one, owner)
    if isinstance(value, dict):
        of_branch = {CLIENTS[branch]: branch for branch in CLIENTS} | {branch: branch for branch in CLIENTS}
        told = [
            of_branch[one]
            for one in (value.get(name) for name in ("client_id", "client", "branch_id"))
            if one in of_branch
        ]
        owner = told[0] if told else owner
        for name, one in value.items():
            if isinstance(one, str) and name in OWNED:
                yield name, one, owner
            yield from ids_in(one, owner)


class Walk:
    """Sends requests as people, and keeps which objects there are."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.found: dict[str, dict[str, set[str]]] = {branch: defaultdict(set) for branch in CLIENTS}
        self.sent = 0

    async def send(self, service: str, actor: Actor, method: str, path: str, body: Any = None) -> httpx.Response:
        self.sent += 1
        headers = {"idempotency-key": f"walk-{self.sent}", "if-match": '"1"'}
        async with self.world.client(service, actor, **headers) as http:
            return await http.request(method, path, json=body) if body is not None else await http.request(method, path)

    async def look(self) -> None:
        """Read everything that those over all branches see."""
        for _ in range(2):  # what a list names is then read by itself
            for service, method, path, *_ in operations():
                for place in self.filled(path, HERE)[:1] if "{" in path else [path]:
                    if method == "get":
                        self.keep(await self.send(service, OVER_ALL[1], method, place))

    def keep(self, answer: httpx.Response) -> None:
        if answer.status_code < 300 and "json" in answer.headers.get("content-type", ""):
            for name, value, owner in ids_in(answer.json()):
                if owner and name != "client_id":
                    self.found[owner][name].add(value)

    def filled(self, path: str, branch: str) -> list[str]:
        """The path with objects of a branch, each value of its last parameter with the first of the others."""
        names = re.findall(r"{(\w+)}", path)
        known = self.found[branch]
        if not names or any(name not in OWNED or not known[name] for name in names):
            return []
        first = {name: sorted(known[name])[0] for name in names}
        return [path.format(**{**first, names[-1]: value}) for value in sorted(known[names[-1]])[:1]]


@pytest.fixture
async def walk(world: World) -> Walk:
    """Both branches with their facts, what their people could make of the examples, and what there is then."""
    people = [
        StaffChanged(staff_id=actor.subject, branch_id=actor.branch_id, user=actor.subject)
        for branch in CLIENTS for actor in people_of(branch) if actor.role is not Role.CLIENT
    ]  # fmt: skip
    await world.publish(*people)
    for branch in CLIENTS:
        await world.publish(*facts(branch))
    await world.settle()
    await world.close(date(2024, 3, 29))
    made = Walk(world)
    for branch, client in CLIENTS.items():
        made.found[branch]["client_id"].add(client)
    await made.look()
    mine = given_here()
    for service, method, path, operation, schemas in operations():
        if method == "post":
            for place in made.filled(path, HERE)[:1] if "{" in path else [path]:
                for actor in (*people_of(HERE), *OVER_ALL):
                    answer = await made.send(service, actor, method, place, body_of(operation, schemas, mine))
                    made.keep(answer)
                    if answer.status_code < 300:
                        break
    await world.settle()
    await made.look()
    return made


def alike(answer: httpx.Response, names: Mapping[str, str]) -> tuple[int, str]:
    """What an answer says, whichever id was asked for."""
    text = answer.text
    for real, other in names.items():
        text = text.replace(other, real)
    said = json.loads(text) if "json" in answer.headers.get("content-type", "") else text
    if isinstance(said, dict):
        said = {name: value for name, value in said.items() if name not in ("instance", "request_id", "trace_id")}
    return answer.status_code, json.dumps(said, sort_keys=True, ensure_ascii=False)


def nobodys(value: str) -> str:
    """An id of the same form that nobody has."""
    try:
        UUID(value)
    except ValueError:
        return "k-none-93"
    return str(uuid4())


async def test_what_lies_in_another_branch_looks_like_what_is_not_there(walk: Walk) -> None:
    made = {name for name, values in walk.found[HERE].items() if values}
    assert {
        "client_id",
        "case_id",
        "task_id",
        "approval_id",
        "alarm_id",
        "moment_id",
        "decision_id",
        "grant_id",
    } <= made, made
    given, differ, tried = [], [], 0
    for service, method, path, operation, schemas in operations():
        for place in walk.filled(path, HERE):
            names = {}
            missing = place
            for value in {one for name in re.findall(r"{(\w+)}", path) for one in walk.found[HERE][name]}:
                if value in missing:
                    names[value] = nobodys(value)
                    missing = missing.replace(value, names[value])
            for actor in people_of(THERE):
                body = body_of(operation, schemas, given_here())
                theirs = await walk.send(service, actor, method, place, body)
                nothing = await walk.send(service, actor, method, missing, body)
                tried += 1
                if theirs.status_code < 400 and alike(theirs, {}) != alike(nothing, names):
                    given.append((actor.subject, method, place, theirs.text[:300]))
                elif alike(theirs, {}) != alike(nothing, names):
                    differ.append((actor.subject, method, place, alike(theirs, {}), alike(nothing, names)))
                if NAMES[HERE] in theirs.text:
                    given.append((actor.subject, method, place, "its name"))
    assert tried > 200, tried
    shown = await leaks_of_lists(walk)
    assert "\n".join(map(str, (*given, *differ, *shown))) == ""


async def leaks_of_lists(walk: Walk) -> list[object]:
    """What lists, counts and searches show of the first branch to people of the second."""
    ids = {value for name, values in walk.found[HERE].items() for value in values} | {NAMES[HERE]}
    leaks: list[object] = []
    tried = 0
    for service, method, path, operation, _ in operations():
        if method != "get" or "{" in path:
            continue
        takes = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        for actor in people_of(THERE):
            tried += 1
            answer = await walk.send(service, actor, "GET", path)
            leaks += [(actor.subject, path, one) for one in ids if one in answer.text]
            for name in takes & {"client_id", "client", "branch_id", "branch", "q", "name", "phone"}:
                real = HERE if "branch" in name else NAMES[HERE] if name in ("q", "name") else CLIENTS[HERE]
                other = "B93" if "branch" in name else "没有此人" if name in ("q", "name") else "k-none-93"
                theirs = await walk.send(service, actor, "GET", f"{path}?{name}={real}")
                nothing = await walk.send(service, actor, "GET", f"{path}?{name}={other}")
                if alike(theirs, {}) != alike(nothing, {real: other}):
                    leaks.append((actor.subject, path, name, theirs.text[:200], nothing.text[:200]))
    assert tried > 100
    return leaks
