"""Manual adjustments (手工调整) [P8]: reason, document, limits by role, a second person; statistics."""

import hashlib
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from chassis.actor import Actor, Role
from contracts.broker import ClientOpened
from services.points import adjustments, balances, holding, tiers
from services.points.ledger import Posting
from tests.points.facts import DAY, balance, close, entries, trade
from tests.world import World

MIA = Actor("mia", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")
MAX = Actor("max", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")
ANN = Actor("ann", Role.AGENT, branch_id="B1", purpose="test")
OTHER = Actor("bob", Role.BRANCH_MANAGER, branch_id="B2", purpose="test")
HQ = Actor("hanna", Role.HQ, purpose="test")
PATH = "/v1/points/clients/c-1/adjustments"


async def known(world: World) -> None:
    await world.publish(ClientOpened(client_id="c-1", branch_id="B1", opened_on=DAY), trade("t-1", "100"))
    await close(world, DAY)


async def ask(
    world: World, actor: Actor, points: str, reason: str = "SYSTEM_FAULT", key: str = "k-1", attachment: str = "doc-17"
) -> Any:
    body = {"points": points, "reason": reason, "why": "the feed was down", "attachment": attachment}
    async with world.client("points", actor) as http:
        return await http.post(PATH, json=body, headers={"idempotency-key": key})


async def decide(world: World, actor: Actor, asked: Any, what: str = "approve") -> Any:
    async with world.client("points", actor) as http:
        return await http.post(
            f"/v1/points/approvals/{asked.json()['approval_id']}/{what}", json={"because": "seen the document"}
        )


async def test_a_second_person_posts_it_and_nobody_else(ledger: World) -> None:
    await known(ledger)
    asked = await ask(ledger, ANN, "50.00")
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting"), asked.text
    assert (await ask(ledger, ANN, "50.00")).json()["approval_id"] == asked.json()["approval_id"]
    assert await balance(ledger) == (Decimal(100), 0)
    assert (await decide(ledger, ANN, asked)).status_code in (403, 404)
    assert (await decide(ledger, OTHER, asked)).status_code == 404
    done = await decide(ledger, MIA, asked)
    assert done.status_code == 200, done.text
    assert await balance(ledger) == (Decimal(150), 0)
    assert (await entries(ledger))[-1] == ("adjusted", None, Decimal(50))
    (row,) = await ledger.rows(
        "points", "SELECT debit_account, expires_on - $1::date > 700 AS lasts FROM entries WHERE kind = 'adjusted'", DAY
    )
    assert tuple(row.values()) == ("sys:adjusted", True)
    (kept,) = await ledger.rows("points", "SELECT made_by, checked_by, reason, attachment FROM adjustments")
    assert tuple(kept.values()) == ("ann", "mia", "SYSTEM_FAULT", "doc-17")


async def test_the_document_it_rests_on_is_a_file_kept_with_the_client_encrypted(ledger: World) -> None:
    await known(ledger)
    letter = b"%PDF-1.7 a letter of the client"
    name = hashlib.sha256(letter).hexdigest()
    path = "/v1/points/clients/c-1/proofs"
    assert (await ask(ledger, ANN, "50.00", attachment=name)).json()["errors"][0]["pointer"] == "/attachment"
    async with ledger.client("points", ANN) as http:
        for content, status in ((b"", 422), (b"MZ a program", 415), (letter, 201), (letter, 201)):
            assert (await http.post(path, content=content)).status_code == status
    async with ledger.client("points", OTHER) as http:
        assert (await http.post(path, content=letter)).status_code == 404
        assert (await http.get(f"{path}/{name}")).status_code == 404
    async with ledger.client("points", Actor("c-1", Role.CLIENT, client_id="c-1")) as http:
        assert (await http.post(path, content=letter)).status_code == 403
    (kept,) = await ledger.rows("points", "SELECT type, size, stored_by, content FROM proofs")
    assert (kept["type"], kept["size"], kept["stored_by"]) == ("application/pdf", len(letter), "ann")
    assert kept["content"].startswith("sealed:"), "as everything personal, under the client's own key"
    asked = await ask(ledger, ANN, "50.00", key="k-2", attachment=name)
    assert asked.status_code == 202, asked.text
    async with ledger.client("points", MIA) as http:
        seen = await http.get(f"{path}/{name}")
        assert (seen.content, seen.headers["content-type"]) == (letter, "application/pdf")
        assert (await http.get(f"{path}/{'0' * 64}")).status_code == 404
    assert (await decide(ledger, MIA, asked)).status_code == 200
    assert await ledger.value("points", "SELECT attachment FROM adjustments") == name


async def test_a_refused_one_posts_nothing(ledger: World) -> None:
    await known(ledger)
    asked = await ask(ledger, MIA, "50.00")
    assert (await decide(ledger, MAX, asked, "refuse")).status_code == 200
    assert await balance(ledger) == (Decimal(100), 0)


async def test_a_negative_one_stops_at_what_is_available(ledger: World) -> None:
    await known(ledger)
    assert (await decide(ledger, MAX, await ask(ledger, MIA, "-30.00"))).status_code == 200
    assert await balance(ledger) == (Decimal(70), 0)
    assert (await decide(ledger, MAX, await ask(ledger, MIA, "-100.00", key="k-2"))).status_code == 200
    assert await balance(ledger) == (0, 0)
    assert [points for kind, _, points in await entries(ledger) if kind == "adjusted"] == [Decimal(-30), Decimal(-70)]
    assert (await decide(ledger, MAX, await ask(ledger, MIA, "-1.00", key="k-3"))).status_code == 409


@pytest.mark.parametrize(
    ("actor", "points", "reason", "status"),
    [
        (ANN, "200.01", "OTHER", 403),
        (ANN, "-200.01", "OTHER", 403),
        (MIA, "2000.00", "OTHER", 202),
        (MIA, "2000.01", "OTHER", 403),
        (HQ, "100000.00", "OTHER", 202),
        (MIA, "0", "OTHER", 422),
        (MIA, "1.00", "BECAUSE", 422),
        (Actor("c-1", Role.CLIENT, client_id="c-1"), "1.00", "OTHER", 403),
        (OTHER, "1.00", "OTHER", 404),
    ],
)
async def test_limits_are_those_of_the_role(ledger: World, actor: Actor, points: str, reason: str, status: int) -> None:
    await known(ledger)
    assert (await ask(ledger, actor, points, reason)).status_code == status


async def test_who_agrees_needs_the_limit_too_and_it_is_counted(ledger: World) -> None:
    await known(ledger)
    asked = await ask(ledger, HQ, "5000.00")
    assert (await decide(ledger, MIA, asked)).status_code == 403
    assert (await decide(ledger, Actor("hugo", Role.HQ, purpose="test"), asked)).status_code == 200
    assert (await decide(ledger, MAX, await ask(ledger, MIA, "-20.00", key="k-2"))).status_code == 200
    window = {"since": "2022-01-01", "until": "2099-12-31"}
    async with ledger.client("points", HQ) as http:
        sums = (await http.get("/v1/points/adjustments", params=window)).raise_for_status().json()["items"]
    assert [(s["made_by"], s["branch_id"], s["size"], s["raised"], s["lowered"]) for s in sums] == [
        ("hanna", "B1", "above 1000", "5000.00", "0.00"),
        ("mia", "B1", "up to 100", "0.00", "-20.00"),
    ]
    async with ledger.client("points", OTHER) as http:
        assert (await http.get("/v1/points/adjustments", params=window)).json()["items"] == []


async def test_on_the_evening_of_a_months_end_only_the_fold_knows_what_an_act_takes(ledger: World) -> None:
    """A lot that ended that day can still be used that day, though the day is closed [4.7a]."""
    await ledger.publish(ClientOpened(client_id="c-1", branch_id="B1", opened_on=DAY))
    await ledger.publish(trade("t-1", "100"), trade("t-2", "60", day=date(2022, 8, 1)))
    ended = date(2024, 7, 31)
    await close(ledger, ended)
    assert [kind for kind, *_ in await entries(ledger)] == ["accrued", "accrued", "expired"]
    for day, taken in ((ended, 0), (date(2024, 8, 1), 50)):
        async with ledger.database("points").unit_of_work() as uow:
            locked = await balances.lock(uow.sql, ["c-1"])
            posting = Posting(uow, locked, await tiers.of(uow, ["c-1"]))
            found = await holding.take_plain(uow.sql, posting, "c-1", day, 50_00)
        assert sum(one.points for one in found) == taken * 100, day


async def test_what_ended_is_none_of_what_can_be_taken_though_its_day_is_not_closed(ledger: World) -> None:
    await ledger.publish(ClientOpened(client_id="c-1", branch_id="B1", opened_on=DAY))
    await ledger.publish(trade("t-1", "100"), trade("t-2", "60", day=date(2022, 8, 1)))
    await close(ledger, date(2022, 8, 31))
    async with ledger.database("points").reading() as sql:
        usable = [await adjustments.usable(sql, "c-1", date(2024, month, 1), 150_00) for month in (7, 8, 9)]
    assert usable == [150_00, 60_00, 0]
