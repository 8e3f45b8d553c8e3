"""Groups, lifecycle notes and supplementary classifications over REST: who sees what, why, and the register."""

import csv
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import httpx
import pytest

from chassis.actor import Actor, Role
from chassis.errors import Refusal
from chassis.http.registers import as_csv
from contracts import classification as contract
from contracts.annex4 import COLUMNS, in_ten_thousands
from contracts.suitability import AssessmentCompleted
from services.classification.policy import Policies
from services.classification.supplementary_rules import (
    Dealing,
    check_codes,
    holding_days,
    offers_discretion,
    suggest_habit,
    suggest_value,
)
from tests.classification.facts import CLIENT, FIRST, day, opened, trade, valued
from tests.reference.decisions import risk_of_annex
from tests.world import World

OWN = Actor(CLIENT, Role.CLIENT, client_id=CLIENT)
OTHER = Actor("c-9", Role.CLIENT, client_id="c-9")
MANAGER = Actor("mia", Role.CLIENT_MANAGER, branch_id="B1", purpose="test")
STRANGER = Actor("bob", Role.CLIENT_MANAGER, branch_id="B2", purpose="test")
CLIENTS = "/v1/classification/clients"
POLICY = Policies().supplementary.on(FIRST).body


async def call(world: World, actor: Actor, method: str, path: str, **given: Any) -> httpx.Response:
    async with world.client("classification", actor, idempotency_key=str(uuid4())) as http:
        return await http.request(method, path, **given)


async def settled(world: World) -> None:
    """A client opened on the first closed day, valued and trading, closed through 100 days on."""
    await world.publish(opened(), opened("c-2", branch="B2"), valued(FIRST, "600000"), trade("t-1", day(34), "10"))
    await world.close(FIRST)
    await world.close(day(100))


async def test_groups_now_and_earlier_and_why_k7_v1_v5(world: World) -> None:
    await settled(world)
    now = (await call(world, OWN, "GET", f"{CLIENTS}/{CLIENT}/groups")).raise_for_status().json()
    assert (now["primary"], now["tags"], now["core"]) == ("CORE", ["CORE"], True)
    assert (now["lifecycle"], now["value"], now["value_type"]) == ("ESTABLISHED", "3.61", "ASSETS")
    assert now["stretches"][0] == {"tag": "NEW", "from": str(day(1)), "to": str(day(92))}
    early = (await call(world, OWN, "GET", f"{CLIENTS}/{CLIENT}/groups", params={"as_of": str(day(3))})).json()
    assert (early["primary"], early["tags"], early["core"], early["value"]) == ("NEW", ["NEW"], False, None)
    why = (await call(world, OWN, "GET", f"{CLIENTS}/{CLIENT}/groups/explain")).raise_for_status().json()
    assert why["group"]["reasons"]["CORE"]["zh-CN"] == "最近月末评估为核心客户"
    assert why["value"]["core"]["reasons"] == ["rank", "tier"]
    assert why["lifecycle"]["rule"]["ids"] == ["V5"]
    empty = (await call(world, OWN, "GET", f"{CLIENTS}/{CLIENT}/groups/explain", params={"as_of": "2020-01-01"})).json()
    assert (empty["group"]["primary"], empty["value"]) == (None, None)


async def test_a_group_is_explained_by_the_close_that_opened_it_k7(world: World) -> None:
    """Not by the figures of a later decision about another tag."""
    await world.publish(
        opened(on=day(-200)), valued(day(-100), "20000"), valued(day(0), "9000"), valued(day(20), "8000"),
        trade("t-1", day(20), "1"),
    )  # fmt: skip
    await world.close(FIRST)
    await world.close(day(21))
    why = (await call(world, OWN, "GET", f"{CLIENTS}/{CLIENT}/groups/explain")).raise_for_status().json()["group"]
    assert (why["primary"], why["since"], why["inputs"]["total"]) == ("AT_RISK", str(day(1)), "9000")
    assert "from 20000 to 9000" in why["reasons"]["AT_RISK"]["en"]
    assert "NEVER_TRADED" not in why["reasons"]


async def test_value_rank_and_core_as_known_before_a_late_fact_v1_v2(world: World) -> None:
    await settled(world)
    path, before = f"{CLIENTS}/{CLIENT}/groups/explain", await world.value("classification", "SELECT clock_timestamp()")
    then = (await call(world, OWN, "GET", path)).raise_for_status().json()
    await world.publish(valued(day(3), "0"), opened("c-3"), valued(day(1), "9000000", "c-3"))
    await world.settle()
    now = (await call(world, OWN, "GET", path)).raise_for_status().json()
    assert (then["value"]["inputs"]["assets"], now["value"]["inputs"]["assets"]) == ("600000", "0")
    assert (then["value"]["core"]["rank"], now["value"]["core"]["reasons"]) == (1, [])
    known = (await call(world, OWN, "GET", path, params={"known_at": before.isoformat()})).raise_for_status().json()
    assert known == then


