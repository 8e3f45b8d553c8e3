"""Compliance and operations in the console: findings of all services, what an erasure would meet, holds, the proof of coverage;
messages with marks, one opened with a reason, everything about one id, a dead letter corrected, settings without secrets."""

import msgspec

from chassis.clock import at
from contracts import broker
from contracts.base import encode
from contracts.broker import Instrument, TradeSettled
from tests.console.office import ANNA, CENTRE, COMPLIANCE, DIRECTOR, FRIDAY, OPERATIONS, SECOND, THURSDAY, Office

TRADE = TradeSettled(
    trade_id="t-9", client_id="c-1", account_id="c-1", branch_id="B1", trade_date=THURSDAY, settled_at=at(THURSDAY, 15),
    instrument=Instrument(symbol="600519", kind="stock"), side="buy", quantity="100", amount="1000", commission="10",
    currency="CNY",
)  # fmt: skip


async def test_findings_of_all_services_are_one_list_and_a_file(office: Office) -> None:
    said = {"channel": "phone", "direction": "out", "at": f"{FRIDAY}T10:00:00+08:00", "words": "保证收益，稳赚"}
    await office.call(ANNA, "relationships", "POST", "/clients/c-1/contacts", said)
    async with office.person(COMPLIANCE) as officer, office.person(DIRECTOR) as director, office.person(ANNA) as anna:
        page = await officer.see("/compliance")
        assert {"/compliance/findings", "/compliance/erasures", "/operations/messages"} <= set(page.links)
        found = await officer.see(f"/compliance/findings?since={FRIDAY}")
        assert (found.status, found.headings, found.mains) == (200, 1, 1)
        assert 'data-finding="relationships"' in found.answer.text
        assert "forbidden:" in found.answer.text
        only = await officer.see(f"/compliance/findings?service=suitability&service=products&since={FRIDAY}")
        assert 'data-finding="relationships"' not in only.answer.text
        sheet = await officer.http.get(f"/compliance/findings?service=relationships&since={FRIDAY}&format=csv")
        assert (sheet.content.startswith(b"\xef\xbb\xbf"), "c-1" in sheet.text) == (True, True)
        assert "forbidden:" not in (await director.see(f"/compliance/findings?since={FRIDAY}")).answer.text
        assert (await anna.see(f"/compliance/findings?since={FRIDAY}")).status == 403
        assert "/compliance/erasures" not in (await director.see("/compliance")).links


async def test_what_an_erasure_would_meet_is_seen_before_it_is_decided(office: Office) -> None:
    async with (
        office.person(COMPLIANCE) as officer,
        office.person(SECOND) as second,
        office.person(DIRECTOR) as director,
    ):
        page = await officer.see("/compliance/erasures?client=c-2")
        assert (page.status, page.headings, page.mains) == (200, 1, 1)
        assert "account open" in page.answer.text
        assert "clients.name (1)" in page.answer.text
        held = await officer.do(page, "hold_client", reason="a court asks for it")
        assert "a court asks for it" in held.answer.text
        released = await officer.do(held, "release_client_hold")
        assert "second person" in released.answer.text
        asked = await officer.do(
            await officer.see("/compliance/erasures?client=c-2"), "erase_client", reason="the client asks"
        )
        assert "second person" in asked.answer.text
        inbox = await second.see("/approvals")
        assert "/compliance/erasures?client=c-2" in inbox.links
        assert (await second.see("/compliance/erasures?client=c-2")).status == 200
        assert (await director.see("/compliance/erasures")).status == 403
    rows = await office.world.rows(
        "callbacks", "SELECT object FROM audit WHERE inputs ->> 'permission' = 'clients:foresee_erasure'"
    )
    assert {row["object"] for row in rows} == {"client/c-2"}


async def test_coverage_is_proved_by_ledger_and_draw(office: Office) -> None:
    async with office.person(CENTRE) as centre, office.person(COMPLIANCE, "zh-CN") as officer:
        page = await centre.see("/compliance/coverage")
        assert (page.status, page.headings, 'data-branch="B1"' in page.answer.text) == (200, 1, True)
        assert any(link.startswith("/v1/callbacks/coverage/ledger?") for link in page.links)
        wrong = await centre.do(page, "draw", as_of="2026-13-01")
        assert (wrong.status, "alert" in wrong.answer.text) == (422, True)
        assert (await officer.see("/compliance/proofs?client=c-1")).status == 200


