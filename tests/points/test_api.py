"""The ledger over REST: what a client has, the statement, and why."""

from datetime import date

from chassis.actor import Actor, Role
from contracts.broker import ClientOpened, ClientUpdated
from tests.points.facts import DAY, cancelled, close, spend, tier, trade
from tests.world import World

OWN = Actor("c-1", Role.CLIENT, client_id="c-1")
BRANCH = Actor("ann", Role.AGENT, branch_id="B1", purpose="test")


async def open_client(ledger: World, client: str = "c-1", branch: str = "B1") -> None:
    await ledger.publish(ClientOpened(client_id=client, branch_id=branch, opened_on=date(2022, 1, 3)))


async def test_what_a_client_has_in_decimal_strings(ledger: World) -> None:
    await open_client(ledger)
    await ledger.publish(trade("t-1", "12.34"), trade("t-2", "2.60", day=date(2022, 5, 2)), trade("t-3", "1"))
    await ledger.settle()
    await spend(ledger, "c-1", 100)
    await close(ledger, date(2022, 7, 4))
    async with ledger.client("points", OWN) as http:
        answer = (await http.get("/v1/points/clients/c-1")).raise_for_status().json()
    assert answer == {
        "client_id": "c-1",
        "available": "14.94",
        "held": "0.00",
        "debt": "0.00",
        "spendable": "14",
        "next_expiries": [
            {"expires_on": "2024-05-31", "points": "1.60"},
            {"expires_on": "2024-07-31", "points": "13.34"},
        ],
        "lots": [
            {"expires_on": "2024-05-31", "points": "1.60", "held": "0.00"},
            {"expires_on": "2024-07-31", "points": "13.34", "held": "0.00"},
        ],
        "holds": [],
        "tier": "NORMAL",
        "next_tier": {"tier": "SILVER", "points": "2000.00"},
    }


async def test_the_statement_comes_in_pages_newest_first(ledger: World) -> None:
    await open_client(ledger)
    for number in range(5):
        await ledger.publish(trade(f"t-{number}", f"{number}.5", day=date(2022, 7, 1 + number % 3)))
        await ledger.settle()
    seen = []
    async with ledger.client("points", OWN) as http:
        cursor: dict[str, str] = {}
        while True:
            page = (await http.get("/v1/points/clients/c-1/entries", params={"limit": "2", **cursor})).json()
            seen += [(item["posted_on"], item["points"]) for item in page["items"]]
            if not page["next"]:
                break
            cursor = {"cursor": page["next"]}
    assert seen == [
        ("2022-07-03", "2.50"),
        ("2022-07-02", "4.50"),
        ("2022-07-02", "1.50"),
        ("2022-07-01", "3.50"),
        ("2022-07-01", "0.50"),
    ]


async def test_an_entry_says_why_in_two_languages(ledger: World) -> None:
    await open_client(ledger)
    await ledger.publish(trade("t-1", "12.34"))
    await ledger.settle()
    await ledger.publish(tier(1, DAY, (DAY, "SILVER")))
    await ledger.settle()
    await ledger.publish(cancelled("t-1", "10"))
    await ledger.settle()
    async with ledger.client("points", OWN) as http:
        items = (await http.get("/v1/points/clients/c-1/entries")).json()["items"]
        by_kind = {item["kind"]: item for item in items}
        path = f"/v1/points/clients/c-1/entries/{by_kind['corrected']['entry_id']}/explain"
        why = (await http.get(path)).raise_for_status().json()
        then = (await http.get(path, params={"as_of": "2022-07-04"})).raise_for_status().json()
        before = await http.get(path, params={"as_of": "2022-06-30"})
    assert why["inputs"] == {
        "commission": "12.34",
        "tier": "SILVER",
        "multiplier": "1.1",
        "trade_id": "t-1",
        "trade_date": "2022-07-01",
        "posted_before": "12.34",
    }
    assert (why["rule"]["id"], why["policy"], why["points"]) == ("P1", "points/shipped-1", "1.23")
    assert why["original"] == by_kind["accrued"]["entry_id"]
    assert (why["trade_total"], then["trade_total"]) == ("11.00", "13.57")
    assert why["sentence"]["en"] == (
        "Trade t-1 was corrected: commission 12.34 CNY x 1.1 (silver tier on 2022-07-01) is 13.57 points; "
        "12.34 were posted before, so 1.23 points followed."
    )
    assert "佣金 12.34 元 × 1.1" in why["sentence"]["zh-CN"]
    assert "银卡" in why["sentence"]["zh-CN"]
    assert before.status_code == 404


