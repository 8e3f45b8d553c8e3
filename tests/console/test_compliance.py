"""Compliance in the console: what was found and what waits, each list for whom it is."""

from gateway.console.compliance.pages import SECTIONS
from gateway.console.fields import FIELDS
from tests.callbacks.desk import TRAINED
from tests.console.office import ANNA, COMPLIANCE, DIRECTOR, FRIDAY, Office
from tests.suitability.conftest import PROVEN


async def test_a_call_is_reviewed_by_who_leads(office: Office) -> None:
    async with (
        office.person(ANNA) as anna,
        office.person(DIRECTOR) as director,
        office.person(COMPLIANCE, "zh-CN") as officer,
    ):
        assert (await anna.see("/compliance")).status == 403
        call = await anna.do(await anna.see("/callbacks/next"), "next")
        typed = {f"t0.a.{code}": value for code, value in (TRAINED | {"operated": "yes"}).items()}
        done = await anna.do(
            call, "outcome", **typed, **{"t0.outcome": "completed", "t0.concerned": "mia", "at": f"{FRIDAY}T10:00", "recording": "REC-5"}
        )  # fmt: skip
        assert done.status == 200
        page = await director.see("/compliance")
        assert (page.status, page.headings, page.mains) == (200, 1, 1)
        assert "Findings of callbacks" not in page.answer.text
        unsaid = await director.do(page, "review_call", score="90")
        assert (unsaid.status, unsaid.forms[0].wrong) == (422, ["accepted"])
        kept = await director.send(unsaid.forms[0], accepted="true")
        assert kept.answer.headers["hx-redirect"] == "/compliance"
        found = await officer.see("/compliance")
        assert "staff_operated_account" in found.answer.text
        assert "mia" in found.answer.text


async def test_requests_of_professionals_are_a_queue_and_stand_on_the_clients_page(office: Office) -> None:
    asked = {"professional_class": "B", "items": PROVEN}
    await office.call(ANNA, "suitability", "POST", "/clients/c-3/professional", asked)
    async with office.person(ANNA) as anna, office.person(COMPLIANCE) as officer:
        assert "It waits for a second person." in (await anna.see("/clients/c-3/suitability")).answer.text
        queue = (await officer.see("/compliance")).answer.text.partition("Professional investors to decide")[2]
        assert "c-3" in queue.partition("</section>")[0]
        done = await officer.do(await officer.see("/approvals"), "approve", because="proofs seen")
        assert "Done." in done.answer.text
        queue = (await officer.see("/compliance")).answer.text.partition("Professional investors to decide")[2]
        assert "c-3" not in queue.partition("</section>")[0]
        shown = (await anna.see("/clients/c-3/suitability")).answer.text.partition("Professional investor")[2]
        assert '<p class="figure">B</p>' in shown


def test_every_column_has_its_name_in_both_languages() -> None:
    assert {name for section in SECTIONS for name in section.columns} - FIELDS.keys() == set()
