"""What is told and counted of a day is the branch's in which the client was that day; open work is with who has them now."""

from datetime import date
from typing import Any

from chassis.clock import at
from contracts import broker
from contracts.base import Amount
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    ELSEWHERE,
    MANAGER,
    Desk,
    assessed,
    bought,
    opened,
    professional,
)
from tests.suitability.test_days import events
from tests.suitability.test_reports import rows_of
from tests.world import World


def took(client: str, number: str, day: date) -> broker.ProductPurchased:
    return broker.ProductPurchased(
        client_id=client, purchase_id=number, product_code="FUND", amount=Amount("1000"), at=at(day, 11)
    )


async def counted(desk: Desk, day: date, column: str) -> dict[str, int]:
    half = 1 if day.month < 7 else 2
    content = (await desk.call(COMPLIANCE, "GET", f"/reports/self-check.xlsx?year={day.year}&half={half}")).content
    _, _, heads, *rows = rows_of(content)
    place = [str(head).split()[0] for head in heads].index(column)
    return {str(row[0]): row[place] for row in rows if row[place] and "合计" not in str(row[0])}


async def test_what_a_day_means_is_told_of_the_branch_of_that_day(world: World, desk: Desk) -> None:
    """A move that is known already, but of a later day; then one that is heard late."""
    ends = date(2023, 3, 1)
    await world.publish(*(opened(name) for name in ("c-1", "c-2", "c-3")), assessed("c-1", "MEDIUM", date(2022, 3, 1)))
    await world.close(ends - DAY * 40)
    await desk.keep("FUND", kind="fund:equity")
    await professional(desk, "c-2")
    until = await world.value("suitability", "SELECT until FROM professional_status")
    bought_on = ends - DAY * 39
    await world.publish(bought("c-1", "t-1", bought_on, "FUND", "fund:equity"), took("c-3", "p-1", bought_on))
    await world.publish(bought("c-2", "t-2", bought_on, "FUND", "fund:equity"))
    for name, day in (("c-1", ends + DAY), ("c-2", until + DAY), ("c-3", bought_on + DAY)):
        await world.publish(broker.ClientUpdated(client_id=name, branch_id="B9"), at=at(day, 10))
    await world.close(until)

    async def told(kind: str) -> set[tuple[Any, Any]]:
        return {(e["client_id"], e["branch_id"]) for e in await events(world, kind)}

    assert await told("assessment.expiring") == {("c-1", "B1")}
    assert await told("assessment.expired") == {("c-1", "B1")}
    assert await told("professional.expiring") == {("c-2", "B1")}
    assert await told("professional.expired") == {("c-2", "B1")}
    # It no longer matches from the day after on, on which the client was in the other branch.
    assert await told("match.drifted") == {("c-1", "B9"), ("c-2", "B9")}
    assert await told("mismatch.found") == {("c-3", "B1")}
    assert await counted(desk, bought_on, "未评估成交") == {"B1": 1}

    await world.publish(broker.ClientUpdated(client_id="c-3", branch_id="B7"), at=at(bought_on - DAY, 10))
    await world.publish(broker.ClientUpdated(client_id="c-1", branch_id="B8"), at=at(until, 10))
    await world.settle()
    assert await counted(desk, bought_on, "未评估成交") == {"B7": 1}
    assert await told("mismatch.found") == {("c-3", "B1"), ("c-3", "B7")}
    found_on = ends + DAY
    assert await counted(desk, found_on, "匹配变化") == {
        "B9": 1
    }  # of the branch of then, where the client is not any more
    assert [one["client_id"] for one in await desk.listed(ELSEWHERE, "/drifts")] == ["c-2"]
    assert await desk.listed(MANAGER, "/drifts") == []
    assert await world.value("suitability", "SELECT branch_id FROM drifts WHERE client_id = 'c-1'") == "B8"
