"""Points on the screen, in real browsers: when they end, what is held and why, redeemed and applied for by the client, adjusted by two
persons; and no end that is over is shown as one that is to come."""

import hashlib
from datetime import date

import msgspec
from playwright.async_api import Page, expect

from chassis.clock import at
from contracts.broker import TradeSettled
from tests.browser.conftest import PHONE, Desks
from tests.console.office import ANNA, CLIENT, DIRECTOR
from tests.console.test_operations import trade

LONG_AGO, ENDS = date(2024, 11, 4), date(2026, 11, 30)
TOO_LONG_AGO, OVER = date(2024, 9, 5), date(2026, 9, 30)


def gained(trade_id: str, commission: str, day: date) -> TradeSettled:
    return msgspec.structs.replace(trade(trade_id, commission), trade_date=day, settled_at=at(day, 15))


def shown(day: date) -> str:
    """As pages show a day."""
    return f"{day:%b} {day.day}, {day.year}"


async def act(page: Page, name: str, **filled: str) -> None:
    """Press a button, fill in its form, send it."""
    await page.locator(f"[data-act={name}]").first.click()
    for field, value in filled.items():
        one = page.locator(f"#act [name={field}]")
        if await one.evaluate("element => element.tagName") == "SELECT":
            await one.select_option(value)
        else:
            await one.fill(value)
    await page.locator(f"#act [data-act={name}]").click()


async def test_a_client_redeems_and_applies_and_sees_what_is_held_and_why_and_never_an_end_that_is_over(
    desks: Desks,
) -> None:
    world = desks.office.world
    await world.publish(gained("t-0", "70", TOO_LONG_AGO), gained("t-1", "2500", LONG_AGO), trade("t-2", "300"))
    await world.settle()
    async with desks.at(CLIENT, "en", PHONE, has_touch=True) as mine, desks.at(ANNA) as anna:
        await desks.see(mine, "/me")
        lots, holds = mine.locator("[data-part=lots]"), mine.locator("[data-part=holds]")
        await expect(lots).to_contain_text("2,500")
        await expect(lots).to_contain_text(shown(ENDS))
        await act(mine, "apply_for_tier")
        await expect(holds).to_contain_text("Tier Silver")
        await act(mine, "redeem", reward="SMS1", quantity="1")
        await expect(holds).to_contain_text("SMS1")
        assert await mine.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await desks.see(anna, "/clients/c-1/points")
        theirs = anna.locator("[data-part=holds]")
        await expect(theirs).to_contain_text("Tier Silver")
        await expect(theirs).to_contain_text("SMS1")
        await expect(anna.locator("[data-part=lots]")).to_contain_text(shown(ENDS))
        await desks.picture(anna, "points")
        for page in (mine, anna):  # what was gained too long ago has expired, and its end is nowhere
            await expect(page.locator("[data-part=lots]")).not_to_contain_text(shown(OVER))
        await expect(anna.locator("main")).to_contain_text("-70.00")


async def test_points_are_adjusted_from_the_screen_by_two_persons(desks: Desks) -> None:
    async with desks.at(ANNA) as anna, desks.at(DIRECTOR, "zh-CN") as director:
        await desks.see(anna, "/clients/c-2/points")
        paper = b"%PDF-1.7 a letter of the client"
        await anna.locator("input[type=file]").set_input_files(
            {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": paper}
        )
        await anna.locator("[data-act=attach]").click()
        await expect(anna.locator("#act [name=attachment]")).to_have_value(hashlib.sha256(paper).hexdigest())
        for name, value in (("points", "12.50"), ("reason", "COMPLAINT_REDRESS"), ("why", "waited long")):
            await anna.locator(f"#act [name={name}]").fill(value)
        await anna.locator("#act [data-act=adjust]").click()
        await expect(anna.get_by_role("status")).to_have_text("It waits for a second person.")
        await desks.see(director, "/approvals")
        await director.locator("[data-act=approve]").first.click()
        await director.locator("#act [data-act=approve]").click()
        await expect(director.get_by_role("status")).to_have_text("已完成。")
        await desks.see(anna, "/clients/c-2/points")
        await expect(anna.locator("[data-part=lots]")).to_contain_text("12.5")
