"""The other journeys in real browsers: a policy by two persons, a redrive, a purchase with a confirmed warning, a client's
zone on a phone; and what holds for every page."""

from datetime import timedelta

from playwright.async_api import Page, expect

from chassis.actor import Actor, Role
from contracts import broker
from contracts.base import encode
from contracts.broker import TradeSettled
from tests.browser.conftest import PHONE, Desks
from tests.console.office import ANNA, CENTRE, CLIENT, DIRECTOR, MONDAY, OPERATIONS, SECOND
from tests.console.test_clients import shelf
from tests.console.test_operations import trade


async def test_a_policy_is_tried_proposed_and_published_by_two_persons(desks: Desks) -> None:
    async with desks.at(CENTRE) as centre, desks.at(SECOND, "zh-CN") as second:
        await desks.see(centre, "/policies/classification/tiers")
        reserve = centre.locator("input[name^='b:'][inputmode=decimal]").first
        await reserve.fill(str(int(float(await reserve.input_value())) + 1))
        await centre.locator("[data-act=try]").click()
        await expect(centre.locator(".shadow")).to_contain_text("In shadow")
        await desks.picture(centre, "policy")
        await centre.locator("[name=effective_on]").fill(str(MONDAY + timedelta(days=1000)))
        await centre.locator("[name=reason]").fill("a higher bar")
        await centre.locator("[data-act=propose]").click()
        await expect(centre.locator("[data-state]")).to_have_attribute("data-state", "draft")
        await second.goto(centre.url)
        await second.locator("[data-act=publish]").click()
        await expect(second.locator("[data-state]")).to_have_attribute("data-state", "published")


async def test_dead_letters_are_tried_and_redriven(desks: Desks) -> None:
    world = desks.office.world
    await world.publish_raw(broker.TRADES, "c-1", TradeSettled.type, b'{"trade_id": 7}')
    await world.settle()
    async with world.sql("points") as sql:
        await sql.execute("UPDATE dead_letters SET value = $1", encode(trade("t-9")))
    async with desks.at(OPERATIONS) as page:
        await desks.see(page, "/operations")
        await desks.picture(page, "operations")
        await page.locator("[data-group=points] [data-act=try_redrive]").first.click()
        await expect(page.locator("#act")).to_contain_text("would pass")
        await page.locator("#act [data-act=redrive]").click()
        await expect(page.locator("#act [data-outcome=done]")).to_have_count(1)
    assert await world.value("points", "SELECT count(*) FROM dead_letters WHERE redriven_at IS NULL") == 0


async def test_a_purchase_with_a_confirmed_warning(desks: Desks) -> None:
    await shelf(desks.office)
    async with desks.at(ANNA) as anna, desks.at(DIRECTOR, "zh-CN") as director:
        await desks.see(anna, "/clients/c-1/purchase")
        await anna.locator("[name=product]").fill("FUND")
        await anna.locator("[data-act=ask]").click()
        await expect(anna.locator("[data-outcome]")).to_have_attribute("data-outcome", "CONFIRM")
        await expect(anna.locator("#warning .words")).to_contain_text("its risk clearly exceeds your tolerance")
        await anna.locator("[data-act=confirm]").click()
        await expect(anna.locator("#warning [role=alert]")).to_contain_text("demands a recording reference")
        for name in ("signature", "recording"):
            if await anna.locator(f"[name={name}]").count():
                await anna.locator(f"[name={name}]").fill(f"{name}-1")
        await desks.picture(anna, "purchase")
        await anna.locator("[data-act=confirm]").click()
        await expect(anna.get_by_role("status")).to_have_text("It waits for a second person.")
        await desks.see(director, "/approvals")
        await desks.picture(director, "approvals")
        await director.locator("[data-act=approve]").first.click()
        await director.locator("#act [data-act=approve]").click()
        await expect(director.get_by_role("status")).to_have_text("已完成。")
        await desks.see(anna, "/clients/c-1/purchase")
        await anna.locator("[name=product]").fill("FUND")
        await anna.locator("[data-act=ask]").click()
        await expect(anna.locator("[data-outcome]")).to_have_attribute("data-outcome", "PASS")


