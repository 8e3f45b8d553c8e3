"""Boards, managers, several callbacks at once, lists as files, and the audit: each as the people of an office use it."""

from io import BytesIO

import openpyxl

from chassis.actor import Actor, Role
from tests.console.office import ANNA, BEN, CENTRE, COMPLIANCE, DIRECTOR, OPERATIONS, SECOND, Office

MIA = Actor("user:mia", Role.CLIENT_MANAGER, branch_id="B1")


async def test_several_callbacks_are_claimed_and_taken_back(office: Office) -> None:
    async with office.person(ANNA) as anna, office.person(BEN, "zh-CN") as ben:
        page = await anna.see("/callbacks?state=planned&topic=new_client")
        ids = [part.split('"')[0] for part in page.answer.text.split('name="ids" value="')[1:]]
        assert len(ids) >= 2
        done = await anna.do(page, "claim_chosen", ids="\n".join(ids[:2]), do="claim")
        assert done.answer.text.count('data-done="yes"') == 2, done.answer.text
        lost = await ben.do(await ben.see("/callbacks"), "claim_chosen", ids=ids[0], do="claim")
        assert ('data-done="no"' in lost.answer.text, "anna" in lost.answer.text) == (True, True)
        undone = await anna.do(done, "undo")
        assert undone.answer.text.count('data-done="yes"') == 2
        assert (await ben.do(await ben.see("/callbacks"), "claim_chosen")).answer.text.count("data-done") == 0


async def test_lists_are_files_in_which_no_formula_runs(office: Office) -> None:
    case = {
        "client_id": "c-1",
        "channel": "hotline",
        "category": "fees",
        "words": "=HYPERLINK(1) 收费",
        "branch_id": "B1",
    }
    await office.call(CENTRE, "complaints", "POST", "/cases", case)
    async with office.person(ANNA) as anna, office.person(BEN, "zh-CN") as ben:
        page = await anna.see("/complaints?q=收费")
        assert {"?q=%E6%94%B6%E8%B4%B9&format=csv", "?q=%E6%94%B6%E8%B4%B9&format=xlsx"} <= set(page.links)
        answer = await ben.http.get("/complaints?q=收费&format=csv", headers={"accept-language": "zh-CN"})
        assert answer.content.startswith(b"\xef\xbb\xbf")
        head, row = answer.content.decode("utf-8-sig").strip().split("\r\n")
        assert head.startswith("受理时间,工单,客户号")
        assert ",'=HYPERLINK(1) 收费," in row
        sheet = openpyxl.load_workbook(BytesIO((await anna.http.get("/complaints?q=收费&format=xlsx")).content)).active
        assert [
            cell.data_type for row in sheet.iter_rows(min_row=2) for cell in row if cell.value and "HYPER" in cell.value
        ] == ["s"]
        tasks = (await anna.http.get("/callbacks?topic=new_client&format=csv")).content.decode("utf-8-sig")
        assert tasks.count("\r\n") == 4  # three new clients under one line of names


async def test_a_managers_clients_with_what_is_due(office: Office) -> None:
    case = {"client_id": "c-3", "channel": "hotline", "category": "fees", "words": "收费有误", "branch_id": "B1"}
    await office.call(CENTRE, "complaints", "POST", "/cases", case)
    async with office.person(MIA) as mia, office.person(DIRECTOR, "zh-CN") as director, office.person(ANNA) as anna:
        page = await mia.see("/managers")
        assert (page.status, page.headings, page.mains) == (200, 1, 1)
        assert page.answer.text.count("data-client=") == 3, page.answer.text
        assert (await mia.see("/managers?person=ben")).answer.text.count("data-client=") == 0
        assert "ask_allocation" not in [one.name for one in page.acts]
        board = await director.see("/managers?person=mia&due=due")
        shown = board.answer.text
        assert ('data-client="c-3"' in shown, 'data-client="c-2"' in shown) == (True, False), shown
        assert any(link.startswith("/complaints/") and len(link) > 30 for link in board.links)
        assert (await anna.see("/managers")).status == 403
        bare = await director.do(board, "ask_allocation", branch_id="", reason="")
        assert {"branch_id", "reason"} <= set(bare.forms[0].wrong)
        asked = await director.send(
            bare.forms[0], branch_id="B1", scope="all", reason="a new quarter", managers="mia\nben"
        )
        assert asked.answer.headers["hx-redirect"] == "/managers?person=mia", asked.answer.text
        board = await director.see("/managers")
        run = await director.see(next(link for link in board.links if link.startswith("/managers/allocations/")))
        assert (run.status, "a new quarter" in run.answer.text) == (200, True)


async def test_leaders_see_to_escalations_packs_and_reception_days(office: Office) -> None:
    async with (
        office.person(DIRECTOR, "zh-CN") as director,
        office.person(CENTRE) as centre,
        office.person(ANNA) as anna,
    ):
        page = await director.see("/complaints/supervision")
        assert (page.status, page.headings, page.mains) == (200, 1, 1)
        done = await director.do(page, "publish_reception_day", day="2026-11-21", leader="director")
        assert done.status == 200, done.answer.text
        visited = await director.do(done, "register_visit", visitor="王先生", matter="咨询费率")
        assert "咨询费率" in visited.answer.text or visited.status < 300, visited.answer.text
        assert "make_pack" in [one.name for one in (await centre.see("/complaints/supervision")).acts]
        assert (await anna.see("/complaints/supervision")).status == 403


async def test_people_keys_and_sessions_are_seen_and_ended(office: Office) -> None:
    async with office.person(OPERATIONS) as operations, office.person(SECOND) as second, office.person(ANNA) as anna:
        page = await operations.see("/operations/access")
        assert (page.status, page.headings) == (200, 1)
        asked = await operations.do(
            page, "add_user", name="zhao", password="long enough 12", role="agent", branch_id="B1"
        )
        assert asked.status == 200, asked.answer.text
        assert (await anna.see("/callbacks")).status == 200
        ended = await second.do(
            await second.see("/operations/access"), "revoke_sessions", person="anna", reason="left it open"
        )
        assert ended.status == 200, ended.answer.text
        assert (await anna.see("/callbacks")).status == 303
        assert (await anna.see("/operations/access")).status == 303


async def test_who_looked_at_a_client_is_found_and_the_search_leaves_a_row(office: Office) -> None:
    async with office.person(BEN) as ben, office.person(COMPLIANCE) as compliance:
        await ben.see("/clients/c-2/team?purpose=complaint")
        assert (await ben.see("/clients/c-2/reads")).status == 403
        page = await compliance.see("/clients/c-2/reads")
        assert (page.status, page.headings) == (200, 1)
        assert ("user:ben" in page.answer.text, "console: complaint" in page.answer.text) == (True, True)
        assert "Who looked" in (await compliance.see("/clients/c-2")).answer.text
        found = await compliance.see("/compliance/audit?person=ben&action=read&service=relationships")
        assert found.answer.text.count('data-action="read"') >= 1
        assert 'data-action="' not in (await compliance.see("/compliance/audit?person=nobody")).answer.text
    rows = await office.world.rows(
        "relationships", "SELECT inputs ->> 'about' AS about FROM audit WHERE object = 'audit'"
    )
    assert "c-2" in [row["about"] for row in rows]
