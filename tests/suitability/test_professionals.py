"""Professional investors: one dated status per client, proven by what the article asks for [Q6, Art. 8, Art. 11]."""

from datetime import date
from typing import Any

import pytest

from services.suitability.policy import Policies, ProfessionalClass
from services.suitability.rules import unproven
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    MANAGER,
    PROVEN,
    SECOND_COMPLIANCE,
    Desk,
    assessed,
    bought,
    client,
    opened,
    professional,
    today,
)
from tests.suitability.test_days import events
from tests.world import World

ME = client("c-1")
POLICY = Policies().on(date(2026, 1, 1))
RICH = {"financial_assets": 5_000_000, "experience_years": 2}
CONVERTED = {"application": 1, "financial_assets": 3_000_000, "experience_years": 1, "knowledge_test": 80}


@pytest.mark.parametrize(
    ("category", "kind", "proven", "lacking"),
    [
        ("B", "individual", RICH, []),
        ("B", None, RICH, []),
        ("B", "individual", {"average_income": 500_000, "professional_background": 1}, []),
        ("B", "individual", RICH | {"financial_assets": 4_999_999}, ["financial_assets"]),
        ("B", "individual", RICH | {"experience_years": 1}, ["experience_years"]),
        ("B", "individual", {}, ["financial_assets", "experience_years"]),
        ("A", "individual", {"licence": 1}, None),
        ("A", "institution", {"licence": 1}, []),
        ("A", "institution", {"net_assets": 10**9}, ["licence"]),
        ("B", "institution", RICH, ["net_assets", "financial_assets"]),
        ("C", "individual", CONVERTED, []),
        ("C", "individual", CONVERTED | {"knowledge_test": 79}, ["knowledge_test"]),
        ("C", "individual", {k: v for k, v in CONVERTED.items() if k != "application"}, ["application"]),
    ],
)
def test_q6_what_the_article_asks_for(
    category: ProfessionalClass, kind: str | None, proven: dict[str, int], lacking: list[str] | None
) -> None:
    found = unproven(category, kind, proven, POLICY)
    assert (found if found is None else [next(iter(line)) for line in found]) == lacking


async def begun(world: World, desk: Desk) -> date:
    """A home whose today lies behind us, with a cautious client and what they may not buy."""
    day = await today(world) - DAY * 800
    await world.publish(opened("c-1"), assessed("c-1", "VERY_LOW", day - DAY * 60))
    await world.close(day - DAY)
    await desk.keep("FUND", kind="fund:equity")
    return day


async def outcome(desk: Desk) -> str:
    answer: str = (await desk.decide(ME, "c-1", "FUND"))["outcome"]
    return answer


async def test_q6_a_request_without_its_items_is_no_request(world: World, desk: Desk) -> None:
    await begun(world, desk)
    for items in ([], PROVEN[:1], [*PROVEN[:1], {"item": "experience_years", "value": 1, "evidence": "e"}]):
        refused = await desk.post(DESK, "/clients/c-1/professional", {"professional_class": "B", "items": items}, 422)
        assert refused["type"].endswith("proof-incomplete")
    for items in ([{"item": "wealth", "evidence": "e"}], [{"item": "licence"}]):
        await desk.post(DESK, "/clients/c-1/professional", {"professional_class": "B", "items": items}, 422)
    other = {"professional_class": "A", "items": [{"item": "licence", "evidence": "e"}]}
    await desk.post(DESK, "/clients/c-1/professional", other, 409)
    assert await world.value("suitability", "SELECT count(*) FROM professionals") == 0


async def test_q6_one_status_however_often_it_was_approved(world: World, desk: Desk) -> None:
    """Two requests approved, the newer ended by the client: ordinary again."""
    day = await begun(world, desk)
    first = await professional(desk, "c-1")
    await world.close(day + DAY * 9)
    second = await professional(desk, "c-1")
    assert await outcome(desk) == "PASS"
    await desk.post(ME, f"/professionals/{first}/end", {"reason": "x"}, 409)  # replaced by the second
    await desk.post(ME, f"/professionals/{second}/end", {"reason": "ordinary again"}, 200)
    assert await outcome(desk) == "BLOCK"
    found = await desk.get(ME, "/clients/c-1/professional")
    assert (found["category"], [one["category"] for one in found["history"]]) == (None, ["B", None])
    then = await desk.get(ME, f"/clients/c-1/professional?as_of={day + DAY * 5}")
    assert (then["category"], then["request_id"], then["since"]) == ("B", first, str(day))
    assert {item["item"] for item in then["items"]} == {item["item"] for item in PROVEN}
    told = [(e["changed_from"], e["stretches"]) for e in await events(world, "professional.changed")]
    assert told[-1] == (str(day + DAY * 10), [{"since": str(day + DAY * 10)}])
    assert (await desk.get(DESK, "/clients/c-1"))["professional"]["category"] is None


