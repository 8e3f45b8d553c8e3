"""The library and rates over HTTP, on a real database: simulate, move products, X and what follows from it."""

from datetime import date, datetime, timedelta
from typing import Any

from chassis.clock import at
from services.products.rates import UnknownCommission
from tests.products.facts import AGENT, CHECKER, DAY, DESK, OPENED, agreed, close, get, hear, opened, post, told
from tests.world import World


async def test_fees_are_simulated_and_what_makes_no_sense_is_refused(shop: World) -> None:
    answer = (await post(shop, "/fees/simulate", {"x": "0.5", "products": ["A"]})).json()
    assert (answer["rate"], answer["no_uplift"], answer["included"]) == ("1.5", False, ["SMS1", "SMS2", "SMS3"])
    assert set(answer["why"]) == {"en", "zh-CN"}
    several = (await post(shop, "/fees/simulate", {"x": "1", "products": ["A", "B", "SMS1", "QUERY"]}, AGENT)).json()
    assert (several["rate"], several["monthly"], several["replaced"]) == ("2.5", "20.00", ["A"])
    paid = (await post(shop, "/fees/simulate", {"x": "1.25", "products": ["SMS1", "SMS3"]})).json()
    assert (paid["rate"], paid["monthly"], paid["no_uplift"]) == ("1.25", "45.00", False)
    for body, pointer in (
        ({"x": "3.0001", "products": ["A"]}, "/x"),
        ({"x": "0.50001", "products": ["A"]}, "/x"),
        ({"x": "-1", "products": ["A"]}, "/x"),
        ({"x": 0.5, "products": ["A"]}, "/x"),
        ({"x": "0.5", "products": ["A", "Z"]}, "/products/1"),
        ({"x": "0.5"}, "/products"),
    ):
        wrong = await post(shop, "/fees/simulate", body)
        assert wrong.status_code == 422, body
        assert wrong.json()["errors"][0]["pointer"].endswith(pointer), wrong.text


async def test_clients_see_what_stands_on_the_shelf_and_each_move_takes_two_persons_s7(shop: World) -> None:
    await close(shop, DAY)
    offered = (await get(shop, "/catalogue")).json()["items"]
    assert [one["code"] for one in offered] == ["FREE", "SMS1", "SMS2", "SMS3", "A", "B", "C", "E", "QUERY"]
    assert next(one for one in offered if one["code"] == "B")["price"] == {
        "add": "1.5", "cap": "2.5", "monthly": None, "bands": []
    }  # fmt: skip
    first = await told(shop, "products.product.changed", "product:A")
    assert [(one["revision"], one["changed_from"]) for one in first] == [(1, "1990-01-01")]
    assert first[0]["stretches"] == [{"since": "1990-01-01", "shelf": "on_shelf", "floor": "LOW", "rank": 1}]

    asked = await post(shop, "/library/A/suspend", {"reason": "no adviser on duty"}, DESK)
    assert asked.status_code == 202, asked.text
    decision = f"/approvals/{asked.json()['approval_id']}/approve"
    assert (await post(shop, decision, {"because": "agreed"}, DESK)).status_code == 403
    assert (await post(shop, decision, {"because": "agreed"}, CHECKER)).status_code == 200
    seen = (await get(shop, "/library/A", AGENT)).json()
    assert (seen["state"], [step["act"] for step in seen["history"]]) == ("suspended", ["suspend"])
    assert "A" not in [one["code"] for one in (await get(shop, "/catalogue")).json()["items"]]
    [_, second] = await told(shop, "products.product.changed", "product:A")
    assert (second["revision"], [one["shelf"] for one in second["stretches"]]) == (2, ["suspended"])
    again = await post(shop, "/library/A/suspend", {"reason": "twice"}, DESK)
    assert (again.status_code, again.json()["type"].rsplit("/", 1)[-1]) == (409, "illegal-move")
    assert (await post(shop, "/library/A/put_on_shelf", {"reason": "back"}, AGENT)).status_code == 403


async def test_d_stays_off_the_shelf_without_the_firms_licence(shop: World) -> None:
    async def move(what: str) -> Any:
        asked = await post(shop, f"/library/D/{what}", {"reason": "as planned"}, DESK)
        if asked.status_code != 202:
            return asked
        decided = await post(shop, f"/approvals/{asked.json()['approval_id']}/approve", {"because": "so"}, CHECKER)
        assert decided.status_code == 200, decided.text
        return decided

    await move("review")
    refused = await move("put_on_shelf")
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (409, "licence-missing")
    [shelve] = [act for act in (await get(shop, "/library/D", DESK)).json()["acts"] if act["act"] == "put_on_shelf"]
    assert (shelve["can"], "asset_management" in shelve["why_not"]["en"]) == (False, True)
    async with shop.client("products", DESK, idempotency_key="k-1") as http:
        day = (await http.get("/v1/products/policies/firm/in-force")).json()["effective_on"]
        draft = {"effective_on": str(date(2098, 1, 1)), "body": {"licences": ["asset_management"]}, "reason": "granted"}
        assert (await http.post("/v1/products/policies/firm", json=draft)).status_code == 201, day


