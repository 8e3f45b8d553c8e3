"""Kept for as long as the rule says, longer under legal hold, erased by two persons [C21]."""

import tomllib
from typing import Any
from uuid import UUID

from chassis.actor import Actor, Role
from services.complaints.policy import FILE
from tests.complaints.desk import CENTRE, COMPLIANCE, ELSEWHERE, OFFICER, SECOND, Desk, march
from tests.complaints.test_bad_input import SECRETS, TOLD, everything
from tests.complaints.test_files import PDF, attach

LAW = Actor("HQ-law", Role.COMPLIANCE, purpose="complaints")


async def kept_three_years(desk: Desk) -> None:
    """The floor: a policy published long ago."""
    body = tomllib.loads(FILE.read_text("utf-8"), parse_float=str)["limits"][0] | {"retention_years": 3}
    del body["effective_on"]
    async with desk.world.database("complaints").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at,
                                            checked_by, checked_at)
               VALUES ('limits', '', 1, '2009-01-02', $1, 'floor', 'published', 'one', now(), 'other', now())""",
            body,
        )


async def over(desk: Desk, **more: Any) -> Any:
    """A case of March 2009 that has ended, with something of everything on it."""
    case = await desk.open(words=TOLD, demands=["赔偿"], **more)
    await attach(desk, case, PDF, "application/pdf")
    await desk.act(CENTRE, case, "contacts", march(26, 14), 201, channel="phone", about="回电说明")
    await desk.act(CENTRE, case, "withdrawal", march(26, 17), reason="客户接受解释")
    return case


async def ask(desk: Desk, actor: Actor, case: Any, path: str, status: int, **body: Any) -> Any:
    answer = await desk.call(actor, "POST", f"/cases/{case['case_id']}/{path}", body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_the_rule_is_shown_and_what_must_be_kept_cannot_be_erased(desk: Desk) -> None:
    case = await desk.open()
    shown = await desk.get(CENTRE, f"/cases/{case['case_id']}/retention")
    assert (shown["kept_until"], shown["erasable"], shown["why_not"]) == (None, False, "not-over")
    await ask(desk, COMPLIANCE, case, "erasures", 409, reason="客户要求")
    await desk.act(CENTRE, case, "withdrawal", march(26, 17), reason="已解决")
    shown = await desk.get(CENTRE, f"/cases/{case['case_id']}/retention")
    assert (shown["ended_on"], shown["kept_until"], shown["policy"]) == (
        "2009-03-26",
        "2029-03-26",
        "limits/shipped-1",
    )
    assert "20" in shown["rule"]["zh"]
    refused = await ask(desk, COMPLIANCE, case, "erasures", 409, reason="客户要求")
    assert (refused["type"], refused["kept_until"]) == ("/problems/retention-running", "2029-03-26")
    await desk.get(ELSEWHERE, f"/cases/{case['case_id']}/retention", 404)
    await ask(desk, OFFICER, case, "erasures", 403, reason="客户要求")


async def test_two_persons_erase_and_only_that_there_was_a_case_is_left(desk: Desk) -> None:
    await kept_three_years(desk)
    case, other = await over(desk), await over(desk, client_id="c-2")
    asked = await ask(desk, COMPLIANCE, case, "erasures", 202, reason="保存期满")
    await ask(desk, LAW, case, "erasures", 409, reason="保存期满")
    path = f"erasures/{asked['id']}/decision"
    own = await ask(desk, COMPLIANCE, case, path, 403, decision="approved")
    assert own["type"] == "/problems/second-person-needed"
    await ask(desk, LAW, case, path, 200, decision="approved")
    await ask(desk, LAW, case, path, 409, decision="approved")

    row = await desk.case(case)
    assert (row["words"], row["original"], row["client_id"], row["key"]) == ("", None, None, f"case:{case['case_id']}")
    assert (row["state"], row["received_at"], row["severity"]) == ("withdrawn", march(26), "ordinary")
    assert (await desk.what(case))[-1] == "erased"
    mine = UUID(case["case_id"])
    for table in ("demands", "contacts", "case_words", "case_attachments"):
        assert await desk.world.rows("complaints", f"SELECT FROM {table} WHERE case_id = $1", mine) == [], table
    # The other case has the same letter: it stays.
    assert await desk.world.value("complaints", "SELECT count(*) FROM attachment_parts") == 1
    await desk.act(SECOND, case, "contacts", march(27), 409, channel="phone", about="x")
    await desk.act(SECOND, case, "reopening", march(27), 409, reason="x")
    asked = await ask(desk, COMPLIANCE, other, "erasures", 202, reason="保存期满")
    await ask(desk, LAW, other, f"erasures/{asked['id']}/decision", 200, decision="approved")
    assert await desk.world.value("complaints", "SELECT count(*) FROM attachment_parts") == 0
    kept = await everything(desk)
    assert "回电说明" not in kept["contacts"] + kept["act_steps"]
    assert all(secret not in rows for secret in SECRETS for rows in kept.values())
    assert (await desk.get(CENTRE, f"/cases/{case['case_id']}/retention"))["why_not"] == "erased already"
    assert (await desk.get(CENTRE, "/cases?q=净值"))["items"] == []


async def test_a_legal_hold_wins_and_takes_two_persons_to_lift(desk: Desk) -> None:
    await kept_three_years(desk)
    case = await over(desk)
    asked = await ask(desk, COMPLIANCE, case, "erasures", 202, reason="保存期满")
    await ask(desk, CENTRE, case, "holds", 403, reason="诉讼")
    hold = (await ask(desk, COMPLIANCE, case, "holds", 201, reason="（2009）京民初12号"))["id"]
    # Placed after the asking: what holds now counts.
    refused = await ask(desk, LAW, case, f"erasures/{asked['id']}/decision", 409, decision="approved")
    assert refused["type"] == "/problems/under-legal-hold"
    assert [(one["hold_id"], one["reason"], one["placed_by"]) for one in refused["holds"]] == [
        (hold, "（2009）京民初12号", "HQ-compliance")
    ]
    shown = await desk.get(CENTRE, f"/cases/{case['case_id']}/retention")
    assert (shown["erasable"], shown["why_not"], shown["holds"][0]["hold_id"]) == (False, "under-legal-hold", hold)

    decision = f"holds/{hold}/release/decision"
    await ask(desk, LAW, case, decision, 404, decision="approved")  # nobody asked
    await ask(desk, COMPLIANCE, case, f"holds/{hold}/release", 202, reason="判决生效")
    await ask(desk, LAW, case, f"holds/{hold}/release", 409, reason="判决生效")
    await ask(desk, COMPLIANCE, case, decision, 403, decision="approved")
    await ask(desk, LAW, case, decision, 200, decision="refused")
    await ask(desk, LAW, case, f"erasures/{asked['id']}/decision", 409, decision="approved")
    await ask(desk, LAW, case, f"holds/{hold}/release", 202, reason="判决生效")
    await ask(desk, COMPLIANCE, case, decision, 200, decision="approved")
    await ask(desk, LAW, case, decision, 409, decision="approved")
    await ask(desk, LAW, case, f"erasures/{asked['id']}/decision", 200, decision="approved")
    place = f"case/{case['case_id']}"
    query = (
        """SELECT action FROM audit WHERE (object = $1 OR object LIKE $1 || '/%') AND action <> 'read' ORDER BY at"""
    )
    done = [row["action"] for row in await desk.world.rows("complaints", query, place)]
    assert done[done.index("hold placed") :] == [
        "hold placed",
        "hold-release.asked",
        "hold-release.refused",
        "hold-release.asked",
        "hold-release.approved",
        "erasure.approved",
    ]
    steps = await desk.world.rows("complaints", "SELECT act AS what FROM act_steps WHERE object = $1", place)
    assert {"hold placed", "hold release asked for", "hold kept", "hold released", "erasure asked for", "erased"} <= {
        row["what"] for row in steps
    }


async def test_what_was_asked_can_be_refused_and_asked_anew(desk: Desk) -> None:
    await kept_three_years(desk)
    case = await over(desk)
    asked = await ask(desk, COMPLIANCE, case, "erasures", 202, reason="保存期满")
    await ask(desk, LAW, case, f"erasures/{asked['id']}/decision", 200, decision="refused")
    assert (await desk.case(case))["erased_at"] is None
    await ask(desk, LAW, case, "erasures", 202, reason="保存期满")
