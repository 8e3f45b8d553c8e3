"""`POST /v1/events`: durable or refused, all or nothing, with a pointer to each bad field."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.actor import Role
from chassis.clock import business_date, utc_now
from contracts.broker import TOPICS
from tests.gateway.conftest import event, opened, trade
from tests.world import World

ONE, MANY = "application/cloudevents+json", "application/cloudevents-batch+json"


@pytest.fixture
def send(http: httpx.AsyncClient, bearer):  # type: ignore[no-untyped-def]
    async def post(body: Any, media: str = MANY, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await http.post(
            "/v1/events", content=content, headers=bearer(Role.SYSTEM) | {"content-type": media} | headers
        )

    return post


async def _on_log(world: World) -> int:
    schema = world.database("gateway").log.schema
    found: int = await world.value("gateway", f"SELECT count(*) FROM {schema}.log WHERE type LIKE 'broker.%'")
    return found


async def test_a_trade_sent_in_becomes_points(world: World, send, http: httpx.AsyncClient, bearer) -> None:
    sent = await send([event("broker.client.opened", opened()), event("broker.trade.settled", trade(), 2)])
    assert (sent.status_code, sent.json()) == (202, {"status": "durable", "events": 2})
    await world.settle()
    points = await http.get("/v1/points/clients/7c", headers=bearer(Role.HQ))
    assert points.json()["available"] == "100.50"


@pytest.mark.parametrize("media", [ONE, "application/json"])
async def test_single_and_binary_mode(world: World, send, media: str) -> None:
    if media == ONE:
        sent = await send(event("broker.client.opened", opened(), time="2024-03-01T01:00:00Z"), ONE)
    else:
        sent = await send(
            opened(),
            media,
            **{"ce-specversion": "1.0", "ce-id": "e1", "ce-source": "test", "ce-type": "broker.client.opened",
               "ce-time": "2024-03-01T01:00:00Z"},
        )  # fmt: skip
    assert sent.status_code == 202, sent.text
    schema = world.database("gateway").log.schema
    rows = await world.rows(
        "gateway", f"SELECT topic, key, id, source, time FROM {schema}.log WHERE type = 'broker.client.opened'"
    )
    assert [(r["topic"], r["key"], r["id"], r["source"], r["time"].hour) for r in rows] == [
        ("careline.broker.accounts", "7c", "e1", "test", 1)
    ]


async def test_every_bad_field_of_every_event_is_pointed_at_and_nothing_kept(world: World, send) -> None:
    bad_trade = trade(commission="-5", amount=12.5, currency="USD", settled_at="2024-03-04T15:00:00")
    del bad_trade["instrument"]["symbol"]
    answer = await send(
        [
            event("broker.client.opened", opened()),
            event("broker.trade.settled", bad_trade, 2),
            event("broker.trade.settled", trade(currency="USD"), 3),
            event("broker.unheard.of", {}, 4),
            event("broker.client.opened", opened(opened_on="1889-01-01"), 5),
            event("broker.trade.settled", trade(amount="1e16"), 6),
        ]
    )
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/1/data/commission",
        "/1/data/settled_at",
        "/1/data/amount",
        "/1/data/instrument/symbol",
        "/2/data/currency",
        "/3/type",
        "/4/data/opened_on",
        "/5/data/amount",
    }
    assert await _on_log(world) == 0


@pytest.mark.parametrize(
    ("body", "media", "status", "pointer"),
    [
        (b"{", ONE, 400, None),
        (b"\xff\xfe{}", ONE, 400, None),
        (b"[]x", MANY, 400, None),
        (b"{}", MANY, 422, ""),
        (b"{}", ONE, 422, "/specversion"),
        (b"[1]", MANY, 422, "/0"),
        (b"[]", "text/plain", 415, None),
        (event("broker.client.opened", {"client_id": 7}), ONE, 422, "/data/client_id"),
        (event("broker.client.opened", opened(), specversion="0.3"), ONE, 422, "/specversion"),
        (event("broker.client.opened", opened(), time="2024-03-01T00:00:00"), ONE, 422, "/time"),
        (event("broker.client.opened", opened(), id=""), ONE, 422, "/id"),
        (event("broker.client.opened", None), ONE, 422, "/data"),
        (event("broker.client.opened", opened(name="x" * 70_000)), ONE, 422, "/data"),
        (event("broker.client.opened", opened(opened_on="2091-01-01")), ONE, 422, "/data/opened_on"),
    ],
)
async def test_what_is_no_event_is_refused(
    world: World, send, body: Any, media: str, status: int, pointer: str | None
) -> None:
    answer = await send(body, media)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if pointer is not None:
        assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert await _on_log(world) == 0


async def test_batches_have_a_limit_and_bodies_too(world: World, send) -> None:
    too_many = await send([event("broker.client.opened", opened(f"c{n}"), n) for n in range(1001)])
    assert (too_many.status_code, too_many.json()["type"]) == (413, "/problems/too-large")
    too_long = await send(b" " * 16_000_001)
    assert too_long.status_code == 413
    full = await send([event("broker.client.opened", opened(f"c{n}"), n) for n in range(1000)])
    assert full.status_code == 202
    assert await _on_log(world) == 1000


async def test_a_close_reaches_every_partition_of_every_topic_and_none_is_later_than_today(world: World, send) -> None:
    today = business_date(utc_now())
    late = await send([event("broker.day.closed", {"business_date": (today + timedelta(days=1)).isoformat()})])
    assert (late.status_code, late.json()["errors"][0]["pointer"]) == (422, "/0/data/business_date")
    day = (today - timedelta(days=1)).isoformat()
    assert (await send([event("broker.day.closed", {"business_date": day})])).status_code == 202
    assert await _on_log(world) == len(TOPICS) * world.settings.partitions
    assert (await world.value("gateway", "SELECT published_through FROM home")).isoformat() == day


async def test_the_first_fact_makes_the_home_real_and_a_replayed_home_takes_none(world: World, send) -> None:
    assert await world.value("gateway", "SELECT timeline FROM home") is None
    both = await asyncio.gather(*(send([event("broker.client.opened", opened(f"c{n}"), n)]) for n in range(8)))
    assert {answer.status_code for answer in both} == {202}
    assert await world.value("gateway", "SELECT timeline FROM home") == "real"
    schema = world.database("gateway").log.schema
    told = await world.value("gateway", f"SELECT count(*) FROM {schema}.log WHERE type = 'platform.timeline.decided'")
    assert told == len(TOPICS) * world.settings.partitions + 1
    async with world.database("gateway").unit_of_work() as uow:
        await uow.sql.execute("UPDATE home SET timeline = 'simulated'")
    refused = await send([event("broker.client.opened", opened())], **{"accept-language": "zh"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/simulated-home")
    assert "CARELINE_HOME" in refused.json()["detail"]


async def test_only_systems_send_events(http: httpx.AsyncClient, bearer) -> None:
    for role in set(Role) - {Role.SYSTEM}:
        headers = bearer(role, branch_id="B1", client_id="c") | {"content-type": MANY}
        assert (await http.post("/v1/events", content=b"[]", headers=headers)).status_code == 403
    assert (await http.post("/v1/events", content=b"[]", headers={"content-type": MANY})).status_code == 401