@pytest.mark.parametrize(
    "path", ["groups", "groups/explain", "lifecycle/notes", "supplementary", "supplementary/history"]
)
async def test_others_see_nothing(world: World, path: str) -> None:
    await settled(world)
    for actor in (OTHER, STRANGER):
        assert (await call(world, actor, "GET", f"{CLIENTS}/{CLIENT}/{path}")).status_code in (403, 404)
    assert (await call(world, MANAGER, "GET", f"{CLIENTS}/{CLIENT}/{path}")).status_code == 200


async def test_a_group_is_listed_for_the_callers_branch(world: World) -> None:
    await settled(world)
    never = "/v1/classification/groups/NEVER_TRADED/clients"
    assert (await call(world, MANAGER, "GET", never)).json()["items"] == []
    found = (await call(world, STRANGER, "GET", never)).json()["items"]
    assert found == [{"client_id": "c-2", "branch_id": "B2", "primary": "NEVER_TRADED", "tags": ["NEVER_TRADED"]}]


async def test_a_lost_client_gets_a_reason_and_is_counted_v5(world: World) -> None:
    await world.publish(opened(on=FIRST - timedelta(days=300)), valued(FIRST, "5"))
    await world.close(FIRST)
    await world.close(date(2024, 1, 31))
    path, lost_on = f"{CLIENTS}/{CLIENT}/lifecycle/notes", "2024-02-01"
    wrong = {"kind": "reason", "entered_on": lost_on, "code": "MOON"}
    assert (await call(world, MANAGER, "POST", path, json=wrong)).status_code == 422
    early = {"kind": "reason", "entered_on": "2024-01-31", "code": "FEES"}
    assert (await call(world, MANAGER, "POST", path, json=early)).status_code == 409
    note = {"kind": "reason", "entered_on": lost_on, "code": "FEES", "note": "too dear"}
    assert (await call(world, MANAGER, "POST", path, json=note)).status_code == 201
    [written] = (await call(world, MANAGER, "GET", path)).json()["items"]
    assert (written["lifecycle"], written["by"]) == ("LOST", "mia")
    query = {"from": "2024-01-01", "to": "2024-02-29"}
    counts = (await call(world, MANAGER, "GET", "/v1/classification/lifecycle/statistics", params=query)).json()
    assert counts == [{"branch_id": "B1", "lifecycle": "LOST", "entered": 1, "with_reason": 1, "reasons": {"FEES": 1}}]


async def test_entries_keep_their_history_and_alert_compliance_k3_k5(world: World) -> None:
    await settled(world)
    path = f"{CLIENTS}/{CLIENT}/supplementary"
    scores = {"wealth": 2, "income": 2, "profession": 1, "background": 1, "resources": 0}
    value = (await call(world, MANAGER, "POST", f"{path}/VALUE", json={"codes": ["G"], "scores": scores})).json()
    assert (value["codes"], value["suggested"]) == (["VALUE:G"], "VALUE:G")
    for codes in (["Y"], ["F"], ["STYLE:Y"]):
        given = {"codes": codes, "note": "希望全权委托" if codes == ["STYLE:Y"] else ""}
        assert (await call(world, MANAGER, "POST", f"{path}/STYLE", json=given)).status_code == 201
    assert (await call(world, MANAGER, "POST", f"{path}/STYLE", json={"codes": ["D"]})).status_code == 422
    held = (await call(world, MANAGER, "GET", path)).json()
    assert {entry["kind"]: entry["codes"] for entry in held["entries"]} == {"STYLE": ["STYLE:Y"], "VALUE": ["VALUE:G"]}
    assert held["guardrails"] == ["NO_DISCRETION"]
    assert {s["kind"]: (s["code"], s["suggestion"]) for s in held["suggestions"]} == {
        "HABIT": ("HABIT:B", True),
        "VALUE": ("VALUE:G", True),
    }
    history = (await call(world, MANAGER, "GET", f"{path}/history", params={"kind": "STYLE"})).json()["items"]
    assert [entry["codes"] for entry in history] == [["STYLE:Y"], ["STYLE:F"], ["STYLE:Y"]]
    alerts = "SELECT count(*) FROM bus.log WHERE type = $1"
    assert await world.value("classification", alerts, contract.GuardrailAlerted.type) == 1
    assert await world.value("classification", alerts, contract.SupplementaryChanged.type) == 4


