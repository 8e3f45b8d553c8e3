"""Classification over REST: what a reader sees, why, what was known when, grants and policies by two persons."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.actor import Actor, Role
from chassis.clock import business_date, utc_now
from contracts.points import UpgradeApproved
from services.classification.policies import as_body
from services.classification.policy import Policies
from services.classification.recalibration import NotEnoughYears, keep_draft, propose
from tests.classification.facts import CLIENT, FIRST, day, opened, trade, valued
from tests.world import World

OWN = Actor(CLIENT, Role.CLIENT, client_id=CLIENT)
OTHER = Actor("c-9", Role.CLIENT, client_id="c-9")
AGENT = Actor("ann", Role.AGENT, branch_id="B1", purpose="test")
STRANGER = Actor("bob", Role.AGENT, branch_id="B2", purpose="test")
MAKER = Actor("mia", Role.HQ, purpose="test")
CHECKER = Actor("max", Role.HQ, purpose="test")
CLIENTS = "/v1/classification/clients"


async def settled(world: World) -> None:
    """A client that is GOLD by assets from February on and PLATINUM by commission from the 5th."""
    await world.publish(opened(), opened("c-2", branch="B2"), valued(FIRST, "600000"), trade("t-1", day(34), "10000"))
    await world.close(FIRST)
    await world.close(day(40))


async def get(world: World, actor: Actor, path: str, **query: Any) -> httpx.Response:
    async with world.client("classification", actor) as http:
        return await http.get(path, params=query)


async def test_a_client_reads_class_and_tier_now_and_earlier(world: World) -> None:
    await settled(world)
    now = (await get(world, OWN, f"{CLIENTS}/{CLIENT}")).raise_for_status().json()
    assert (now["class"]["code"], now["class"]["asset_mean"], now["tier"]["code"]) == ("C", "600000.00", "PLATINUM")
    earlier = (await get(world, OWN, f"{CLIENTS}/{CLIENT}", as_of=str(day(33)))).json()
    assert (earlier["tier"]["code"], earlier["tier"]["since"]) == ("GOLD", "2024-02-01")
    first = (await get(world, OWN, f"{CLIENTS}/{CLIENT}", as_of=str(day(29)))).json()
    assert (first["class"], first["tier"]["code"]) == (None, "NORMAL")


async def test_why_in_both_languages(world: World) -> None:
    await settled(world)
    why = (await get(world, OWN, f"{CLIENTS}/{CLIENT}/explain")).raise_for_status().json()
    assert why["class"]["rule"]["ids"] == ["K1", "K2", "K2a"]
    assert why["class"]["inputs"]["known_days"] == 31
    assert "600000.00" in why["class"]["sentence"]["en"]
    assert "分类为 C" in why["class"]["sentence"]["zh-CN"]
    assert why["tier"]["inputs"]["commission_12_months"] == "10000"
    assert why["tier"]["inputs"]["entitled"] == "PLATINUM"
    assert "白金卡" in why["tier"]["sentence"]["zh-CN"]
    assert why["tier"]["policy"] == "tiers/shipped-1"


async def test_what_was_known_stays_readable_after_a_late_fact(world: World) -> None:
    """Bitemporal: the tier at T as known at U."""
    await settled(world)
    before = await world.value("classification", "SELECT clock_timestamp()")
    await world.publish(valued(day(3), "6000000"))
    await world.settle()
    now = (await get(world, OWN, f"{CLIENTS}/{CLIENT}/history")).json()
    then = (await get(world, OWN, f"{CLIENTS}/{CLIENT}/history", known_at=before.isoformat())).json()
    assert [(s["tier"], s["from"]) for s in now["tiers"]] == [("NORMAL", "2024-01-01"), ("DIAMOND", "2024-02-01")]
    assert [(s["tier"], s["from"]) for s in then["tiers"]] == [
        ("NORMAL", "2024-01-01"), ("GOLD", "2024-02-01"), ("PLATINUM", "2024-02-05"),
    ]  # fmt: skip
    assert (now["classes"][0]["code"], then["classes"][0]["code"]) == ("A+", "C")
    as_known = await get(world, OWN, f"{CLIENTS}/{CLIENT}", known_at=before.isoformat())
    assert (as_known.json()["class"]["code"], as_known.json()["tier"]["code"]) == ("C", "PLATINUM")


async def test_nobody_sees_another_clients_or_branchs_data(world: World) -> None:
    await settled(world)
    assert (await get(world, AGENT, f"{CLIENTS}/{CLIENT}")).status_code == 200
    for actor in (OTHER, STRANGER):
        for path in ("", "/explain", "/history", "/grants"):
            assert (await get(world, actor, f"{CLIENTS}/{CLIENT}{path}")).status_code == 404
    assert (await get(world, OTHER, CLIENTS)).status_code == 403


async def test_lists_by_tier_class_and_branch(world: World) -> None:
    await settled(world)

    async def listed(actor: Actor, **query: str) -> list[str]:
        answer = (await get(world, actor, CLIENTS, **query)).raise_for_status().json()
        return [item["client_id"] for item in answer["items"]]

    assert await listed(MAKER) == [CLIENT, "c-2"]
    assert await listed(MAKER, tier="PLATINUM") == [CLIENT]
    assert await listed(MAKER, **{"class": "G"}) == ["c-2"]
    assert await listed(MAKER, branch="B2") == ["c-2"]
    assert await listed(AGENT) == [CLIENT]
    assert (await get(world, MAKER, CLIENTS, tier="IRON")).status_code == 422
    page = (await get(world, MAKER, CLIENTS, limit=1)).json()
    assert [
        i["client_id"] for i in (await get(world, MAKER, CLIENTS, limit=1, cursor=page["next"])).json()["items"]
    ] == ["c-2"]


async def post(world: World, actor: Actor, path: str, body: Any = None, **headers: str) -> httpx.Response:
    async with world.client("classification", actor, **headers) as http:
        return await http.post(path, json=body)


async def test_a_grant_counts_once_a_second_person_approves(world: World) -> None:
    """T5."""
    await settled(world)
    today = business_date(utc_now())
    wanted = {
        "tier": "DIAMOND",
        "since": str(today),
        "until": str(today + timedelta(days=30)),
        "reason": "opening of a family office",
    }
    made = await post(world, MAKER, f"{CLIENTS}/{CLIENT}/grants", wanted, idempotency_key="g-1")
    assert (made.status_code, made.json()["state"]) == (201, "proposed")
    again = await post(world, MAKER, f"{CLIENTS}/{CLIENT}/grants", wanted, idempotency_key="g-1")
    assert again.json()["grant_id"] == made.json()["grant_id"]
    approval = f"/v1/classification/grants/{made.json()['grant_id']}/approval"
    tag = made.headers["etag"]
    assert (await post(world, CHECKER, approval)).status_code == 428
    assert (await post(world, CHECKER, approval, if_match='"7"')).status_code == 412
    assert (await post(world, MAKER, approval, if_match=tag)).status_code == 403
    assert (await post(world, CHECKER, approval, if_match=tag)).json()["state"] == "approved"
    assert (await post(world, CHECKER, approval, if_match='"2"')).status_code == 409
    stretches = (await get(world, OWN, f"{CLIENTS}/{CLIENT}/history")).json()["tiers"]
    assert stretches[-2:] == [
        {"tier": "DIAMOND", "from": str(today), "to": str(today + timedelta(days=30)), "reason": "grant"},
        {"tier": "PLATINUM", "from": str(today + timedelta(days=30)), "to": None, "reason": "grant_ended"},
    ]
    acts = await world.rows("classification", "SELECT actor, action FROM audit WHERE action LIKE 'grant%' ORDER BY at")
    assert [(a["actor"], a["action"]) for a in acts] == [("mia", "grant.asked"), ("max", "grant.approved")]


async def test_a_tier_bought_with_points_is_granted_once_with_its_source(world: World) -> None:
    """T5, P4."""
    await settled(world)
    since = business_date(utc_now())
    until = since + timedelta(days=365)
    bought = UpgradeApproved(
        application_id=UUID(int=7), client_id=CLIENT, tier="DIAMOND", since=since, until=until, mode="SPEND"
    )
    await world.publish(bought, bought)
    await world.settle()
    tiers = (await get(world, OWN, f"{CLIENTS}/{CLIENT}/history")).json()["tiers"]
    assert [(one["tier"], one["from"], one["reason"]) for one in tiers[-2:]] == [
        ("DIAMOND", str(since), "grant"),
        ("PLATINUM", str(until), "grant_ended"),
    ]
    (grant,) = (await get(world, MAKER, f"{CLIENTS}/{CLIENT}/grants")).json()["items"]
    assert (grant["made_by"], grant["reason"]) == ("points", f"points application {UUID(int=7)}")


@pytest.mark.parametrize(
    "fault", [{"until": "2001-01-01"}, {"tier": "NORMAL"}, {"reason": "x"}, {"since": "yesterday"}]
)
async def test_a_grant_that_makes_no_sense_is_refused(world: World, fault: dict[str, str]) -> None:
    await settled(world)
    today = business_date(utc_now())
    wanted = {"tier": "GOLD", "since": str(today), "until": str(today + timedelta(days=3)), "reason": "a good one"}
    answer = await post(world, MAKER, f"{CLIENTS}/{CLIENT}/grants", wanted | fault, idempotency_key="g-2")
    assert answer.status_code == 422
    assert await world.value("classification", "SELECT count(*) FROM grants") == 0


async def test_a_policy_is_tried_proposed_and_published_by_another(world: World) -> None:
    await settled(world)
    body = as_body(Policies().classes.on(FIRST).body)
    narrow = body | {"rows": [row | {"assets_from": "700000"} if row["code"] in "CD" else row for row in body["rows"]]}
    path = "/v1/classification/policies/classes"
    tomorrow = str(business_date(utc_now()) + timedelta(days=1))
    refused = await post(
        world, MAKER, path, {"effective_on": tomorrow, "body": narrow, "reason": "a hole"}, idempotency_key="p-1"
    )
    assert refused.status_code == 422
    assert any("gap" in found for found in refused.json()["counter_examples"])
    wider = [row | ({"assets_to": "700000"} if row["code"] in ("C-", "D-") else {}) for row in narrow["rows"]]
    draft = {"effective_on": tomorrow, "body": narrow | {"rows": wider}, "reason": "fewer in C and D"}
    moves = (await post(world, MAKER, f"{path}/shadow", {"body": draft["body"]})).raise_for_status().json()
    assert (moves["evaluated"], moves["moves"]) == (2, [{"aspect": "class", "from": "C", "to": "C-", "clients": 1}])
    made = (await post(world, MAKER, path, draft, idempotency_key="p-2")).raise_for_status().json()
    publication = f"{path}/{made['version']}/publication"
    assert (await post(world, MAKER, publication)).status_code == 403
    assert (await post(world, CHECKER, publication)).json()["state"] == "published"
    assert (await post(world, CHECKER, publication)).status_code == 409
    past = await post(world, MAKER, path, draft | {"effective_on": "2020-01-01"}, idempotency_key="p-3")
    assert past.json()["errors"][0]["pointer"].endswith("/effective_on")


async def test_a_branchs_override_classifies_its_clients_only(world: World) -> None:
    """a.3: proposed by the branch, approved by headquarters, dated."""
    body = as_body(Policies().classes.on(FIRST).body) | {"turnover_threshold": "0.01"}
    async with world.database("classification").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at, checked_at)
               VALUES ('classes', 'B2', 1, '2024-01-15', $1, 'r', 'published', 'm', now(), now())""",
            body,
        )
    for client, branch in ((CLIENT, "B1"), ("c-2", "B2")):
        await world.publish(
            opened(client, branch=branch), valued(FIRST, "600000", client), trade("t", FIRST, "0", client, "60000")
        )
    await world.close(FIRST)
    await world.close(day(30))
    rows = await world.rows(
        "classification", "SELECT client_id, code, policy FROM months WHERE code IS NOT NULL ORDER BY 1"
    )
    assert [(r["code"], r["policy"]) for r in rows] == [("C", "classes/shipped-1"), ("D", "classes/B2/1")]


