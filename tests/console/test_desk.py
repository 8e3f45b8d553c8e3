"""What people arrange for themselves: saved views, reminders put off, who else has a page open; what managers find on My day."""

from datetime import timedelta

from chassis.actor import Actor, Role
from chassis.clock import utc_now
from gateway.console.complaints.supervision import map_of
from tests.callbacks.desk import TRAINED
from tests.console.office import ANNA, BEN, CENTRE, DIRECTOR, FRIDAY, SECOND, Office

MIA = Actor("user:mia", Role.CLIENT_MANAGER, branch_id="B1")


async def test_views_are_ones_own_or_the_teams(office: Office) -> None:
    async with office.person(ANNA) as anna, office.person(BEN, "zh-CN") as ben, office.person(CENTRE) as centre:
        page = await anna.see("/callbacks?state=planned&topic=new_client")
        bare = await anna.do(page, "save_view", name="")
        assert bare.status == 422
        await anna.do(page, "save_view", name="new clients")
        await anna.do(page, "save_view", name="for all of us", team="true")
        links = [
            link for link in (await anna.see("/callbacks")).links if link == "/callbacks?state=planned&topic=new_client"
        ]
        assert len(links) == 2
        of_ben = await ben.see("/callbacks")
        assert ("for all of us" in of_ben.answer.text, "new clients" in of_ben.answer.text) == (True, False)
        assert "remove_view" not in {one.name for one in of_ben.acts}
        assert "for all of us" not in (await centre.see("/callbacks")).answer.text
        assert "for all of us" not in (await anna.see("/complaints")).answer.text
        async with office.person(DIRECTOR) as director:
            left = await director.do(await director.see("/callbacks"), "remove_view")
        assert "for all of us" not in left.answer.text
        again = await anna.do(await anna.see("/callbacks"), "remove_view")
        assert "new clients" not in again.answer.text


async def test_who_else_has_a_page_open_is_shown(office: Office) -> None:
    tasks = await office.call(ANNA, "callbacks", "GET", "/tasks?limit=1")
    place = f"/callbacks/{tasks['items'][0]['task_id']}"
    async with office.person(ANNA) as anna, office.person(BEN, "zh-CN") as ben:
        assert f"/part/badges?at={place}" in (await anna.see(place)).answer.text
        assert "data-presence" not in (await anna.see(f"/part/badges?at={place}")).answer.text
        seen = await ben.see(f"/part/badges?at={place}")
        assert ("同时打开" in seen.answer.text, "anna" in seen.answer.text) == (True, True)
        assert "data-presence" not in (await ben.see("/part/badges?at=/callbacks")).answer.text
        async with office.world.sql("gateway") as sql:
            await sql.execute("UPDATE presence SET seen_at = seen_at - interval '2 minutes'")
        assert "data-presence" not in (await ben.see(f"/part/badges?at={place}")).answer.text


async def test_visits_are_on_a_managers_day_and_a_reminder_is_put_off_never_past_due(office: Office) -> None:
    visit = await office.call(MIA, "relationships", "POST", "/clients/c-1/visits", {"purpose": "care"})
    wanted = {"asked_by": "sms", "planned_for": (utc_now() + timedelta(hours=3)).isoformat()}
    await office.call(MIA, "relationships", "POST", f"/visits/{visit['visit_id']}/appoint", wanted)
    place = f"/managers/visits/{visit['visit_id']}"
    async with office.person(MIA) as mia:
        page = await mia.see("/")
        assert place in page.links
        form = next(one for one in page.forms if one.fields.get("item") == place)
        late = await mia.send(form, hours="200")
        assert (late.status, "past due" in late.answer.text) == (422, True)
        assert (await mia.send(form, item="https://elsewhere.test/x")).status == 422
        kept = await mia.send(form)
        assert kept.answer.headers["hx-redirect"] == "/"
        parts = (await mia.see("/")).answer.text.partition('data-part="put_off"')
        assert (place in parts[0], place in parts[2]) == (False, True)


async def test_redress_is_proposed_on_the_case_and_approved_by_another(office: Office) -> None:
    case = {"client_id": "c-1", "channel": "hotline", "category": "fees", "words": "收费有误", "branch_id": "B1"}
    opened = await office.call(CENTRE, "complaints", "POST", "/cases", case)
    async with office.person(CENTRE) as centre, office.person(SECOND, "zh-CN") as second:
        page = await centre.see(f"/complaints/{opened['case_id']}")
        assert {"propose_redress", "ask_deviation"} <= {one.name for one in page.acts}
        bare = await centre.do(page, "propose_redress", amount="", reason="")
        assert {"amount", "reason"} <= set(bare.forms[0].wrong)
        asked = await centre.send(bare.forms[0], amount="120.50", reason="charged twice")
        assert asked.answer.headers["hx-redirect"] == f"/complaints/{opened['case_id']}"
        seen = await centre.see(f"/complaints/{opened['case_id']}")
        assert ('data-redress="proposed"' in seen.answer.text, "120.50" in seen.answer.text) == (True, True)
        await second.do(await second.see("/approvals"), "approve", because="the statement shows it")
        assert 'data-redress="approved"' in (await centre.see(f"/complaints/{opened['case_id']}")).answer.text


async def test_clients_are_a_file_and_every_product_can_be_searched(office: Office) -> None:
    async with office.person(ANNA) as anna:
        page = await anna.see("/clients?tier=NORMAL")
        assert "?tier=NORMAL&purpose=service&format=csv" in page.links
        head, *rows = (await anna.http.get("/clients?tier=NORMAL&format=csv")).content.decode("utf-8-sig").split("\r\n")
        assert (head.split(",")[0], len([row for row in rows if row])) == ("Client number", 3)


async def test_a_recording_is_uploaded_with_the_report_of_its_call(office: Office) -> None:
    async with office.person(ANNA) as anna:
        call = await anna.do(await anna.see("/callbacks/next"), "next")
        form = call.act("outcome").form
        assert form is not None
        typed = {f"t0.a.{code}": value for code, value in TRAINED.items()} | {
            "t0.outcome": "completed",
            "at": f"{FRIDAY}T10:00",
        }
        sent = await anna.http.post(
            form.action, data=form.fields | typed, files={"file": ("call.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav")},
            headers={"x-csrf-token": anna.csrf, "hx-request": "true"},
        )  # fmt: skip
        assert sent.headers.get("hx-redirect") == "/callbacks/next", sent.text
    assert await office.world.value("callbacks", "SELECT count(*) FROM evidence WHERE media_type = 'audio/wav'") == 1


def test_the_radar_is_a_map_by_dimension_the_most_first() -> None:
    rows = [
        {"dimension": "category", "value": "fees", "cases": 3, "alarm_id": "1"},
        {"dimension": "branch", "value": "B1", "cases": 9, "alarm_id": "2"},
        {"dimension": "category", "value": "service", "cases": 7, "alarm_id": "3"},
    ]
    assert map_of(rows) == [
        ("branch", [("B1", 9, "/complaints/clusters/2")]),
        ("category", [("service", 7, "/complaints/clusters/3"), ("fees", 3, "/complaints/clusters/1")]),
    ]
