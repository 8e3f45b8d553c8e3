"""What people do at the desk, and what they may not: two at once, conflicts of interest, files, search, packs."""

import asyncio
import zipfile
from io import BytesIO
from uuid import UUID

import pytest

from chassis.actor import Actor, Role
from chassis.secrets import signing_key
from services.complaints.packs.bundle import check
from services.complaints.words import grams_of
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, ELSEWHERE, FEEDBACK, LI, OFFICER, SECOND, Desk, march
from tests.complaints.test_files import PDF, attach


async def test_two_people_at_once_and_stale_tags(desk: Desk) -> None:
    case = await desk.open()
    path = f"/cases/{case['case_id']}/acceptance"
    answers = await asyncio.gather(*(desk.call(CENTRE, "POST", path, {}, **{"if-match": '"1"'}) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    missing = await desk.call(CENTRE, "POST", path, {})
    assert missing.status_code == 428


async def test_a_case_without_client_and_a_time_in_the_future(desk: Desk) -> None:
    """C29: its subject is the case itself."""
    case = await desk.open(client_id=None)
    assert (await desk.case(case))["key"] == f"case:{case['case_id']}"
    body = {"channel": "hotline", "words": "x", "received_at": "2099-01-01T00:00:00+08:00"}
    assert (await desk.call(CENTRE, "POST", "/cases", body)).status_code == 422
    letter = {"channel": "regulator_transfer", "source": "regulator", "words": "x"}
    refused = await desk.call(CENTRE, "POST", "/cases", letter)
    assert refused.json()["errors"][0]["pointer"] == "/regulator_ref"


async def test_illegal_moves_and_who_sees_what(desk: Desk) -> None:
    """C23: 409 with what is possible; other branches see nothing; clients their own."""
    case = await desk.open()
    refused = await desk.act(OFFICER, case, "investigation", march(26, 11), 409)
    assert "promise" in refused["following"]
    assert "investigation" not in refused["following"]
    await desk.get(ELSEWHERE, f"/cases/{case['case_id']}", 404)
    assert (await desk.get(ELSEWHERE, "/cases"))["items"] == []
    await desk.get(Actor("app/c-2", Role.CLIENT, client_id="c-2"), f"/cases/{case['case_id']}", 404)
    await desk.get(LI, f"/cases/{case['case_id']}")


async def test_hand_over_only_by_acceptance(desk: Desk) -> None:
    """C8: the owner stays the owner until the other accepts; nobody else can."""
    case = await desk.open()
    await desk.act(CENTRE, case, "hand-over", march(26, 11), to="HQ-CS-2")
    assert (await desk.case(case))["owner"] == "HQ-CS-1"
    await desk.act(OFFICER, case, "acceptance", march(26, 11, 1), 403)
    await desk.act(SECOND, case, "acceptance", march(26, 11, 2))
    assert (await desk.case(case))["owner"] == "HQ-CS-2"


async def test_who_a_case_is_about_can_do_nothing_in_it(desk: Desk) -> None:
    """C28: neither handle, nor receive its order, nor approve; the seat passes on."""
    case = await desk.open(employee="B1-director")
    await desk.act(CENTRE, case, "acceptance", march(26, 10, 5))
    await desk.act(CENTRE, case, "ticket", march(26, 10, 30), 201)
    (ticket,) = await desk.world.rows("complaints", "SELECT addressees FROM tickets")
    assert "B1-director" not in {one["staff_id"] for one in ticket["addressees"]}
    refused = await desk.act(DIRECTOR, case, "investigation", march(26, 11), 403)
    assert refused["type"].endswith("conflict-of-interest")


@pytest.mark.parametrize("name", ["user:xu", "xu", "oidc:xu", "m-1"])
async def test_a_case_about_somebody_by_any_of_their_names_is_about_them(desk: Desk, name: str) -> None:
    """What is kept is the person: they do nothing in it under another of their names."""
    case = await desk.open(employee=name)
    assert await desk.world.value("complaints", "SELECT employee FROM cases") == "m-1"
    await desk.act(CENTRE, case, "acceptance", march(26, 10, 5))
    for subject in ("m-1", "user:xu", "oidc:xu"):
        own = Actor(subject, Role.BRANCH_MANAGER, branch_id="B1", purpose="complaints")
        refused = await desk.act(own, case, "investigation", march(26, 11), 403)
        assert refused["type"].endswith("conflict-of-interest")


async def test_nobody_of_that_name_is_refused(desk: Desk) -> None:
    unknown = await desk.open(employee="user:nobody", status=422)
    assert [one["pointer"] for one in unknown["errors"]] == ["/employee"]
    case = await desk.open()
    unknown = await desk.act(CENTRE, case, "hand-over", march(26, 11), 422, to="user:nobody")
    assert [one["pointer"] for one in unknown["errors"]] == ["/to"]


async def test_an_order_needs_filled_seats_and_the_phone_notice_the_same_day(bare: Desk) -> None:
    case = await bare.open()
    await bare.act(CENTRE, case, "acceptance", march(26, 10, 5))
    refused = await bare.act(CENTRE, case, "ticket", march(26, 10, 30), 409)
    assert "general_manager" in refused["seats"]


async def test_redress_needs_two_persons(desk: Desk) -> None:
    case = await desk.open()
    made = await desk.act(CENTRE, case, "redress", march(26), 201, amount="120.50", reason="净值损失")
    path = f"redress/{made['id']}/approval"
    await desk.act(CENTRE, case, path, march(26), 403)
    await desk.act(SECOND, case, path, march(26))
    await desk.act(SECOND, case, path, march(26), 409)


async def test_suggestions_and_grumbles(desk: Desk) -> None:
    """C12, A33."""
    case = await desk.open(LI, kind="suggestion", channel="app", branch_id=None)
    made = await desk.act(LI, case, "suggestions", march(26), 201, reason="增加夜间热线")
    await desk.act(CENTRE, case, f"suggestions/{made['id']}/adoption", march(27))
    await desk.act(CENTRE, case, f"suggestions/{made['id']}/adoption", march(27), 404)
    grumble = {"client_id": "c-li", "mood": "annoyed", "words": "等太久", "at": march(26).isoformat()}
    first = (await desk.call(OFFICER, "POST", "/pre-complaints", grumble)).json()
    second = (await desk.call(OFFICER, "POST", "/pre-complaints", grumble)).json()
    assert (first["signal"], second["signal"]) == (None, "churn")


async def test_two_character_words_are_found(desk: Desk) -> None:
    one = await desk.open(words="基金净值下跌，客户经理失联")
    await desk.open(words="开户很慢", client_id="c-2")
    for query, found in (("基金", [one]), ("净值下跌", [one]), ("下净", []), ("FUND", [])):
        answer = await desk.get(CENTRE, f"/cases?q={query}")
        assert [case["case_id"] for case in answer["items"]] == [case["case_id"] for case in found], query
    assert (await desk.call(CENTRE, "GET", "/cases?q=基")).status_code == 422
    assert grams_of("基金净值 ETF") == ["etf", "净值", "基金", "金净"]


async def test_the_pack_of_a_month_is_frozen_signed_and_made_once(desk: Desk) -> None:
    """C15, C21: nil reports, cut-off, manifest and signature; any change is found by the file alone."""
    case = await desk.open()
    await desk.ordered(case)
    await attach(desk, case, PDF, "application/pdf")
    await desk.act(OFFICER, case, "feedback", march(26, 16), **FEEDBACK)
    early = await desk.call(COMPLIANCE, "POST", "/packs/2009-03")
    assert early.status_code == 409
    await desk.close(19)
    day = {"day": "2009-03-20", "leader": "B1-director"}
    assert (await desk.call(DIRECTOR, "PUT", "/branches/B1/reception-days", day)).status_code == 201
    await desk.close(31)
    second = Actor("B2-director", Role.BRANCH_MANAGER, branch_id="B2")
    owed = await desk.get(COMPLIANCE, "/duties/2009-03")
    assert {(one["branch_id"], one["nil_report"]) for one in owed} == {("B2", True)}
    assert (await desk.call(second, "PUT", "/branches/B2/nil-reports/2009-03")).status_code == 201
    assert (await desk.call(DIRECTOR, "PUT", "/branches/B1/nil-reports/2009-03")).status_code == 409
    visit = {"visitor": "李芳", "matter": "基金申购"}
    visited = await desk.call(DIRECTOR, "POST", "/branches/B1/reception-days/2009-03-20/visits", visit)
    assert visited.status_code == 201
    assert (await desk.call(COMPLIANCE, "POST", "/packs/2009-03")).status_code == 409  # the close made it
    (made,) = await desk.items(COMPLIANCE, "/packs")
    assert (made["sign_off_due"], made["to_sign"], made["late"]) == ("2009-04-03", ["HQ-sales"], False)

    async with desk.world.client("complaints", COMPLIANCE) as http:
        content = (await http.get("/v1/complaints/packs/2009-03/archive")).content
    key = signing_key(desk.world.settings, "seal").public_key()
    checked = check(BytesIO(content), key)
    assert (checked.period, checked.problems) == ("2009-03", ())
    archive = zipfile.ZipFile(BytesIO(content))
    page = archive.read("report.html").decode()
    assert "B2" in page
    assert "://" not in page
    altered = BytesIO()
    with zipfile.ZipFile(altered, "w") as other:
        for name in archive.namelist():
            other.writestr(
                name, archive.read(name).replace(b"B1", b"B9") if name == "orders.json" else archive.read(name)
            )
    assert check(altered, key).problems == ("orders.json: altered",)
    assert check(BytesIO(b"nothing")).problems
    (row,) = await desk.world.rows("complaints", "SELECT visitor FROM reception_visits")
    assert "李芳".encode() not in row["visitor"]
    assert UUID(case["case_id"])
