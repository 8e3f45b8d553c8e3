"""What holds for every page, in real browsers: accessible in both languages and in the dark, at most two requests, a phone's
width, print; a stream that is cut and comes back."""

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from chassis.actor import Actor, Role
from contracts import broker
from tests.browser.conftest import PHONE, Desks
from tests.console.office import ANNA, BEN, CENTRE, CLIENT, COMPLIANCE, DIRECTOR, OPERATIONS
from tests.console.test_clients import shelf

MIA = Actor("user:mia", Role.CLIENT_MANAGER, branch_id="B1")
CASE = {"client_id": "c-1", "channel": "hotline", "category": "service", "words": "申购没有成功", "branch_id": "B1"}
CLIENTS_TABS = ("", "/timeline", "/standing", "/points", "/suitability", "/products", "/information", "/team", "/messages", "/questionnaire", "/purchase")  # fmt: skip
PAGES: dict[Actor, tuple[str, ...]] = {
    ANNA: ("/", "/callbacks", "/callbacks/next", "/complaints", "/complaints/new", "/clients", *(f"/clients/c-1{tab}" for tab in CLIENTS_TABS)),
    MIA: ("/", "/managers", "/managers/work", "/managers/hand-overs", "/clients/c-1/hand-over"),
    DIRECTOR: ("/approvals", "/callbacks/wall", "/managers?person=mia", "/managers/team", "/complaints/supervision", "/policies", "/compliance"),
    COMPLIANCE: (
        "/compliance", "/compliance/findings", "/compliance/erasures?client=c-1", "/compliance/coverage", "/compliance/proofs?client=c-1",
        "/compliance/audit?person=anna", "/clients/c-1/reads", "/operations/trace?about=c-1",
    ),
    OPERATIONS: (
        "/", "/operations", "/operations/access", "/operations/messages?service=gateway&since=2020-01-01", "/operations/lag",
        "/operations/deadlines?which=all", "/operations/settings",
    ),
    CLIENT: ("/me", "/me/cheapest", "/clients/c-1/questionnaire"),
}  # fmt: skip
PICTURES: dict[Actor, dict[str, str]] = {
    ANNA: {"/": "my-day", "/clients/c-1/timeline": "client-timeline", "/clients/c-1/standing": "client-standing"},
    MIA: {"/managers": "managers", "/managers/work": "managers-work"},
    DIRECTOR: {"/callbacks/wall": "wall", "/complaints/supervision": "supervision"},
    COMPLIANCE: {
        "/compliance": "compliance",
        "/compliance/findings": "findings",
        "/compliance/erasures?client=c-1": "erasures",
        "/compliance/audit?person=anna": "audit",
    },
    OPERATIONS: {"/operations/access": "access", "/operations/messages?service=gateway&since=2020-01-01": "messages"},
}
"""Those of each role's pages that the documentation shows."""


async def faults(page: Page) -> list[str]:
    """What axe finds that is serious or worse."""
    found: dict[str, Any] = (await Axe().run(page)).response
    return [
        f"{page.url.split('/', 3)[3]} {one['id']}: {[node['html'][:160] for node in one['nodes']][:3]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.fixture(scope="module", autouse=True)
async def furnished(desks: Desks) -> None:
    """Something on every page."""
    office = desks.office
    await shelf(office)
    await office.call(CENTRE, "complaints", "POST", "/cases", CASE)
    await office.world.publish_raw(broker.TRADES, "c-1", broker.TradeSettled.type, b'{"trade_id": 7}')
    await office.world.settle()


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh-CN", "dark")])
async def test_no_page_has_a_serious_fault_for_who_cannot_see_or_uses_no_mouse(
    desks: Desks, language: str, scheme: Any
) -> None:
    found: list[str] = []
    for actor, paths in PAGES.items():
        async with desks.at(actor, language, color_scheme=scheme) as page:
            for path in paths:
                await desks.see(page, path)
                found += await faults(page)
                if name := PICTURES.get(actor, {}).get(path):
                    await page.emulate_media(color_scheme="light")
                    await desks.picture(page, name if language == "en" else f"{name}-zh")
                    await page.emulate_media(color_scheme=scheme)
    assert found == []


async def test_a_page_is_at_most_two_requests_fits_a_phone_and_prints_without_its_frame(desks: Desks) -> None:
    for actor, paths in PAGES.items():
        async with desks.at(actor, "zh-CN", PHONE) as page:
            asked: list[str] = []
            page.on("request", lambda one, asked=asked: asked.append(one.url))
            for path in paths:
                asked.clear()
                await desks.see(page, path)
                await page.wait_for_load_state("load")
                own = {url for url in asked if "/static/" not in url and not url.endswith(("/live", "/part/services"))}
                assert len(own) <= 2 + (path in ("/clients/c-1", "/operations/lag")), (
                    own
                )  # a chart asks for its figures
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            await page.emulate_media(media="print")
            await expect(page.locator("header.bar")).to_be_hidden()


async def test_figures_in_the_bar_follow_also_when_the_stream_is_cut_and_comes_back(desks: Desks) -> None:
    async with desks.at(CENTRE) as page:
        await desks.see(page, "/clients")
        await expect(page.locator("body")).to_have_attribute("data-live", "on")
        badge = page.locator("[data-badge=complaints]")
        await expect(badge).to_be_visible()
        before = int((await badge.inner_text()).split()[0])

        async def one_more(number: int) -> None:
            await desks.office.call(CENTRE, "complaints", "POST", "/cases", CASE | {"words": f"又一件 {number}"})
            await expect(badge).to_contain_text(str(before + number))

        await one_more(1)
        await page.route("**/live", lambda route: route.abort())
        desks.office.app.state.live.end_streams()
        await expect(page.locator("body")).not_to_have_attribute("data-live", "on")
        await one_more(2)  # the page asks now and then
        await page.unroute("**/live")
        await expect(page.locator("body")).to_have_attribute("data-live", "on")
        await one_more(3)


async def test_several_callbacks_are_claimed_and_a_loser_is_told_by_whom(desks: Desks) -> None:
    async with desks.at(ANNA) as anna, desks.at(BEN, "zh-CN") as ben:
        for page in (anna, ben):
            await desks.see(page, "/callbacks?state=planned&topic=new_client")
        for page in (anna, ben):
            for box in await page.locator("[name=ids]").all():
                await box.check()
        await anna.locator("[data-act=claim_chosen]").click()
        await expect(anna.locator("[data-bulk] [data-done=yes]").first).to_be_visible()
        await ben.locator("[data-act=claim_chosen]").click()
        await expect(ben.locator("[data-bulk]")).to_contain_text("anna")
        await anna.locator("[data-act=undo]").click()
        await expect(anna.locator("[data-bulk=release] [data-done=yes]").first).to_be_visible()


async def test_the_questionnaire_is_answered_by_keyboard_at_the_counter(desks: Desks) -> None:
    async with desks.at(ANNA) as page:
        await desks.see(page, "/clients/c-2/questionnaire")
        for group in await page.locator("fieldset").all():
            await group.locator("input").first.focus()
            await page.keyboard.press("Space")
        await page.locator("[data-act=show_level]").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-level]")).to_be_visible()
        await page.locator("[name=signature]").fill("s-9")
        await page.locator("[name=recording]").fill("rec/9")
        await page.locator("[data-act=submit]").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/clients/c-2/suitability")
        await expect(page.get_by_role("status")).to_contain_text("Done.")
