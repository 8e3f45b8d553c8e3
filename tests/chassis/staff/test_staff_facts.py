"""Staff facts in a service: late, twice, in any order; over REST from a broker without a staff system."""

import itertools
from datetime import date, timedelta

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at
from chassis.staff import GENERAL_MANAGER, Roster, roster
from contracts.broker import BranchChanged, Seat, StaffChanged
from tests.chassis.staff.conftest import at_the_gateway
from tests.world import World

MORNING = at(date(2021, 3, 1), 9)
GM = Seat(unit="B3", seat=GENERAL_MANAGER)
KEEPER = Actor("keeper", Role.OPERATIONS)


async def known(world: World, service: str = "timed") -> Roster:
    async with world.sql(service) as sql:
        return await roster(sql)


@pytest.mark.both_buses
async def test_the_same_versions_in_any_order_and_twice_are_one_history(simulated: World) -> None:
    versions = [
        (MORNING, "e1", StaffChanged(staff_id="gm", seats=(GM,))),
        (MORNING + timedelta(hours=1), "e2", StaffChanged(staff_id="gm")),
        (MORNING + timedelta(hours=1), "e3", StaffChanged(staff_id="gm", seats=(GM,), left_on=date(2021, 4, 1))),
    ]
    for n, order in enumerate(itertools.permutations(versions)):
        for when, event_id, event in (*order, order[0]):
            await simulated.publish(event, at=when, id=event_id)
        await simulated.settle()
        found = await known(simulated)
        assert [since for since, _ in found.people["gm"]] == [when for when, _, _ in versions], n
        assert found.person("gm", MORNING) == versions[0][2]
        assert found.person("gm", MORNING + timedelta(hours=2)) == versions[2][2], "the highest (ce_time, ce_id)"
        await simulated.value(
            "timed", "WITH gone AS (DELETE FROM staff_versions RETURNING 1) SELECT count(*) FROM gone"
        )


async def test_a_roster_read_before_a_rollback_is_not_kept(simulated: World) -> None:
    class Away(Exception):
        pass

    with pytest.raises(Away):  # noqa: PT012
        async with simulated.database("timed").unit_of_work() as uow:
            await uow.sql.execute(
                "INSERT INTO staff_versions (id, since, event_id, body) VALUES ('x', $1, 'e', $2)",
                MORNING, {"staff_id": "x"},
            )  # fmt: skip
            assert (await roster(uow.sql)).person("x", MORNING) is not None
            raise Away
    await simulated.publish(StaffChanged(staff_id="y"), at=MORNING)
    await simulated.settle()
    found = await known(simulated)
    assert (found.person("x", MORNING), found.person("y", MORNING) is not None) == (None, True)


async def test_a_small_broker_keeps_its_staff_over_rest(timed: World) -> None:
    async with at_the_gateway(timed, KEEPER) as http:
        made = await http.put("/v1/branches/B3", json={"phone": "0755-1234", "published_at_places": ["hall"]})
        assert (made.status_code, made.json()) == (202, {"status": "durable", "warnings": []})
        seat = {"unit": "B3", "seat": GENERAL_MANAGER}
        made = await http.put(
            "/v1/staff/B3-director", json={"user": "wang", "seats": [seat], "deputies": ["B3-officer"]}
        )
        assert made.json()["warnings"] == ["nothing is known of the deputy B3-officer"]
        await timed.settle()
        made = await http.put("/v1/staff/B3-officer", json={"deputies": ["B3-director"]})
        assert made.json()["warnings"] == [
            "deputies name each other in a circle: B3-director > B3-officer > B3-director"
        ]
        await timed.settle()
        holder = (await http.get(f"/v1/seats/B3/{GENERAL_MANAGER}", params={"avoid": "B3-director"})).json()
        assert (holder["staff_id"], holder["path"]) == ("B3-officer", ["B3-director", "B3-officer"])
        for staff_id in ("B3-officer", "B3-director"):
            made = await http.put(f"/v1/staff/{staff_id}", json={"seats": [seat], "left_on": "2020-01-01"})
            await timed.settle()
        assert made.json()["warnings"] == [f"nobody acts for {GENERAL_MANAGER} in B3: it cannot receive a ticket"]
        assert (await http.get("/v1/branches/B3")).json()["seats"][3]["staff_id"] is None
    found = await known(timed)
    assert set(found.people) == {"B3-director", "B3-officer"}, "services heard what was said over REST"
    assert await timed.value("timed", "SELECT timeline FROM timeline") == "real"


@pytest.mark.parametrize(
    "body",
    [
        {"deputies": ["p"]},
        {"absences": [{"since": "2021-03-01T09:00:00Z", "until": "2021-03-01T09:00:00Z"}]},
        {"absences": [{"since": "2021-03-01T09:00:00"}]},
        {"seats": [{"unit": "B3"}]},
        {"left_on": "1980-01-01"},
        {"rank": 1},
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_kept(timed: World, body: dict[str, object]) -> None:
    async with at_the_gateway(timed, KEEPER) as http:
        refused = await http.put("/v1/staff/p", json=body)
    assert refused.status_code == 422, refused.text
    assert await timed.value("gateway", "SELECT timeline FROM home") is None


async def test_agents_read_but_do_not_maintain_staff(timed: World) -> None:
    async with at_the_gateway(timed, Actor("a", Role.AGENT)) as http:
        assert (await http.put("/v1/staff/p", json={})).status_code == 403
        assert (await http.get("/v1/staff")).json() == []
        assert (await http.get("/v1/staff/p")).status_code == 404


async def test_a_branch_s_newest_words_win(simulated: World) -> None:
    for hour, phone in ((2, "new"), (1, "old")):
        await simulated.publish(BranchChanged(branch_id="B3", phone=phone), at=MORNING + timedelta(hours=hour))
    await simulated.settle()
    branch = (await known(simulated)).branch("B3", MORNING + timedelta(days=1))
    assert branch is not None
    assert branch.phone == "new"