async def test_x_is_the_highest_word_of_a_day_and_can_be_withdrawn_s1(shop: World) -> None:
    await hear(shop, opened())
    unknown = await get(shop, "/clients/c-1/fee-rate")
    assert (unknown.status_code, unknown.json()["type"].rsplit("/", 1)[-1]) == (409, UnknownCommission.name())
    first, second = at(date(2024, 1, 2), 9), at(date(2024, 1, 3), 9)
    later = date(2024, 6, 3)
    await hear(shop, agreed("0.8", agreement="x-2"), at=second)
    await hear(shop, agreed("0.5", agreement="x-1"), at=first)  # said before: x-2 stays
    assert await rate_of(shop) == "0.8"
    await hear(shop, agreed("1.2", later, "x-3"), at=second)
    await hear(shop, agreed("2.0", OPENED, "x-4", account_id="a-9"), at=second)
    assert await rate_of(shop) == "0.8"
    assert await rate_of(shop, later) == "1.2"
    await hear(shop, agreed("0.8", agreement="x-2", withdrawn=True), at=second + timedelta(hours=1))
    assert await rate_of(shop) == "0.5"
    changes = await told(shop, "products.fee_rate.changed", "c-1")
    assert [one["revision"] for one in changes] == [1, 2, 3, 4]
    assert changes[-1]["changed_from"] == str(OPENED)
    assert [(one["since"], one.get("account_id"), one["rate"]) for one in changes[-1]["stretches"]] == [
        (str(OPENED), None, "0.5"), (str(later), None, "1.2"), (str(OPENED), "a-9", "2.0")
    ]  # fmt: skip


async def test_the_same_agreements_give_the_same_rates_in_whatever_order_and_how_often_they_come(shop: World) -> None:
    words = [
        (agreed("0.8", agreement="x-2"), 3), (agreed("0.5", agreement="x-1"), 1), (agreed("0.6", OPENED, "x-1"), 4),
        (agreed("0.8", agreement="x-2", withdrawn=True), 5), (agreed("1.0", DAY, "x-5"), 2),
    ]  # fmt: skip
    ids: dict[tuple[str, int], str] = {}
    for client, order in (("c-1", words), ("c-2", words[::-1]), ("c-3", [*words[2:], *words])):
        for word, hour in order:
            event = agreed(str(word.rate), word.effective_on, word.agreement_id, client, withdrawn=word.withdrawn)
            name = ids.setdefault((client, hour), f"w-{client}-{hour}")
            await shop.publish(event, at=at(OPENED, hour), id=name)
        await shop.settle()
    found = [
        row["stretches"] for row in await shop.rows("products", "SELECT stretches FROM fee_rates ORDER BY client_id")
    ]
    assert found[0] == found[1] == found[2]
    assert [one["rate"] for one in found[0]] == ["0.6", "1.0"]


async def test_rates_are_read_as_they_were_known_and_of_another_branch_by_nobody(shop: World) -> None:
    await hear(shop, opened(), opened("c-2", "B2"), agreed("0.5"), agreed("0.7", client="c-2"))
    known: datetime = await shop.value("products", "SELECT clock_timestamp()")
    await hear(shop, agreed("0.9", agreement="x-7"), at=at(date(2024, 2, 1), 9))
    assert await rate_of(shop) == "0.9"
    before = (await get(shop, "/clients/c-1/fee-rate", known_at=known.isoformat())).json()
    assert (before["rate"], before["x"]) == ("0.5", "0.5")
    assert (await get(shop, "/clients/c-2/fee-rate", AGENT)).status_code == 404
    assert (await get(shop, "/clients/c-1/fee-rate", AGENT)).status_code == 200


async def test_a_commission_above_three_per_mille_is_a_dead_letter(shop: World) -> None:
    await hear(shop, agreed("3.0001"), agreed("1.1", client="c-2"))
    assert await shop.value("products", "SELECT count(*) FROM dead_letters") == 1
    assert await shop.value("products", "SELECT count(*) FROM commissions") == 1


async def rate_of(world: World, day: date = DAY) -> str:
    answer = await get(world, "/clients/c-1/fee-rate", as_of=str(day))
    assert answer.status_code == 200, answer.text
    said: str = answer.json()["rate"]
    return said