async def test_q6_it_waits_for_a_second_person_in_the_queue(world: World, desk: Desk) -> None:
    await begun(world, desk)
    asked = await desk.post(MANAGER, "/clients/c-1/professional", {"professional_class": "B", "items": PROVEN})
    assert (await desk.get(ME, "/clients/c-1/professional"))["waiting"] == asked["request_id"]
    again = {"professional_class": "B", "items": PROVEN}
    await desk.post(MANAGER, "/clients/c-1/professional", again, 409)
    [waiting] = (await desk.get(COMPLIANCE, "/approvals?kind=professional"))["items"]
    assert waiting["after"]["category"] == "B"
    path = f"/professionals/{asked['request_id']}/decision"
    await desk.post(MANAGER, path, {"approve": True}, 403)
    rejected = await desk.post(COMPLIANCE, path, {"approve": False}, 200)
    assert rejected["state"] == "rejected"
    await desk.approve(SECOND_COMPLIANCE, waiting, 409)
    assert await outcome(desk) == "BLOCK"
    assert (await desk.post(DESK, "/clients/c-1/professional", again))["state"] == "requested"


async def test_art_11_a_conversion_waits(world: World, desk: Desk) -> None:
    await begun(world, desk)
    items = [{"item": item, "value": value, "evidence": f"e-{item}"} for item, value in CONVERTED.items()]
    asked = await desk.post(ME, "/clients/c-1/professional", {"professional_class": "C", "items": items})
    early = await desk.approve(COMPLIANCE, asked, 409)
    assert early["type"].endswith("cooling-time-running")
    async with world.database("suitability").unit_of_work() as uow:
        await uow.sql.execute("UPDATE professionals SET made_at = made_at - interval '24 hours'")
    await desk.approve(COMPLIANCE, asked)
    assert await outcome(desk) == "PASS"


async def test_q6_reminders_at_30_7_and_1_days_then_ordinary_with_what_is_no_longer_covered(
    world: World, desk: Desk
) -> None:
    day = await begun(world, desk)
    await professional(desk, "c-1")
    await world.publish(bought("c-1", "t-1", day, "FUND", "fund:equity"))
    until = date.fromisoformat((await desk.get(ME, "/clients/c-1/professional"))["until"])
    await world.close(until - DAY)
    assert [e["days_left"] for e in await events(world, "professional.expiring")] == [30, 7, 1]
    assert await events(world, "professional.expired") == []
    await world.close(until)
    assert [e["valid_until"] for e in await events(world, "professional.expired")] == [str(until)]
    drifted = [e for e in await events(world, "match.drifted") if e["cause"] == "professional_ended"]
    assert [(e["found_on"], e["products"][0]["product"]) for e in drifted] == [(str(until + DAY), "FUND")]  # type: ignore[index]


async def test_art_11_what_is_taken_back_is_watched(world: World, desk: Desk) -> None:
    day = await begun(world, desk)
    request_id = await professional(desk, "c-1")
    await world.publish(bought("c-1", "t-1", day, "FUND", "fund:equity"))
    await world.close(day)
    await desk.post(ME, f"/professionals/{request_id}/end", {"reason": "ordinary again"}, 200)
    await world.publish(bought("c-1", "t-2", day + DAY, "FUND", "fund:equity"))
    await world.close(day + DAY)
    causes: list[Any] = [e["cause"] for e in await events(world, "match.drifted")]
    assert causes.count("professional_ended") == 1
    found = await world.rows("suitability", "SELECT trade_id, reason FROM mismatches")
    assert [row["trade_id"] for row in found] == ["t-2"]