async def test_messages_are_marks_and_one_is_opened_with_a_reason(office: Office) -> None:
    async with office.person(OPERATIONS) as operator, office.person(COMPLIANCE) as officer, office.person(ANNA) as anna:
        page = await operator.see("/operations/messages?service=gateway&type=broker.client.opened&since=2020-01-01")
        assert (page.status, page.headings, page.answer.text.count("data-message=")) == (200, 1, 3)
        assert ("•••" in page.answer.text, "sealed:" in page.answer.text, "王芳" in page.answer.text) == (
            True,
            False,
            False,
        )
        assert "unmask" not in {one.name for one in page.acts}
        seen = await officer.see(
            "/operations/messages?service=gateway&key=c-1&type=broker.client.opened&since=2020-01-01"
        )
        bare = await officer.do(seen, "unmask", reason="")
        assert bare.status == 422
        opened = await officer.do(seen, "unmask", reason="a complaint about the address")
        assert "王芳" in opened.answer.text, opened.answer.text
        assert (await anna.see("/operations/messages")).status == 403
    rows = await office.world.rows(
        "gateway", "SELECT actor, inputs ->> 'reason' AS why FROM audit WHERE action = 'unmask'"
    )
    assert [(row["actor"], row["why"]) for row in rows] == [("user:compliance", "a complaint about the address")]


async def test_everything_about_one_id_is_one_timeline(office: Office) -> None:
    request = "01890a5d-ac96-774b-bcce-b302099a8057"
    case = {"client_id": "c-3", "channel": "hotline", "category": "fees", "words": "收费有误", "branch_id": "B1"}
    await office.call(CENTRE, "complaints", "POST", "/cases", case, x_request_id=request)
    async with office.person(COMPLIANCE) as officer, office.person(OPERATIONS, "zh-CN") as operator:
        await officer.see("/clients/c-3/team?purpose=complaint")
        of_client = (await officer.see("/operations/trace?about=c-3")).answer.text
        assert ('data-line="message"' in of_client, 'data-line="read"' in of_client) == (True, True)
        of_request = await operator.see(f"/operations/trace?about={request}")
        assert "complaints.case." in of_request.answer.text
        assert 'data-line="read"' not in of_request.answer.text


async def test_a_dead_letter_is_corrected_tried_and_redriven(office: Office) -> None:
    await office.world.publish_raw(broker.TRADES, "c-1", TradeSettled.type, b'{"trade_id": 7}', id="raw-9")
    await office.world.settle()
    async with office.person(OPERATIONS) as operator:
        page = await operator.see("/operations")
        assert {"try_chosen", "try_every"} <= {one.name for one in page.acts}
        every = await operator.do(page, "try_every")
        assert "failed" in every.answer.text
        [view] = [one.opens for one in page.acts if one.name == "view" and "/points/" in (one.opens or "")]
        from tests.console.pages import Page

        letter = Page(await operator.http.get(view or "", headers={"hx-request": "true"}))
        typed = {"value": encode(TRADE).decode(), "reason": "the number was cut off"}
        assert (await operator.do(letter, "try_corrected", do="try", value="{}", reason="x y z")).answer.text.count(
            "failed"
        ) >= 1
        others = encode(msgspec.structs.replace(TRADE, client_id="c-2", account_id="c-2")).decode()
        another = await operator.do(letter, "try_corrected", do="try", value=others, reason="another client's")
        assert (another.status, "about the same key" in another.answer.text) == (409, True)
        tried = await operator.do(letter, "try_corrected", do="try", **typed)
        assert 'data-corrected="would_pass"' in tried.answer.text, tried.answer.text
        done = await operator.do(tried, "redrive_corrected", do="redrive", **typed)
        assert 'data-corrected="done"' in done.answer.text
    audit = await office.world.rows(
        "points", "SELECT inputs FROM audit WHERE action = 'redrive' AND inputs ? 'corrected_sha256'"
    )
    assert len(audit) == 1
    kept = await office.world.value(
        "points", "SELECT convert_from(value, 'UTF8') FROM dead_letters ORDER BY id DESC LIMIT 1"
    )
    assert "t-9" not in str(kept)


async def test_lag_deadlines_and_settings_are_seen_and_no_secret(office: Office) -> None:
    async with office.person(OPERATIONS) as operator, office.person(ANNA) as anna:
        lag = await operator.see("/operations/lag")
        assert (lag.status, f'data-topic="{broker.TRADES}"' in lag.answer.text) == (200, True)
        trend = (await operator.http.get("/operations/lag.json")).json()
        assert (len(trend["at"]) >= 1, set(trend["services"]["points"])) == (True, {"records", "seconds"})
        for which in ("due", "all"):
            assert (await operator.see(f"/operations/deadlines?which={which}")).status == 200
        settings = await operator.see("/operations/settings")
        assert (settings.status, "seal_key" in settings.answer.text) == (200, True)
        assert str(office.world.settings.seal_key.get_secret_value()) not in settings.answer.text
        for path in ("/operations/lag", "/operations/deadlines", "/operations/settings", "/operations/trace"):
            assert (await anna.see(path)).status == 403
