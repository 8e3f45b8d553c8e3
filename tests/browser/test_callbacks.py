"""Callbacks in a real browser: from Next to completed, with the mouse and without one, and two people after one task."""

import asyncio

from playwright.async_api import expect

from tests.browser.conftest import Desks
from tests.callbacks.desk import TRAINED
from tests.console.office import ANNA, BEN, FRIDAY

TEN = f"{FRIDAY}T10:00"


async def test_a_callback_goes_from_next_to_completed(desks: Desks) -> None:
    async with desks.at(ANNA) as page:
        await desks.see(page, "/callbacks/next")
        await page.locator("[data-act=next]").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Callback")
        await page.locator("[data-act=reveal]").click()
        await expect(page.locator("#contact")).to_contain_text("13")
        for code, value in TRAINED.items():
            await page.locator(f"[name='t0.a.{code}']").select_option(value)
        await page.locator("[name=at]").fill(TEN)
        await page.locator("[name=notes]").fill("asked about fees")
        await desks.picture(page, "call")
        await page.locator("[name='t0.outcome']").select_option("completed")
        await page.locator("[data-act=outcome]").click()
        await expect(page.get_by_role("alert")).to_contain_text("evidence", ignore_case=True)
        await expect(page.locator("[name=notes]")).to_have_value("asked about fees")
        await page.locator("[name=recording]").fill("REC-7/1")
        await page.locator("[data-act=outcome]").click()
        await expect(page.get_by_role("status")).to_have_text("Done.")
    kept = await desks.office.world.rows("callbacks", "SELECT outcome, notes FROM attempts")
    assert kept == [{"outcome": "completed", "notes": "asked about fees"}]


async def test_two_people_after_one_task_and_one_has_it(desks: Desks) -> None:
    async with desks.at(ANNA) as anna, desks.at(BEN, "zh-CN") as ben:
        for page in (anna, ben):
            await desks.see(page, "/callbacks?state=planned&topic=new_client")
        await desks.picture(ben, "callbacks")
        await asyncio.gather(*(page.locator("[data-act=claim]").first.click() for page in (anna, ben)))
        await asyncio.gather(*(page.wait_for_selector(".done, #act .alert") for page in (anna, ben)))
        done = [await page.locator(".done").count() for page in (anna, ben)]
        assert sorted(done) == [0, 1]
        loser, winner = (ben, "anna") if done[0] else (anna, "ben")
        await expect(loser.locator("#act")).to_contain_text(winner)
