"""A change leaves a row whatever its route remembers; whoever is named in a body is kept as the person they are."""

from datetime import timedelta
from typing import Any

import httpx
import msgspec

from chassis.actor import Role
from chassis.clock import utc_now
from chassis.database import Database
from contracts.broker import StaffChanged

PATH = "/v1/sample/clients/c-1/colleagues"
ROWS = "SELECT action, object, actor, inputs FROM audit"


async def rows(database: Database) -> list[dict[str, Any]]:
    async with database.reading() as sql:
        return [dict(row) for row in await sql.fetch(ROWS)]


async def say(database: Database, *people: StaffChanged) -> None:
    async with database.unit_of_work() as uow:
        for one in people:
            await uow.sql.execute(
                "INSERT INTO staff_versions (id, since, event_id, body) VALUES ($1, $2, 'e', $3)",
                one.staff_id, utc_now() - timedelta(days=1), msgspec.to_builtins(one),
            )  # fmt: skip


async def test_a_change_that_no_route_put_on_record_leaves_a_row(
    http: httpx.AsyncClient, database: Database, as_
) -> None:
    assert (await http.post(PATH, json={"first": "unchanged"}, headers=as_(Role.HQ))).status_code == 200
    assert await rows(database) == [], "nothing was written"
    assert (await http.post(PATH, json={"first": "li"}, headers=as_(Role.HQ, "user:wang"))).status_code == 200
    assert await rows(database) == [
        {
            "action": "name_colleagues", "object": "client/c-1", "actor": "user:wang",
            "inputs": {"client_id": "c-1", "path": PATH},
        }
    ]  # fmt: skip


async def test_a_change_that_is_on_record_leaves_no_second_row(
    http: httpx.AsyncClient, database: Database, as_
) -> None:
    note = {"id": 1, "client_id": "c-1", "text": "a"}
    for _ in range(2):  # the repeat is answered from the store
        answer = await http.post("/v1/sample/notes", json=note, headers=as_(Role.HQ) | {"idempotency-key": "k"})
        assert answer.status_code == 201
    assert [one["action"] for one in await rows(database)] == ["note"]


async def test_names_in_a_body_are_persons(http: httpx.AsyncClient, database: Database, as_) -> None:
    await say(database, StaffChanged(staff_id="s-li", user="li"), StaffChanged(staff_id="s-wang", user="user:wang"))
    body = {"first": "user:li", "others": ["s-li", "li", "oidc:li", None], "inner": {"first": "wang"}}
    answer = await http.post(PATH, json=body, headers=as_(Role.HQ))
    assert answer.json() == {
        "first": "s-li", "others": ["s-li", "s-li", "s-li", None],
        "inner": {"first": "s-wang", "others": [], "inner": None},
    }  # fmt: skip


async def test_nobody_of_that_name_is_refused(http: httpx.AsyncClient, database: Database, as_) -> None:
    await say(database, StaffChanged(staff_id="s-li", user="li"))
    body = {"first": "nobody", "others": ["li", "user:nobody"], "inner": {"first": "s-nobody"}}
    answer = await http.post(PATH, json=body, headers=as_(Role.HQ))
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/first", "/others/1", "/inner/first"]
    assert await rows(database) == []


async def test_without_a_roster_names_are_as_they_sign_in(http: httpx.AsyncClient, as_) -> None:
    answer = await http.post(PATH, json={"first": "user:li"}, headers=as_(Role.HQ, "user:li"))
    assert answer.json()["first"] == "li"
