"""Deadlines over the operators' routes: counts, lists, a step by hand, a dry run."""

from datetime import date, timedelta

from chassis.actor import Actor, Role
from chassis.clock import at
from chassis.deadlines import Deadline
from tests.chassis.deadlines.test_real_time import HOUR, armed, fired, now_of
from tests.world import World

PATH = "/v1/timed/operations/deadlines"


async def test_due_late_and_the_next_hour_are_counted_and_listed(real: World) -> None:
    now = await now_of(real)
    await armed(
        real,
        Deadline("ring", "late", "c-1", now - 2 * HOUR),
        Deadline("ring", "soon", "c-1", now + HOUR / 2),
        Deadline("ring", "later", "c-1", now + 3 * HOUR),
    )
    async with real.client("timed") as http:
        counts = (await http.get(f"{PATH}/counts")).json()
        assert counts["timeline"] == "real"
        assert (counts["armed"], counts["due"], counts["next_hour"], counts["failed"]) == (3, 1, 1, 0)
        assert counts["oldest_late_seconds"] >= 7200
        for which, objects in {"due": ["late"], "soon": ["soon"], "all": ["late", "soon", "later"]}.items():
            found = (await http.get(PATH, params={"which": which})).json()
            assert [row["object"] for row in found["items"]] == objects
        first = (await http.get(PATH, params={"limit": 2})).json()
        following = (await http.get(PATH, params={"limit": 2, "cursor": first["next"]})).json()
        assert [row["object"] for row in following["items"]] == ["later"]
        status = (await http.get("/v1/timed/operations/status")).json()
        assert (status["deadlines_due"], status["deadlines_failed"]) == (1, 0)
        assert status["calendar_last_day"] == "2026-12-31"
    async with real.client("timed", Actor("someone", Role.AGENT)) as http:
        assert (await http.get(PATH)).status_code == 403


async def test_a_dry_run_shows_what_would_happen_and_keeps_nothing(real: World) -> None:
    now = await now_of(real)
    await armed(real, Deadline("ring", "o", "c-1", now + HOUR))
    async with real.client("timed") as http:
        shown = (await http.post(f"{PATH}/step", json={"dry_run": True})).json()
        assert shown["outcome"] == "would_fire"
        assert [(one["type"], one["key"], one["data"]["permission"]) for one in shown["told"]] == [
            ("broker.permission.granted", "c-1", "rung")
        ]
        refused = await http.post(f"{PATH}/step", json={})
        assert refused.status_code == 409, "never early"
        assert refused.json()["type"].endswith("not-due-yet")
        assert (await http.post(f"{PATH}/step", json={"generation": 999})).status_code == 404
    assert await fired(real) == []
    assert await real.value("timed", "SELECT count(*) FROM deadlines") == 1


async def test_a_step_fires_the_next_one_and_one_put_aside_may_fire_again(real: World) -> None:
    now = await now_of(real)
    await armed(real, Deadline("fail", "bad", "c-1", now - HOUR, payload={"bad": True}))
    await armed(real, Deadline("ring", "good", "c-2", now - HOUR / 2))
    async with real.client("timed") as http:
        failed = (await http.post(f"{PATH}/step", json={})).json()
        assert (failed["outcome"], failed["error"]) == ("failed", "ValueError: a bad one")
        while await real.platform.workers["timed"].scheduler.step():
            pass
        assert [o for o, _ in await fired(real)] == ["good"]
        (aside,) = (await http.get(PATH, params={"which": "failed"})).json()["items"]
        await real.value("timed", "UPDATE deadlines SET payload = '{}' RETURNING 1")
        again = (await http.post(f"{PATH}/step", json={"generation": aside["generation"]})).json()
        assert again["outcome"] == "fired"
    assert [o for o, _ in await fired(real)] == ["good", "bad"]


async def test_in_a_simulated_home_a_step_waits_for_the_day(simulated: World) -> None:
    day = date(2021, 3, 1)
    await simulated.close(day)
    await armed(simulated, Deadline("ring", "o", "c-1", at(day + timedelta(days=1), 9)))
    async with simulated.client("timed") as http:
        assert (await http.post(f"{PATH}/step", json={})).status_code == 409
        counts = (await http.get(f"{PATH}/counts")).json()
        assert (counts["timeline"], counts["due"], counts["armed"]) == ("simulated", 0, 1)