async def test_the_register_opens_in_excel(world: World) -> None:
    await settled(world)
    async with world.database("gateway").unit_of_work() as uow:
        uow.emit(
            AssessmentCompleted(
                client_id=CLIENT,
                assessment_id="a-1",
                scheme="SEED-2010-12Q",
                level="MEDIUM",
                valid_from=FIRST,
                valid_until=day(365),
                source="imported",
            )
        )
    await world.settle()
    note = {"codes": ["V", "J"], "note": "=cmd()"}
    await call(world, MANAGER, "POST", f"{CLIENTS}/{CLIENT}/supplementary/PREFERENCE", json=note)
    path = "/v1/classification/supplementary/register"
    text = (await call(world, MANAGER, "GET", path, params={"format": "csv"})).content
    assert text.startswith(b"\xef\xbb\xbf")
    heads, row = list(csv.reader(StringIO(text.decode("utf-8-sig"))))
    assert tuple(heads) == COLUMNS
    assert row[:6] == [CLIENT, CLIENT[:1].upper(), CLIENT, "B1", "60.0000", "0.0010"]
    assert (row[9], row[10], row[13]) == ("PREFERENCE:V PREFERENCE:J", "一般", "'=cmd()")
    book = await call(world, MANAGER, "GET", path)
    with ZipFile(BytesIO(book.content)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        assert "PREFERENCE:V PREFERENCE:J" in parts.read("xl/sharedStrings.xml").decode()
        assert "<f>" not in sheet, "a note never becomes a formula"
    others = (await call(world, STRANGER, "GET", path, params={"format": "csv"})).content.decode("utf-8-sig")
    assert len(others.splitlines()) == 1


def test_habit_by_the_median_holding_k4() -> None:
    def held(*days: int) -> str | None:
        return suggest_habit(days, (), POLICY)

    assert [held(), held(29), held(30), held(90), held(91), held(29, 30), held(90, 91)] == [
        None, "HABIT:D", "HABIT:B", "HABIT:B", "HABIT:I", "HABIT:D", "HABIT:I",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["index_future", "chinext", "warrant", "margin"])
def test_whoever_trades_short_term_instruments_is_short_term_k4(kind: str) -> None:
    assert suggest_habit([400, 400], {"stock", kind}, POLICY) == "HABIT:D"
    assert suggest_habit([400, 400], {"stock", None}, POLICY) == "HABIT:I"


def test_lots_are_sold_first_in_first_out_and_what_is_held_counts_up_to_today() -> None:
    deals = [
        Dealing(day(0), "S", "buy", Decimal(100)),
        Dealing(day(10), "S", "buy", Decimal(100)),
        Dealing(day(30), "S", "sell", Decimal(150)),
        Dealing(day(31), "T", "sell", Decimal(5)),
    ]
    assert holding_days(deals, day(50)) == [30, 20, 40]


def test_value_suggestions_k5() -> None:
    six, five = dict.fromkeys("abc", 2), dict.fromkeys("abcde", 1)
    assert suggest_value(True, six, POLICY) == "VALUE:G"
    assert suggest_value(False, six, POLICY) == "VALUE:S"
    assert suggest_value(True, five, POLICY) == "VALUE:M"
    assert suggest_value(False, five, POLICY) == "VALUE:U"
    assert suggest_value(True, None, POLICY) is None


def test_annex_4s_grades_k6() -> None:
    assert [risk_of_annex(g) for g in ("极低", "低", "一般", "中", "高")] == [
        "VERY_LOW",
        "LOW",
        "MEDIUM",
        "MEDIUM",
        "HIGH",
    ]
    with pytest.raises(Refusal):
        risk_of_annex("极高")


def test_codes_are_namespaced_and_single_but_for_preferences_k3() -> None:
    assert check_codes("HABIT", ["HABIT:D"]) == ["HABIT:D"]
    assert check_codes("PREFERENCE", ["J", "PREFERENCE:V"]) == ["PREFERENCE:J", "PREFERENCE:V"]
    for kind, codes in (("HABIT", ["D", "B"]), ("HABIT", ["STYLE:F"]), ("PREFERENCE", ["J", "J"]), ("STYLE", [])):
        with pytest.raises(Refusal):
            check_codes(kind, codes)  # type: ignore[arg-type]


def test_wording_and_figures() -> None:
    assert offers_discretion("Client wants us to Trade On Behalf", POLICY)
    assert not offers_discretion("daily follow-up", POLICY)
    assert in_ten_thousands(Decimal("12345.00")) == Decimal("1.2345")
    assert as_csv(["h"], [["a", Decimal("-1.00"), "-x"]]).decode("utf-8-sig").splitlines()[1] == "a,-1.00,'-x"
