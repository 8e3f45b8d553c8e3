"""A shadow run is the real close: the policy as it is moves nobody, another moves whom the close then moves."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.actor import Actor, Role
from services.classification.policy import Policies
from tests.classification.conftest import Fresh
from tests.classification.facts import FIRST, day, opened, trade, valued
from tests.world import World

HQ = Actor("mia", Role.HQ, purpose="test")
TABLES = sorted(Policies.tables)
clients = st.lists(
    st.tuples(st.sampled_from(["5000", "99999", "600000", "7000000"]), st.sampled_from(["0", "800", "20000"])),
    min_size=3,
    max_size=6,
)


def written(name: str) -> dict[str, Any]:
    return dict(Policies.tables[name].shipped[-1].written)


async def lived(world: World, found: list[tuple[str, str]]) -> None:
    for number, (assets, commission) in enumerate(found):
        client = f"c-{number}"
        await world.publish(opened(client), valued(FIRST, assets, client))
        await world.publish(trade(f"t-{number}", day(3), commission, client), valued(day(33), "20000", client))
    await world.close(FIRST)
    await world.close(day(64))


async def shadow(world: World, name: str, body: dict[str, Any]) -> Any:
    async with world.client("classification", HQ) as http:
        answer = await http.post(f"/v1/classification/policies/{name}/shadow", json={"body": body})
    assert answer.status_code == 200, answer.text
    return answer.json()


@given(found=clients)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_policy_as_it_is_moves_nobody(fresh_world: Fresh, found: list[tuple[str, str]]) -> None:
    async with fresh_world() as world:
        await lived(world, found)
        kept = await world.rows("classification", "SELECT client_id, retained, grace_from FROM standings ORDER BY 1")
        for name in TABLES:
            run = await shadow(world, name, written(name))
            assert (run["moves"], run["sample"]) == ([], [])
            assert all(float(one["difference"]) == 0 for one in run["sums"])
            assert run["evaluated"] == len(found)
        assert (
            await world.rows("classification", "SELECT client_id, retained, grace_from FROM standings ORDER BY 1")
            == kept
        )
        assert await world.value("classification", "SELECT count(*) FROM policy_versions") == 0


async def test_whom_a_shadow_run_moves_the_real_close_moves(world: World) -> None:
    await lived(world, [("600000", "800"), ("600000", "20000"), ("5000", "0")])
    told = await world.value("classification", "SELECT count(*) FROM tier_decisions")
    body = written("tiers") | {"assets": ["100", "200", "300", "50000"]}
    run = await shadow(world, "tiers", body)
    moved = {one["client_id"]: one["to"] for one in run["sample"] if one["aspect"] == "tier"}
    assert moved
    assert await world.value("classification", "SELECT count(*) FROM tier_decisions") == told
    async with world.database("classification").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
               VALUES ('tiers', '', 1, $1, $2, 'r', 'published', 'm', now())""",
            day(65),
            body,
        )
    await world.close(day(65))
    rows = await world.rows("classification", "SELECT client_id, retained FROM standings")
    names = ("NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND")
    assert {row["client_id"]: names[row["retained"]] for row in rows}.items() >= moved.items()
    async with world.client("classification", HQ) as http:
        why = (await http.get("/v1/classification/clients/c-0/explain", params={"as_of": str(day(65))})).json()
    assert why["tier"]["policy"] == "tiers/1"
    assert run["first_day"] == str(day(65))
