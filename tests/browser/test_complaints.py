"""A complaint in real browsers: intake at headquarters, the branch's part by another person in Chinese, closed."""

from playwright.async_api import expect

from chassis.clock import at
from contracts import callbacks
from tests.browser.conftest import Desks
from tests.console.office import CENTRE, FRIDAY, OFFICER


async def test_a_complaint_goes_from_intake_to_closed(desks: Desks) -> None:
    world = desks.office.world
    async with desks.at(CENTRE) as centre, desks.at(OFFICER, "zh-CN") as officer:
        await desks.see(centre, "/complaints/new")
        await centre.locator("[name=client_id]").fill("c-1")
        await centre.locator("[name=branch_id]").fill("B1")
        await centre.locator("[name=channel]").select_option("hotline")
        await centre.locator("[name=category]").fill("service")
        await centre.locator("[name=words]").fill("申购没有成功，请回电 13912345678")
        await expect(centre.locator("#similar")).to_contain_text("申购没有成功")
        await expect(centre.locator("#similar")).not_to_contain_text("13912345678")
        await centre.get_by_text("More", exact=True).click()
        await centre.locator("[name=received_at]").fill(f"{FRIDAY}T10:00")
        await centre.locator("[data-act=open]").click()
        await expect(centre.locator("[data-state]")).to_have_attribute("data-state", "received")
        for act, state in (("accept", "accepted"), ("dispatch", "dispatched")):
            await centre.locator(f"[data-act={act}]").click()
            await expect(centre.locator("[data-state]")).to_have_attribute("data-state", state)
        await centre.locator("[data-act=phone_notice]").click()
        await centre.locator("#act [name=to]").fill("B1-director")
        await centre.locator("#act [name=recording]").fill("rec/1")
        await centre.locator("#act [data-act=phone_notice]").click()
        # The page after the act before says "Done." too: what tells them apart is that the notice is not owed any more.
        await expect(centre.locator("[data-act=phone_notice]")).to_have_count(0)

        await officer.goto(centre.url)
        await officer.locator("[data-act=feedback]").click()
        await officer.locator("#act [name=facts]").fill("申购为废单")
        await officer.locator("#act [data-act=feedback]").click()
        await expect(officer.locator("#act [name=action]")).to_have_attribute("aria-invalid", "true")
        await expect(officer.locator("#act [name=facts]")).to_have_value("申购为废单")
        for name, said in (("responsible", "客户经理"), ("action", "上门道歉"), ("reaction", "接受道歉")):
            await officer.locator(f"#act [name={name}]").fill(said)
        await officer.locator("#act [name=upheld]").select_option("true")
        await officer.locator("#act [data-act=feedback]").click()
        await expect(officer.locator("[data-state]")).to_have_attribute("data-state", "satisfaction_call")
        await desks.picture(officer, "case")
        await world.settle()
        [task] = await world.rows("callbacks", "SELECT * FROM tasks WHERE rule = 'satisfaction'")
        await world.publish(
            callbacks.TaskCompleted(
                task_id=task["task_id"], client_id="c-1", rule="satisfaction", outcome="completed", subject=task["subject"],
                scores={"time": 5, "feedback": 5, "result": 5}, accepted=True, completed_at=at(FRIDAY, 16),
            )
        )  # fmt: skip
        await world.settle()
        await centre.reload()
        await expect(centre.locator("[data-state]")).to_have_attribute("data-state", "closed")
