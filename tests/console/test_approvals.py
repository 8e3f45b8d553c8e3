"""The inbox of approvals: before and after, agreed to by another person, taken back by who asked."""

from tests.console.office import ANNA, DIRECTOR, Office

WANTED = {"points": "50", "reason": "OTHER", "why": "waited long", "attachment": "note-1"}


async def test_what_one_person_asks_another_sees_and_agrees_to(office: Office) -> None:
    path = "/clients/c-1/adjustments"
    await office.call(ANNA, "points", "POST", path, WANTED)
    async with office.person(ANNA) as anna, office.person(DIRECTOR) as director:
        asked = await anna.see("/approvals?show=asked")
        assert (asked.headings, asked.mains) == (1, 1)
        assert [one.name for one in asked.acts] == ["withdraw"]
        inbox = await director.see("/approvals")
        assert [one.name for one in inbox.acts] == ["approve", "refuse"]
        assert "waited long" in inbox.answer.text
        unsaid = await director.do(inbox, "refuse")
        assert (unsaid.status, unsaid.forms[0].wrong) == (422, ["because"])
        done = await director.do(inbox, "approve", because="agreed")
        assert "Done." in done.answer.text
        assert done.acts == []
        assert "Done." not in (await director.see("/approvals")).answer.text
    account = await office.call(ANNA, "points", "GET", "/clients/c-1")
    assert account["available"] == "50.00"


async def test_who_asked_takes_it_back_once(office: Office) -> None:
    await office.call(ANNA, "points", "POST", "/clients/c-2/adjustments", WANTED)
    async with office.person(ANNA, "zh-CN") as anna:
        page = await anna.see("/approvals?show=asked")
        assert "我提请的" in page.answer.text
        first = await anna.do(page, "withdraw")
        assert "已完成" in first.answer.text
        again = await anna.do(page, "withdraw")
        assert again.status == 409
        assert "alert" in again.answer.text


async def test_a_form_is_for_what_a_page_offers_and_for_pages_alone(office: Office) -> None:
    async with office.person(ANNA) as anna:
        for path in (
            "/do/points_ask_for_adjustment?act=approve&client_id=c-1",
            "/do/points_grant_approval?act=refuse&approval_id=1",
            "/do/points_grant_approval?act=approve",
        ):
            assert (await anna.see(path)).status == 404, path
        sent = await anna.http.post("/do/points_grant_approval?act=approve&approval_id=1")
        assert sent.status_code == 403