async def test_the_threshold_of_a_year_is_the_mean_turnover_of_the_years_before(world: World) -> None:
    await world.publish(opened(), valued(FIRST, "1000"), trade("t", day(3), "0", amount="2500"))
    await world.close(FIRST)
    await world.close(day(365))
    async with world.sql("classification") as sql:
        found = await propose(sql, 2025, years=1)
        assert (str(found.threshold), found.effective_on.isoformat()) == ("2.50", "2025-01-01")
        with pytest.raises(NotEnoughYears) as refused:
            await propose(sql, 2025)
    assert refused.value.members["missing"] == [2022, 2023]


async def test_a_new_years_threshold_is_proposed_and_published_in_its_first_days(world: World) -> None:
    """a.6: December closes on 1 January; the first months of the home have nobody in them. Two persons publish it for 1 January
    until the tenth, having seen by a shadow run whom it moves; nothing was decided by it meanwhile that is to be restated."""
    await world.close(FIRST)
    await world.close(day(60))
    await world.publish(opened(on=day(70)), valued(day(70), "1000"), trade("t", day(80), "0", amount="2500"))
    await world.close(day(365))
    async with world.database("classification").unit_of_work(MAKER) as uow:
        found = await propose(uow.sql, 2025, years=1)
        assert [(year.year, str(year.traded)) for year in found.years] == [(2024, "2500")]
        version = await keep_draft(uow, found)
    body = as_body(Policies().classes.on(FIRST).body) | {"turnover_threshold": str(found.threshold)}
    run = (await post(world, CHECKER, "/v1/classification/policies/classes/shadow", {"body": body})).raise_for_status()
    assert (run.json()["evaluated"], run.json()["moves"]) == (1, [])
    before = await world.rows("classification", "SELECT * FROM months WHERE month_end <= '2024-12-31' ORDER BY 1, 2")
    await world.close(day(374))  # it is the tenth
    path = f"/v1/classification/policies/classes/{version}/publication"
    assert (await post(world, MAKER, path)).status_code == 403
    (await post(world, CHECKER, path)).raise_for_status()
    for on, name in ((day(365), "classes/shipped-1"), (day(366), f"classes/{version}")):
        there = await get(world, MAKER, "/v1/classification/policies/classes/in-force", on=str(on))
        assert there.json()["version"] == name
    await world.close(day(375))
    late = {"effective_on": "2025-01-01", "body": body, "reason": "on the eleventh"}
    refused = await post(world, MAKER, "/v1/classification/policies/classes", late, idempotency_key="late")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/effective_on")
    await world.close(day(396))
    assert await world.rows("classification", "SELECT policy FROM months WHERE month_end = '2025-01-31'") == [
        {"policy": f"classes/{version}"}
    ]
    after = await world.rows("classification", "SELECT * FROM months WHERE month_end <= '2024-12-31' ORDER BY 1, 2")
    assert after == before


async def test_a_grant_approved_late_counts_from_then_or_not_at_all(world: World) -> None:
    """T5."""
    await settled(world)
    until = {"g-1": day(60), "g-2": day(43)}
    made = {}
    for key, last in until.items():
        wanted = {"tier": "DIAMOND", "since": str(day(41)), "until": str(last), "reason": "office"}
        made[key] = await post(world, MAKER, f"{CLIENTS}/{CLIENT}/grants", wanted, idempotency_key=key)
        assert made[key].status_code == 201
    await world.close(day(49))
    for key, status in (("g-1", 200), ("g-2", 409)):
        path = f"/v1/classification/grants/{made[key].json()['grant_id']}/approval"
        answer = await post(world, CHECKER, path, if_match=made[key].headers["etag"])
        assert answer.status_code == status
    stretches = (await get(world, OWN, f"{CLIENTS}/{CLIENT}/history")).json()["tiers"]
    assert [(one["from"], one["to"]) for one in stretches if one["tier"] == "DIAMOND"] == [(str(day(50)), str(day(60)))]