async def test_a_questionnaire_begun_on_a_phone_is_signed_at_the_counter(desks: Desks) -> None:
    """It says why it asks, goes on where it stopped, and shows what the level means before it is signed."""
    begun, rest = range(1, 6), range(6, 13)
    async with desks.at(Actor("app/c-3", Role.CLIENT, client_id="c-3"), "zh-CN", PHONE, has_touch=True) as page:
        await desks.see(page, "/me")
        await page.get_by_role("link", name="风险测评问卷").tap()
        await expect(page.locator(".heading")).to_contain_text("您尚未进行风险测评")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for number in begun:
            await page.locator(f"[name='q.{number}'][value=B]").check()
        await page.locator("[data-act=save]").tap()
        await expect(page.get_by_role("status")).to_have_text("已完成。")
    async with desks.at(ANNA) as anna:
        await desks.see(anna, "/clients/c-3/questionnaire")
        await expect(anna.locator(".heading")).to_contain_text("You have not been assessed yet.")
        for number in begun:
            await expect(anna.locator(f"[name='q.{number}'][value=B]")).to_be_checked()
        for number in rest:
            await anna.locator(f"[name='q.{number}'][value=B]").check()
        await anna.locator("[data-act=show_level]").click()
        shown = anna.locator("[data-level]")
        await expect(shown).to_have_attribute("data-level", "LOW")
        for words in ("Your risk tolerance is low", "It covers: bond", "Above it:", "warrant"):
            await expect(shown).to_contain_text(words)
        await desks.picture(anna, "questionnaire")
        await anna.locator("[name=signature]").fill("s-3")
        await anna.locator("[data-act=submit]").click()
        await expect(anna.get_by_role("alert")).to_contain_text("recording")
        await anna.locator("[name=recording]").fill("rec/3")
        await anna.locator("[data-act=submit]").click()
        await anna.wait_for_url("**/clients/c-3/suitability")
        await expect(anna.locator(".figure").first).to_have_text("Low")
        await desks.see(anna, "/clients/c-3/questionnaire")
        await expect(anna.locator(".heading")).to_contain_text("You may answer anew at any time")


async def test_a_clients_zone_on_a_phone(desks: Desks) -> None:
    async with desks.at(CLIENT, "zh-CN", PHONE, has_touch=True) as page:
        await desks.see(page, "/me")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("c-1")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.locator("[data-act=complain]").tap()
        await page.locator("#act [name=words]").fill("短信没有收到")
        await page.locator("#act [data-act=complain]").tap()
        await expect(page.get_by_role("link", name="2026").first).to_be_visible()
        await desks.picture(page, "me")


async def pressed(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def test_keys_work_without_a_mouse_and_are_silent_in_fields_and_composition(desks: Desks) -> None:
    async with desks.at(DIRECTOR) as page:
        await desks.see(page, "/")
        await pressed(page, "?")
        await expect(page.locator("#keys")).to_be_visible()
        await pressed(page, "Escape")
        await expect(page.locator("#keys")).to_be_hidden()
        await pressed(page, "g", "q")
        await page.wait_for_url("**/callbacks")
        await pressed(page, "j", "j", "k")
        await expect(page.locator("tr:focus")).to_have_count(1)
        await page.locator("[name=branch]").focus()
        await pressed(page, "n", "?")
        assert await page.locator("[name=branch]").input_value() == "n?"
        await pressed(page, "Escape")
        # What an input method composes is no key of ours, wherever the focus is.
        for said in ("{key: 'g', isComposing: true}", "{key: 'g', keyCode: 229}"):
            await page.evaluate(
                f"document.body.dispatchEvent(new KeyboardEvent('keydown', Object.assign({{bubbles: true}}, {said})))"
            )
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.method))
        await pressed(page, "c")
        assert page.url.endswith("/callbacks")
        await pressed(page, "j", "/")
        await expect(page.locator("form.filters :focus")).to_have_count(1)
        await pressed(page, "Escape", "j", "Enter")
        await page.wait_for_url("**/callbacks/*-*")
        assert "POST" not in asked, "a key acted on a row that nobody chose"
