"""Complaints in the console: from intake to closed, the branch's part by another person."""

from chassis.clock import at
from contracts import callbacks
from gateway.console.complaints import pages
from gateway.console.words import CHINESE_WORDS
from services.complaints.acts import ACTS
from tests.complaints.desk import FEEDBACK
from tests.console.office import CENTRE, FRIDAY, OFFICER, SECOND, Office

SAID = {
    "client_id": "c-1", "branch_id": "B1", "channel": "hotline", "category": "service",
    "words": "客户经理业务不熟练，电话 13912345678",
    "received_at": f"{FRIDAY}T10:00",
}  # fmt: skip


async def test_a_case_goes_from_intake_to_closed(office: Office) -> None:
    async with office.person(CENTRE) as centre, office.person(OFFICER, "zh-CN") as officer:
        intake = await centre.see("/complaints/new")
        assert (intake.headings, intake.mains) == (1, 1)
        bare = await centre.do(intake, "open", channel="hotline")
        assert (bare.status, bare.forms[0].wrong) == (422, ["words"])
        case = await centre.send(bare.forms[0], **SAID)
        path = case.answer.headers["hx-redirect"]
        case = await centre.see(path)
        assert "13912345678" not in case.answer.text
        assert "received" in case.answer.text
        contact = await centre.http.get(case.act("reveal").opens or "", headers={"hx-request": "true"})
        assert "13912345678" in contact.text
        similar = await centre.http.post(
            "/complaints/similar", data=SAID, headers={"x-csrf-token": centre.csrf, "hx-request": "true"}
        )
        assert path in similar.text
        assert "13912345678" not in similar.text

        case = await centre.do(case, "accept")
        case = await centre.do(case, "dispatch")
        case = await centre.do(case, "phone_notice", to="B1-director", recording="rec/1")
        assert "Done." in case.answer.text
        branch = await officer.see(path)
        assert "督办单" in branch.answer.text
        said = {name: str(value).lower() if value is True else str(value) for name, value in FEEDBACK.items()}
        short = await officer.do(branch, "feedback", **(said | {"action": ""}))
        assert (short.status, short.forms[0].wrong) == (422, ["action"])
        assert short.forms[0].fields["facts"] == FEEDBACK["facts"]
        branch = await officer.send(short.forms[0], **said)
        assert branch.answer.headers.get("hx-redirect") == path, branch.answer.text
        await office.world.settle()
        [task] = await office.world.rows("callbacks", "SELECT * FROM tasks WHERE rule = 'satisfaction'")
        assert str(task["subject"]) in path
        told = callbacks.TaskCompleted(
            task_id=task["task_id"], client_id="c-1", rule="satisfaction", outcome="completed", subject=task["subject"],
            scores={"time": 5, "feedback": 5, "result": 5}, accepted=True, completed_at=at(FRIDAY, 16),
        )  # fmt: skip
        await office.world.publish(told)
        await office.world.settle()
        case = await centre.see(path)
        assert 'data-state="closed"' in case.answer.text
        assert {one.name for one in case.acts} >= {"reopen", "reveal"}


async def test_who_was_slower_is_shown_how_the_case_stands(office: Office) -> None:
    opened = await office.call(
        CENTRE, "complaints", "POST", "/cases", SAID | {"client_id": "c-2", "received_at": f"{FRIDAY}T10:00:00+08:00"}
    )
    path = f"/complaints/{opened['case_id']}"
    async with office.person(CENTRE) as centre, office.person(SECOND) as second:
        mine, theirs = await centre.see(path), await second.see(path)
        assert (await centre.do(mine, "accept")).status == 200
        late = await second.do(theirs, "correct", reason="other category", category="fees")
        assert late.status == 412
        assert "accepted" in late.answer.text
        assert late.forms[0].fields["reason"] == "other category"
        done = await second.send(late.forms[0])
        assert done.answer.headers["hx-redirect"] == path
        assert "fees" in (await second.see(path)).answer.text


async def test_the_list_finds_two_characters_and_the_queue_what_nobody_took(office: Office) -> None:
    async with office.person(SECOND) as second:
        page = await second.see("/complaints?q=熟练")
        assert (page.headings, page.status) == (1, 200)
        assert "Nothing fits." not in page.answer.text
        assert "Nothing fits." in (await second.see("/complaints?q=无人说过")).answer.text
        assert (await second.see("/complaints/00000000-0000-0000-0000-000000000000")).status == 404


def test_every_code_a_case_shows_has_its_chinese() -> None:
    words = {*pages.STATES, *(f"did {act}" for act in ACTS.table)}
    assert sorted(words - CHINESE_WORDS.keys()) == []
