"""A manager's work in the console: plan and log, a visit from appointment to record, hand-overs, a wish for another manager; and
the board of who leads."""

from datetime import timedelta

from chassis.actor import Actor, Role
from chassis.clock import at as clock_at
from contracts.broker import StaffChanged
from gateway.console.forms import body_of, form_of
from gateway.console.rest import operations
from services.relationships.policy import Policies
from tests.console.office import ANNA, BEN, CENTRE, CLIENT, DIRECTOR, FRIDAY, MONDAY, Office

MIA = Actor("user:mia", Role.CLIENT_MANAGER, branch_id="B1")
POINTS = [point.code for point in Policies.activity.shipped[0].body.preparation]
WELL = {
    f"assessment.{name}": "good" for name in ("preparation", "etiquette", "communication", "knowledge", "technique")
}


async def test_a_week_is_planned_and_a_visit_made_with_a_preparation_counts(office: Office) -> None:
    async with office.person(MIA) as mia, office.person(DIRECTOR, "zh-CN") as director, office.person(ANNA) as anna:
        page = await mia.see(f"/managers/work?day={FRIDAY}")
        assert (page.status, page.headings, page.mains, 'data-score="6"' in page.answer.text) == (
            200,
            1,
            1,
            True,
        )  # three new clients
        planned = await mia.do(page, "plan_activity", 0, visits="2", calls="5", words="bonds")
        assert ("/ 13" in planned.answer.text, "bonds" in planned.answer.text) == (True, True)
        again = await mia.http.get(planned.act("plan_activity").opens or "", headers={"hx-request": "true"})
        assert 'value="5"' in again.text  # what is planned already is filled in
        noted = await mia.do(planned, "note_day", words="many ask for bonds")
        assert "many ask for bonds" in noted.answer.text
        team = await mia.do(await mia.see("/clients/c-1/team"), "plan_visit", purpose="care")
        visit = await mia.see(next(link for link in team.links if link.startswith("/managers/visits/")))
        assert ("prepare" in {one.name for one in visit.acts}, visit.headings) == (False, 1)
        appointed = await mia.do(visit, "appoint", asked_by="phone", planned_for=f"{MONDAY}T23:30")
        short = await mia.do(appointed, "prepare", points=POINTS[0])
        assert (short.status, short.forms[0].wrong) == (422, ["points"])
        ready = await mia.do(await mia.see(visit.answer.url.path), "prepare", points="\n".join(POINTS))
        assert 'data-state="prepared"' in ready.answer.text
        bare = await mia.do(ready, "record", made_at=f"{FRIDAY}T10:00", place="home")
        assert {"content", "assessment.preparation"} <= set(bare.forms[0].wrong), bare.answer.text
        done = await mia.send(bare.forms[0], content="talked about bonds", **WELL)
        assert done.answer.headers["hx-redirect"] == visit.answer.url.path, done.answer.text
        seen = await director.see(visit.answer.url.path)
        assert ("计分" in seen.answer.text, "自评：准备工作" in seen.answer.text) == (True, True)
        week = await mia.see(f"/managers/work?day={FRIDAY}")
        assert 'data-score="10"' in week.answer.text
        assert (await director.see("/managers/work?person=mia")).status == 200
        assert (await anna.see("/managers/work")).status == 403


async def test_clients_are_by_overdue_and_interval_and_the_board_shows_the_team(office: Office) -> None:
    async with office.person(MIA) as mia, office.person(DIRECTOR) as director, office.person(CENTRE, "zh-CN") as centre:
        page = await mia.see("/managers")
        assert "/ 365 d" in page.answer.text
        assert (await mia.see("/managers?due=overdue")).answer.text.count("data-client=") == 0
        assert (await mia.see("/managers?by=due")).answer.text.count("data-client=") == 3
        board = await director.see("/managers/team")
        assert (board.status, board.headings, board.answer.text.count('data-member="mia"')) == (200, 1, 1)
        assert (await centre.see("/managers/team?branch=B1")).answer.text.count('data-member="mia"') == 1
        assert 'data-member="mia"' not in (await centre.see("/managers/team")).answer.text


async def test_a_client_asks_for_another_manager_and_gets_one_with_a_pack(office: Office) -> None:
    async with office.person(CLIENT, "zh-CN") as client, office.person(DIRECTOR) as director, office.person(MIA) as mia:
        asked = await client.do(await client.see("/me"), "ask_for_manager", reason="想换一位", wished="ben")
        assert ("data-wish=" in asked.answer.text, "想换一位" in asked.answer.text) == (True, True)
        assert "data-wish=" not in (await mia.see("/managers/hand-overs")).answer.text
        page = await director.see(f"/managers/hand-overs?since={FRIDAY}")
        assert "想换一位" in page.answer.text
        granted = await director.do(page, "grant", person="ben")
        assert "Done." in granted.answer.text, granted.answer.text
        assert "data-wish=" not in granted.answer.text
        assert 'data-client="c-1"' in granted.answer.text
        assert "ben" in (await client.see("/me")).answer.text
        pack = await director.see("/clients/c-1/hand-over")
        assert (pack.status, pack.headings, pack.mains) == (200, 1, 1)
        assert "mia" in pack.answer.text
    async with office.person(BEN) as ben:
        assert (await ben.see("/clients/c-1/hand-over")).status == 200


async def test_clients_of_who_left_are_offered_to_somebody(office: Office) -> None:
    await office.world.publish(
        StaffChanged(staff_id="mia", branch_id="B1", name="Mia", user="mia", left_on=FRIDAY),
        at=clock_at(FRIDAY, 18),
    )
    await office.world.settle()
    await office.world.close(FRIDAY + timedelta(days=3))
    async with office.person(DIRECTOR) as director:
        page = await director.see(f"/managers/hand-overs?since={FRIDAY}")
        assert ('data-client="c-2"' in page.answer.text, "name_manager" in {one.name for one in page.acts}) == (
            True,
            True,
        )


def test_an_object_of_plain_members_is_asked_for_member_by_member() -> None:
    schema = operations()["relationships_record_visit"].schema
    typed = {"place": "home"} | WELL
    form = form_of(schema, {}, typed)
    assert body_of(form, {}, typed) == {
        "place": "home", "grumble": False, "assessment": {name.partition(".")[2]: "good" for name in WELL},
    }  # fmt: skip
    form.mark(
        [{"pointer": "/assessment/technique", "detail": "is missing"}, {"pointer": "/place", "detail": "is short"}]
    )
    assert {one.name for one in form.fields if one.error} == {"assessment.technique", "place"}
    form = form_of(schema, {}, {})
    form.mark([{"pointer": "/assessment", "detail": "is missing"}])
    assert [one.name for one in form.fields if one.error] == ["assessment.preparation"]
