"""The shadow run of a policy: who and what would be in another state, by the matcher of the watch."""

from tests.suitability.conftest import DAY, HQ, Desk, assessed, bought, opened, today
from tests.world import World


async def test_a_draft_says_which_levels_products_and_matches_it_moves(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 20
    await world.publish(opened("c-1"), opened("c-2"))
    await world.publish(assessed("c-1", "LOW", day - DAY * 9), assessed("c-2", "HIGH", day - DAY * 9))
    await world.publish(*(bought(f"c-{n}", f"t-{n}", day, "S1", "stock") for n in (1, 2)))
    await world.close(day)
    body = (await desk.get(HQ, "/policies/suitability/in-force"))["body"]
    same = await desk.post(HQ, "/policies/suitability/shadow", {"body": body}, 200)
    assert (same["moves"], same["evaluated"]) == ([], 2)
    body["kinds"]["stock"]["needs"]["SEED-2010-12Q"] = "MEDIUM"
    run = await desk.post(HQ, "/policies/suitability/shadow", {"body": body}, 200)
    assert [(move["aspect"], move["from"], move["to"], move["clients"]) for move in run["moves"]] == [
        ("match", "covered", "not covered", 1),
        ("needs", "LOW", "MEDIUM", 1),
    ]
    assert {one["name"]: one["difference"] for one in run["sums"]} == {
        "matches covered": "-1",
        "matches not covered": "1",
    }
    moved = await desk.post(HQ, "/policies/suitability/shadow", {"body": body | {"scheme": "C5R5"}}, 200)
    assert ("level", "LOW", "C2") in [(move["aspect"], move["from"], move["to"]) for move in moved["moves"]]
    assert await world.value("suitability", "SELECT count(*) FROM policy_versions") == 0
