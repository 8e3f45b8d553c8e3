"""Pages in a stable order, and requests that may be sent again."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import structlog.testing

from chassis.actor import Role
from chassis.clock import utc_now
from chassis.http.idempotency import purge
from tests.chassis.http import conftest as sample


async def _write(http: httpx.AsyncClient, headers: dict[str, str], key: str, **note: Any) -> httpx.Response:
    body = {"id": 1, "client_id": "c-1", "text": "a"} | note
    return await http.post("/v1/sample/notes", json=body, headers=headers | {"idempotency-key": key})


async def test_pages_follow_one_another(http: httpx.AsyncClient, as_) -> None:
    for number in range(1, 8):
        await _write(http, as_(Role.HQ), f"k{number}", id=number)
    seen, cursor = [], None
    while True:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await http.get("/v1/sample/notes", params=params, headers=as_(Role.HQ))).json()
        seen.append([note["id"] for note in page["items"]])
        if (cursor := page["next"]) is None:
            break
    assert seen == [[1, 2, 3], [4, 5, 6], [7]]


async def test_a_cursor_belongs_to_its_list(http: httpx.AsyncClient, as_) -> None:
    for number in (1, 2):
        await _write(http, as_(Role.HQ), f"k{number}", id=number)
    page = (await http.get("/v1/sample/notes?limit=1", headers=as_(Role.HQ))).json()
    elsewhere = "/v1/sample/operations/dead-letters"
    other = await http.get(elsewhere, params={"cursor": page["next"]}, headers=as_(Role.OPERATIONS))
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "/cursor")


async def test_a_stored_answer_is_not_for_the_same_name_as_another_person_or_in_another_branch(
    http: httpx.AsyncClient, as_
) -> None:
    first = await _write(http, as_(Role.HQ), "k")
    assert first.status_code == 201
    for role, place in ((Role.HQ, {"branch_id": "B9"}), (Role.HQ, {"person": "p-1"})):
        again = await _write(http, as_(role, **place), "k")
        assert "idempotency-replayed" not in again.headers, (role, place)
    assert (await _write(http, as_(Role.HQ), "k")).headers["idempotency-replayed"] == "true"


async def test_a_retry_gets_the_stored_answer(http: httpx.AsyncClient, as_, database) -> None:
    first = await _write(http, as_(Role.HQ), "k")
    again = await _write(http, as_(Role.HQ), "k")
    assert (again.status_code, again.json()) == (first.status_code, first.json()) == (201, {"id": 1, "count": 1})
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    async with database.reading() as sql:
        assert await sql.fetchval("SELECT count(*) FROM audit WHERE action = 'note'") == 1


async def test_a_key_is_for_one_request_of_one_caller(http: httpx.AsyncClient, as_) -> None:
    await _write(http, as_(Role.HQ, "a"), "k")
    other_body = await _write(http, as_(Role.HQ, "a"), "k", id=2)
    other_caller = await _write(http, as_(Role.HQ, "b"), "k", id=2)
    without = await http.post("/v1/sample/notes", json={}, headers=as_(Role.HQ))
    assert (other_body.status_code, other_body.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert other_caller.status_code == 201
    assert (without.status_code, without.json()["type"]) in {
        (400, "/problems/idempotency-key-required"),
        (422, "/problems/invalid"),
    }


async def test_a_refused_request_may_be_sent_again(http: httpx.AsyncClient, as_) -> None:
    await _write(http, as_(Role.HQ), "k1")
    refused = await _write(http, as_(Role.HQ), "k2")
    assert (refused.status_code, refused.json()["number"]) == (409, 1)
    assert (await _write(http, as_(Role.HQ), "k2", id=2)).status_code == 201


async def test_the_same_request_still_in_progress_is_409(http: httpx.AsyncClient, as_) -> None:
    sample.GATE = asyncio.Event()
    both = [asyncio.create_task(_write(http, as_(Role.HQ), "k", text="wait")) for _ in range(2)]
    (refused,), (working,) = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    assert (refused.result().status_code, refused.result().headers["retry-after"]) == (409, "1")
    sample.GATE.set()
    assert (await working).status_code == 201
    assert (await _write(http, as_(Role.HQ), "k", text="wait")).headers["idempotency-replayed"] == "true"


async def test_fifty_at_once_do_it_once(http: httpx.AsyncClient, as_, database) -> None:
    with structlog.testing.capture_logs() as said:
        answers = await asyncio.gather(*(_write(http, as_(Role.HQ), "k") for _ in range(50)))
    # 503: the pool's twenty connections were still being made, or in use, for longer than a request waits for one.
    refused = [str(line["error"]) for line in said if line["event"] == "request refused" and "error" in line]
    assert [why for why in refused if not why.startswith("QueuePool limit")] == []
    assert len(refused) == sum(answer.status_code == 503 for answer in answers)
    codes = {a.status_code for a in answers}
    assert 201 in codes
    assert codes <= {201, 409, 503}
    async with database.reading() as sql:
        assert await sql.fetchval("SELECT count(*) FROM notes") == 1


async def test_old_answers_are_forgotten(http: httpx.AsyncClient, as_, database) -> None:
    await _write(http, as_(Role.HQ), "k")
    assert await purge(database, utc_now() - timedelta(days=2)) == 0
    assert await purge(database, utc_now() + timedelta(minutes=1)) == 1
