"""Every error has one shape, in two languages, without our insides."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from chassis.actor import Role

JSON = "application/problem+json"


async def test_field_errors_point_at_each_field_in_the_callers_language(http: httpx.AsyncClient, as_) -> None:
    body = {"id": 0, "client_id": "c-1", "tags": [1, "x"], "more": 1}
    headers = as_(Role.AGENT, branch_id="B1") | {"idempotency-key": "k", "accept-language": "fr, zh-CN;q=0.8, en;q=0.5"}
    answer = await http.post("/v1/sample/notes", json=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (422, JSON)
    problem = answer.json()
    assert problem["type"] == "/problems/invalid"
    assert problem["title"] == "部分字段有误"
    assert {(e["in"], e["pointer"], e["detail"]) for e in problem["errors"]} >= {
        ("body", "/id", "应不小于 1"),
        ("body", "/text", "缺少该字段"),
        ("body", "/more", "不允许的字段"),
    }
    assert "/tags/1" in {e["pointer"] for e in problem["errors"]}
    assert answer.headers["content-language"] == "zh-CN"


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "name"),
    [
        ("GET", "/v1/sample/nothing", None, 404, "not-found"),
        ("DELETE", "/v1/sample/notes", None, 405, "method-not-allowed"),
        ("POST", "/v1/sample/notes", b"{", 400, "malformed"),
        ("POST", "/v1/sample/notes", b"\xff\xfe", 400, "malformed"),
        ("POST", "/v1/sample/notes", b"x" * 1_000_001, 413, "too-large"),
        ("GET", "/v1/sample/notes?limit=201", None, 422, "invalid"),
        ("GET", "/v1/sample/notes?cursor=abc", None, 422, "invalid"),
        ("GET", "/v1/sample/odd/outage", None, 503, "unavailable"),
        ("GET", "/v1/sample/odd/error", None, 500, "unexpected"),
        ("GET", "/v1/sample/odd/commit", None, 500, "unexpected"),
        ("PUT", "/v1/sample/notes/1", None, 428, "precondition-required"),
    ],
)
async def test_every_error_is_a_problem(
    http: httpx.AsyncClient, as_, method: str, path: str, content: bytes | None, status: int, name: str
) -> None:
    headers = as_(Role.HQ) | {"idempotency-key": "k", "content-type": "application/json", "x-request-id": "r-1"}
    answer = await http.request(method, path, content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, JSON)
    assert answer.json()["type"] == f"/problems/{name}"
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "r-1"
    assert "secret" not in answer.text
    assert "10.1.2.3" not in answer.text


async def test_a_body_without_length_is_cut_off_too(http: httpx.AsyncClient, as_) -> None:
    async def parts():
        for _ in range(20):
            yield b" " * 100_000

    headers = as_(Role.HQ) | {"idempotency-key": "k", "content-type": "application/json"}
    answer = await http.post("/v1/sample/notes", content=parts(), headers=headers)
    assert (answer.status_code, answer.json()["limit_bytes"]) == (413, 1_000_000)


async def test_what_takes_too_long_is_a_problem_too(app: FastAPI, as_) -> None:
    from chassis.http.edge import Edge
    from chassis.http.traffic import Traffic

    short = Edge(app, service="short", traffic=Traffic(), body_bytes=10, seconds=0.05)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(short), base_url="http://sample") as client:
        answer = await client.get("/v1/sample/odd/slow", headers=as_(Role.HQ))
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/upstream-timeout")


async def test_a_database_that_is_away_is_503(here, as_) -> None:
    from chassis.database import Database
    from chassis.http import service_app
    from tests.chassis.http.conftest import SAMPLE

    gone = here.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/none"})
    database = Database(gone, "sample")
    transport = httpx.ASGITransport(service_app(SAMPLE, database, gone))
    async with httpx.AsyncClient(transport=transport, base_url="http://sample") as client:
        answer = await client.get("/v1/sample/notes", headers=as_(Role.HQ))
        ready = await client.get("/readyz")
        why = (await client.get("/readyz", headers=as_(Role.OPERATIONS))).json()
        alive = await client.get("/livez")
    await database.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (ready.status_code, ready.json()) == (503, {"status": "fail"})
    assert (why["status"], why["checks"]["database"]["status"]) == ("fail", "fail")
    assert alive.status_code == 200


async def test_an_error_at_commit_leaves_nothing(http: httpx.AsyncClient, as_, database) -> None:
    await http.get("/v1/sample/odd/commit", headers=as_(Role.HQ))
    async with database.reading() as sql:
        assert await sql.fetchval("SELECT count(*) FROM notes") == 0


async def test_a_stale_etag_is_told_the_present_one(http: httpx.AsyncClient, as_) -> None:
    stale = await http.put("/v1/sample/notes/1", headers=as_(Role.HQ) | {"if-match": '"6"'})
    fresh = await http.put("/v1/sample/notes/1", headers=as_(Role.HQ) | {"if-match": '"7"'})
    assert (stale.status_code, stale.json()["current"], fresh.status_code) == (412, '"7"', 200)


async def test_probes_need_no_identity_and_metrics_are_for_operators(http: httpx.AsyncClient, as_) -> None:
    await http.get("/v1/sample/notes", headers=as_(Role.HQ))
    assert (await http.get("/readyz")).json() == {"status": "pass"}
    assert (await http.get("/readyz", headers=as_(Role.HQ))).json() == {"status": "pass"}
    ready = (await http.get("/readyz", headers=as_(Role.OPERATIONS))).json()
    assert ready["checks"]["database"] == {"status": "pass"}
    assert ready["status"] == ready["checks"]["calendar"]["status"], "a calendar that ends soon is shown, not refused"
    assert ready["status"] in {"pass", "warn"}
    assert (await http.get("/metrics")).status_code == 401
    metrics = (await http.get("/metrics", headers=as_(Role.OPERATIONS))).text
    assert 'route="/v1/sample/notes",service="sample",status="200"' in metrics
    await asyncio.sleep(0)


async def test_the_openapi_document_names_problems(app: FastAPI) -> None:
    from chassis.http import openapi_of

    document = openapi_of(app)
    assert document["openapi"].startswith("3.1")
    answers = document["paths"]["/v1/sample/notes"]["post"]["responses"]
    assert answers["422"]["content"] == {JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert "HTTPValidationError" not in document["components"]["schemas"]