async def test_others_see_only_what_is_theirs(ledger: World) -> None:
    await open_client(ledger)
    await open_client(ledger, "c-2", "B2")
    await ledger.publish(trade("t-1", "1"), trade("t-1", "1", client="c-2"), trade("t-1", "1", client="no-profile"))
    await ledger.settle()
    [entry] = await ledger.rows("points", "SELECT entry_id FROM entries WHERE client_id = 'c-2'")
    paths = ["", "/entries", f"/entries/{entry['entry_id']}/explain"]
    for actor in (OWN, BRANCH):
        async with ledger.client("points", actor) as http:
            for client in ("c-2", "no-profile", "nobody"):
                for path in paths:
                    assert (await http.get(f"/v1/points/clients/{client}{path}")).status_code == 404
            assert (await http.get("/v1/points/clients/c-1")).status_code == 200
    async with ledger.client("points") as http:
        assert (await http.get("/v1/points/clients/no-profile")).status_code == 200
        assert (await http.get("/v1/points/clients/c-1/entries/no-id/explain")).status_code == 422


async def test_the_newest_word_on_the_branch_is_in_force(ledger: World) -> None:
    await open_client(ledger)
    moved = await ledger.publish(ClientUpdated(client_id="c-1", branch_id="B3"))
    await ledger.publish(ClientUpdated(client_id="c-1", phone="1"))
    await ledger.settle()
    assert await ledger.value("points", "SELECT branch_id FROM clients") == "B1"  # opened 2022, the update is of 2020
    await ledger.redeliver(moved)
    await ledger.publish(ClientUpdated(client_id="c-1", branch_id="B4"), at=moved[0].time.replace(year=2023))
    await ledger.settle()
    assert await ledger.value("points", "SELECT branch_id FROM clients") == "B4"


async def test_the_statement_of_a_span_is_a_file_with_what_was_left(ledger: World) -> None:
    await open_client(ledger)
    await ledger.publish(
        trade("t-1", "2"), trade("t-2", "3", day=date(2022, 7, 2)), trade("t-3", "4", day=date(2022, 7, 5))
    )
    await ledger.settle()
    await spend(ledger, "c-1", 100, date(2022, 7, 5))
    path = "/v1/points/clients/c-1/statement"
    async with ledger.client("points", OWN) as http:
        answer = await http.get(path, params={"since": "2022-07-02", "until": "2022-07-05"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert answer.text.splitlines() == [
            "posted_on,kind,trade_id,points,value_on,expires_on,balance",
            "2022-07-02,accrued,t-2,3.00,2022-07-02,2024-07-31,5.00",
            "2022-07-05,accrued,t-3,4.00,2022-07-05,2024-07-31,9.00",
            "2022-07-05,spent,,-1.00,2022-07-05,,8.00",
        ]
        long = await http.get(path, params={"since": "2022-07-02", "until": "2023-07-03"})
        assert (long.status_code, long.json()["errors"][0]["pointer"]) == (422, "/until")
    async with ledger.client("points", Actor("c-9", Role.CLIENT, client_id="c-9")) as http:
        assert (await http.get(path, params={"since": "2022-07-02", "until": "2022-07-05"})).status_code == 404


async def test_clients_say_what_they_think_of_the_service_and_words_are_masked(ledger: World) -> None:
    await open_client(ledger)
    await open_client(ledger, "c-2", "B2")
    await ledger.settle()
    for client, score in (("c-1", 2), ("c-2", 5)):
        async with ledger.client("points", Actor(client, Role.CLIENT, client_id=client)) as http:
            said = {"score": score, "words": "ring me at 13812345678"}
            path = f"/v1/points/clients/{client}/feedback"
            assert (await http.post(path, json=said, headers={"idempotency-key": "k"})).status_code == 201
            assert (await http.post(path, json={"score": 6}, headers={"idempotency-key": "l"})).status_code == 422
    window = {"since": "2020-01-01", "until": "2099-12-31"}
    async with ledger.client("points", Actor("mia", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")) as http:
        found = (await http.get("/v1/points/feedback", params=window)).raise_for_status().json()["items"]
    assert [(one["client_id"], one["score"]) for one in found] == [("c-1", 2)]
    assert "13812345678" not in found[0]["words"]
    async with ledger.client("points", Actor("hq", Role.HQ, purpose="test")) as http:
        first = (await http.get("/v1/points/feedback", params=window | {"limit": "1"})).json()
        rest = (await http.get("/v1/points/feedback", params=window | {"cursor": first["next"]})).json()
    assert [one["client_id"] for one in first["items"] + rest["items"]] == ["c-2", "c-1"]
