"""The pages of one client: the timeline of everything, and every tab with its acts, as a branch's people and others see them."""

import re
from datetime import timedelta

from chassis.actor import Actor, Role
from chassis.clock import at
from gateway.console.clients.moments import of_case, of_tier
from tests.console.office import ANNA, BEN, CENTRE, DIRECTOR, FRIDAY, MONDAY, THURSDAY, Office
from tests.console.pages import Page
from tests.console.test_operations import trade

TABS = ("", "timeline", "standing", "points", "suitability", "products", "information", "team", "messages")


async def test_every_tab_is_there_in_both_languages(office: Office) -> None:
    for language in ("en", "zh-CN"):
        async with office.person(ANNA, language) as anna:
            for tab in TABS:
                page = await anna.see(f"/clients/c-1{tab and '/' + tab}?purpose=review")
                assert (page.status, page.headings, page.mains) == (200, 1, 1), (tab, page.answer.text[-3000:])
                tabs = [link for link in page.links if link.startswith("/clients/c-1") and "purpose=review" in link]
                assert len(tabs) >= len(TABS), tab
    async with office.person(Actor("user:eve", Role.AGENT, branch_id="B2")) as eve:
        for tab in TABS:
            assert (await eve.see(f"/clients/c-1{tab and '/' + tab}")).status == 404, tab


async def test_the_timeline_holds_what_every_service_knows(office: Office) -> None:
    case = {"client_id": "c-1", "channel": "hotline", "category": "service", "words": "申购没有成功", "branch_id": "B1"}
    await office.call(CENTRE, "complaints", "POST", "/cases", case | {"received_at": at(FRIDAY, 10).isoformat()})
    contact = {
        "channel": "phone",
        "direction": "out",
        "at": at(FRIDAY, 11).isoformat(),
        "topics": ["care"],
        "words": "问候",
    }
    await office.call(ANNA, "relationships", "POST", "/clients/c-1/contacts", contact)
    await office.world.publish(trade("t-1"))
    await office.world.settle()
    async with office.person(ANNA) as anna, office.person(BEN, "zh-CN") as ben:
        page = await anna.see("/clients/c-1/timeline?purpose=complaint")
        kinds = kinds_of(page)
        assert {"complaint", "contact", "callback", "standing", "points", "team"} <= set(kinds), kinds
        text = page.answer.text
        assert text.index("Contact went out") < text.index("Complaint received") < text.index(">Tier<")
        only = await ben.see("/clients/c-1/timeline?kind=complaint&kind=team")
        assert set(kinds_of(only)) == {"complaint", "team"}
        assert "受理投诉" in only.answer.text
        earlier = await anna.see(f"/clients/c-1/timeline?before={at(THURSDAY, 0).isoformat().replace('+', '%2B')}")
        assert "Complaint received" not in earlier.answer.text
    purposes = await office.world.rows(
        "complaints", "SELECT DISTINCT inputs ->> 'purpose' AS p FROM audit WHERE action = 'read' AND object = 'client/c-1'"
    )  # fmt: skip
    assert "console: complaint" in [row["p"] for row in purposes]


def kinds_of(page: Page) -> list[str]:
    return [part.split('"')[0] for part in page.answer.text.split('data-kind="')[1:]]


def test_a_line_of_a_day_has_no_time_and_a_case_two_lines() -> None:
    [line] = of_tier({"from": "2026-11-20", "tier": "GOLD", "reason": "upgrade"})
    assert (line.whole_day, line.day, line.particulars) == (True, FRIDAY, ("GOLD", "because upgrade"))
    case = {"case_id": "k", "category": "fees", "severity": "major", "state": "closed", "outcome": None}
    instants = {"received_at": "2026-11-19T16:30:00Z", "closed_at": "2026-11-20T01:00:00Z"}
    assert [(one.what, one.day) for one in of_case(case | instants)] == [
        ("complaint received", FRIDAY),
        ("complaint closed", FRIDAY),
    ]
    assert [one.what for one in of_case(case | instants | {"closed_at": None})] == ["complaint received"]


async def test_class_and_tier_as_of_any_day(office: Office) -> None:
    async with office.person(ANNA) as anna:
        page = await anna.see("/clients/c-1/standing")
        assert f'data-as-of="{FRIDAY}"' in page.answer.text
        answer = await anna.http.get("/clients/c-1/standing?days=0", headers={"hx-request": "true"})
        assert (f'data-as-of="{THURSDAY}"' in answer.text, "<h1" in answer.text) == (True, False)
        assert "Every account begins as standard" in answer.text
        beyond = await anna.see(f"/clients/c-1/standing?as_of={FRIDAY + timedelta(days=900)}")
        assert f'data-as-of="{FRIDAY}"' in beyond.answer.text
    async with office.person(DIRECTOR) as director, office.person(CENTRE) as centre:
        page = await director.see("/clients/c-2/standing")
        bare = await director.do(page, "propose_tier", tier="GOLD", since="", until="", reason="")
        assert "since" in bare.forms[0].wrong
        done = await director.send(
            bare.forms[0], tier="GOLD", since=MONDAY.isoformat(), until="2027-03-31", reason="a friend of the house"
        )
        assert done.answer.headers.get("hx-redirect"), done.answer.text
        assert "a friend of the house" in (await centre.see("/clients/c-2/standing")).answer.text


