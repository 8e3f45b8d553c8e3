"""Reviews are moved by their table of acts alone: every act in every state by everybody, of every sort of review [Q5]."""

from chassis.actor import PLATFORM, Actor, Role
from chassis.uow import UnitOfWork
from services.suitability import reviews
from services.suitability.reviews import ACTS, Looked
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    ELSEWHERE,
    HQ,
    LOW,
    MANAGER,
    Desk,
    client,
    opened,
    sheet,
    today,
)
from tests.walks.acts import Walk
from tests.world import World

KEEPER = Actor("manager-2", Role.BRANCH_MANAGER, branch_id="B1", purpose="service")
ABROAD = Actor("manager-9", Role.BRANCH_MANAGER, branch_id="B9", purpose="service")


async def test_every_act_of_reviews_in_every_state_by_everybody(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"), opened("c-2"))
    await world.close(await today(world) - DAY * 20)
    by_client = await desk.submit("c-1", LOW)
    entered = sheet(LOW, channel="counter", recording="r-1")
    by_keeper = await desk.post(KEEPER, "/clients/c-2/submissions", entered)

    async def make(uow: UnitOfWork, sort: str) -> str:
        match sort:
            case "entered by the manager":
                await reviews.open_for_sheet(uow, "c-2", "B1", by_keeper["submission_id"], ["suspicious_rise"])
            case "level in force":
                await reviews.open_for_level(uow, "c-1", "B1", by_client["assessment_id"])
            case _:
                reasons = ["care_elderly", "second_contact"]
                await reviews.open_for_sheet(uow, "c-1", "B1", by_client["submission_id"], reasons)
        made: str = await uow.sql.fetchval("SELECT review_id FROM reviews")
        return made

    people = {
        "manager": MANAGER, "keeper": KEEPER, "abroad": ABROAD, "agent": DESK, "elsewhere": ELSEWHERE, "hq": HQ,
        "compliance": COMPLIANCE, "client": client("c-1"), "platform": PLATFORM,
    }  # fmt: skip
    found = Looked(note="looked", second_contact="call-1")
    bodies = {"approve": lambda _: found, "reject": lambda _: found, "supersede": lambda _: "newer"}
    sorts = ("answers", "entered by the manager", "level in force")
    walk = Walk(world, "suitability", ACTS, people, make, sorts, bodies)
    await walk.run()
    assert {(sort, state) for sort, state, *_ in walk.seen} == {
        (sort, state) for sort in sorts for state in ACTS.aggregate.states
    }