async def test_a_questionnaire_at_the_counter(office: Office) -> None:
    async with office.person(ANNA) as anna, office.person(BEN, "zh-CN") as ben:
        assert "questionnaire" in [one.name for one in (await anna.see("/clients/c-3/suitability")).acts]
        sheet = await anna.see("/clients/c-3/questionnaire")
        names = first_options(sheet)
        form = sheet.forms[0]
        early = await anna.send(form, **{"do": "show"})
        assert (early.status, "is not answered" in early.answer.text) == (422, True)
        saved = await anna.send(form, **{"do": "save", names[0][0]: names[0][1]})
        assert saved.answer.headers["hx-redirect"] == "/clients/c-3/questionnaire"
        again = await ben.see("/clients/c-3/questionnaire")
        assert again.forms[0].fields[names[0][0]] == names[0][1]  # one goes on where the other stopped
        shown = await ben.send(again.forms[0], **{"do": "show"}, **dict(names))
        assert (shown.status, "data-level=" in shown.answer.text) == (200, True), shown.answer.text
        given = {"do": "submit", "channel": "counter", "signature": "s-1", "recording": "rec/3"}
        done = await ben.send(shown.forms[0], **given, **dict(names))
        assert done.answer.headers["hx-redirect"] == "/clients/c-3/suitability", done.answer.text
        assert "s-1" in (await ben.see("/clients/c-3/suitability")).answer.text


def first_options(page: Page) -> list[tuple[str, str]]:
    """Of every question its first option."""
    found: dict[str, str] = {}
    for name, value in re.findall(r'name="(q\.[^"]+)" value="([^"]+)"', page.answer.text):
        found.setdefault(name, value)
    return list(found.items())


async def test_information_is_entered_and_the_team_changed(office: Office) -> None:
    async with office.person(ANNA) as anna, office.person(DIRECTOR) as director:
        page = await anna.see("/clients/c-2/information")
        code = page.answer.text.split('data-code="')[1].split('"')[0]
        gaps = page.answer.text.count('data-act="enter_information"')
        bare = await anna.do(page, "enter_information", state="stated", value="")
        assert bare.status == 422, bare.answer.text
        done = await anna.send(bare.forms[0], state="refused", value="")
        assert done.answer.headers.get("hx-redirect") == "/clients/c-2/information?purpose=service", done.answer.text
        assert code in (await anna.see("/clients/c-2/information")).answer.text
        assert gaps
        planned = await anna.do(await anna.see("/clients/c-2/team"), "plan_visit", purpose="care")
        assert ("Visits" in planned.answer.text, "care" in planned.answer.text) == (True, True)
        team = await director.see("/clients/c-2/team")
        assert "mia" in team.answer.text
        named = await director.do(team, "name_manager", person="ben", reason="the client asked")
        assert "second person" in named.answer.text
    async with office.person(CENTRE) as centre, office.person(BEN) as ben:
        inbox = await centre.see("/approvals")
        opens = [one.opens or "" for one in inbox.acts if one.name == "approve"]
        mine = next(number for number, place in enumerate(opens) if "relationships_" in place)
        await centre.do(inbox, "approve", mine, because="the client's letter")
        assert '<p class="figure">ben</p>' in (await ben.see("/clients/c-2/team")).answer.text


async def test_products_are_shown_before_they_are_subscribed_and_wishes_kept(office: Office) -> None:
    async with office.person(ANNA) as anna:
        page = await anna.see("/clients/c-2/products")
        shown = await anna.do(page, "preview", code="SMS2")
        assert (shown.status, 'data-preview="SMS2"' in shown.answer.text) == (200, True), shown.answer.text[-3000:]
        refused = await anna.do(await anna.see("/clients/c-2/products"), "preview", code="NONE")
        assert (refused.status >= 400, "alert" in refused.answer.text) == (True, True)
        messages = await anna.see("/clients/c-2/messages")
        bare = await anna.do(messages, "set_wishes", language="en", evidence="")
        assert "recording, a form, a letter" in bare.answer.text.lower() or bare.status == 422
        given = {"message_class": "MARKETING", "allowed": "false", "evidence": "form 7", "language": "en"}
        kept = await anna.do(messages, "set_wishes", **given)
        assert (kept.status, "form 7" in kept.answer.text) == (200, True), kept.answer.text[-2000:]
