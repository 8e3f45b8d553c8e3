"""Registers and reports: they open in a spreadsheet program and say what happened [4.3, K6]."""

from datetime import date
from io import BytesIO
from typing import Any

import msgspec
import pytest
from openpyxl import load_workbook

from chassis.actor import Actor, Role
from chassis.clock import at
from contracts import broker
from contracts.annex4 import COLUMNS
from contracts.base import Amount, Quantity
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    ELSEWHERE,
    MANAGER,
    MEDIUM,
    Desk,
    assessed,
    bought,
    opened,
    today,
)
from tests.suitability.test_days import events
from tests.world import World


def rows_of(content: bytes) -> list[tuple[Any, ...]]:
    sheet = load_workbook(BytesIO(content)).active
    assert sheet is not None
    return list(sheet.iter_rows(values_only=True))


async def test_the_daily_register_and_annex_4(world: World, desk: Desk) -> None:
    day = await today(world)
    await world.publish(
        opened("c-1"),
        opened("=c-2", branch="B9"),
        assessed("=c-2", "HIGH", day),
        broker.AssetsValued(client_id="c-1", as_of=day, total_assets=Amount("1234567.8")),
        bought("c-1", "t-1", day),
    )
    await world.settle()
    await desk.submit("c-1", MEDIUM)
    mine = await desk.call(DESK, "GET", f"/registers/risk-levels.xlsx?on={day}")
    assert [row[:5] for row in rows_of(mine.content)[3:]] == [("B1", "c-1", "c-1", 36, "中")]
    everybody = await desk.call(COMPLIANCE, "GET", f"/registers/risk-levels.xlsx?on={day}")
    assert [(row[1], row[4], row[7]) for row in rows_of(everybody.content)[3:]] == [
        ("c-1", "中", "调查表"),
        ("=c-2", "高", "外部导入"),
    ]
    annex = rows_of((await desk.call(DESK, "GET", f"/registers/annex-4.xlsx?on={day}")).content)
    assert annex[2] == COLUMNS
    assert [(row[0], row[4], row[5], row[10]) for row in annex[3:]] == [("c-1", 123.4568, 0.0001, "一般")]
    assert rows_of((await desk.call(ELSEWHERE, "GET", f"/registers/annex-4.xlsx?on={day}")).content)[3][0] == "=c-2"


@pytest.mark.services("suitability", "classification", "relationships")
async def test_annex_4_is_one_form_with_the_managers_register(world: World, desk: Desk) -> None:
    """What both fill in is the same: account, branch, assets, the year's commission less what was cancelled, level."""
    month_end = date(2022, 6, 30)
    await world.publish(
        broker.StaffChanged(staff_id="maia", branch_id="B1"),
        *(opened(one, manager_id="maia") for one in ("c-1", "c-2", "c-3")),
        broker.AssetsValued(client_id="c-1", as_of=month_end - DAY * 9, total_assets=Amount("1234567.8")),
        broker.AssetsValued(client_id="c-1", as_of=month_end + DAY, total_assets=Amount("1")),
        bought("c-1", "t-0", date(2022, 5, 5)),
        *(bought("c-1", f"t-{n}", date(2022, 6, n)) for n in (1, 2, 6)),
        broker.TradeCancelled(
            trade_id="t-2", client_id="c-1", cancelled_at=at(date(2022, 6, 8), 10), remaining_commission=Quantity("0.4")
        ),
        assessed("c-1", "MEDIUM", date(2022, 6, 1)),
        assessed("c-2", "HIGH", date(2022, 6, 2)),
    )
    await world.close(month_end)
    ours = rows_of((await desk.call(DESK, "GET", f"/registers/annex-4.xlsx?on={month_end}")).content)
    maia = Actor("maia", Role.CLIENT_MANAGER, branch_id="B1", purpose="service")
    async with world.client("relationships", maia) as http:
        answer = await http.get(f"/v1/relationships/managers/maia/register?as_of={month_end}")
    assert answer.status_code == 200, answer.text
    theirs = rows_of(answer.content)
    [heads] = [row for row in theirs if row == COLUMNS]
    assert ours[2] == heads
    both = [COLUMNS.index(name) for name in COLUMNS if name.split()[1] in ("branch", "assets", "commission", "risk")]
    filled = {row[0]: [row[place] or None for place in both] for row in ours[3:]}
    assert filled == {row[2]: [row[place] or None for place in both] for row in theirs[theirs.index(heads) + 1 :]}
    assert filled["c-1"] == ["B1", 123.4568, 0.0003, "一般"]
    assert {row[0]: row[2] or row[0] for row in ours[3:]} == {one: one for one in filled}, "the fund account"


async def test_the_half_yearly_self_check(world: World, desk: Desk) -> None:
    first = date(2022, 1, 3)
    await world.publish(opened("c-1"), assessed("c-1", "VERY_LOW", date(2021, 2, 1)), bought("c-1", "t-1", first))
    await world.publish(opened("c-2", branch="B2"))
    await world.close(date(2022, 2, 2))
    page = (await desk.call(COMPLIANCE, "GET", "/reports/self-check?year=2022&half=1")).text
    assert "://" not in page
    file = await desk.call(COMPLIANCE, "GET", "/reports/self-check.xlsx?year=2022&half=1")
    rows = rows_of(file.content)
    heads = [str(head).split()[0] for head in rows[2]]
    line = dict(zip(heads, rows[3], strict=True))
    assert (line["营业部"], line["到期数"], line["买入成交"], line["超等级成交"]) == ("B1", 1, 1, 1)
    assert rows[-1][0] == "合计 total"
    assert (await desk.call(DESK, "GET", "/reports/self-check?year=2022&half=1")).status_code == 403


async def test_the_daily_register_reaches_the_directors(world: World, desk: Desk) -> None:
    """4.3: told by event, in the list of the directors of the branch, and again when assessments came late."""
    day = await today(world) - DAY * 20
    await world.publish(*(opened(f"c-{n}", branch=f"B{n % 2 + 1}") for n in range(4)))
    await world.close(day - DAY)
    await world.publish(assessed("c-0", "LOW", day), assessed("c-2", "C5", day, "C5R5"), assessed("c-1", "HIGH", day))
    await world.close(day)
    told = await events(world, "register.made")
    assert [(e["branch_id"], e["assessed"], e["revision"]) for e in told] == [("B1", 2, 1), ("B2", 1, 1)]
    assert told[0]["by_level"] == [{"level": "LOW", "clients": 1}, {"level": "HIGH", "clients": 1}]
    assert told[0]["seats"] == ["operations_director", "service_director"]
    director = Actor(
        "d-1", Role.AGENT, branch_id="B1", purpose="service", seats=frozenset({("B1", "service_director")})
    )
    for actor, branches in ((director, ["B1"]), (MANAGER, ["B1"]), (COMPLIANCE, ["B1", "B2"]), (DESK, [])):
        listed = (await desk.get(actor, "/registers?unread=true"))["items"]
        assert [one["branch_id"] for one in listed] == branches
    assert (await desk.post(director, f"/registers/{day}/read", None, 200))["registers"] == 1
    assert (await desk.get(director, "/registers?unread=true"))["items"] == []
    assert len((await desk.get(director, "/registers"))["items"]) == 1
    await world.publish(assessed("c-3", "LOW", day + DAY))
    await world.settle()
    await world.publish(
        broker.ClientOpened(client_id="c-8", branch_id="B1", opened_on=day), assessed("c-8", "LOW", day)
    )
    await world.close(day + DAY)
    [again] = (await desk.get(director, "/registers?unread=true"))["items"]
    assert (again["assessed"], again["register_date"]) == (3, str(day))
    assert [e["revision"] for e in await events(world, "register.made") if e["branch_id"] == "B1"] == [1, 2]


async def listed(world: World, desk: Desk) -> list[tuple[str, str, int]]:
    await world.settle()
    return [(r["register_date"], r["branch_id"], r["assessed"]) for r in await desk.listed(COMPLIANCE, "/registers")]


async def file(desk: Desk, name: str, day: date) -> list[tuple[Any, ...]]:
    return rows_of((await desk.call(COMPLIANCE, "GET", f"/registers/{name}.xlsx?on={day}")).content)[3:]


async def test_registers_name_the_branch_of_their_day(world: World, desk: Desk) -> None:
    day = date(2022, 3, 1)
    await world.publish(opened("c-1"), opened("c-2"), assessed("c-1", "LOW", day), assessed("c-2", "LOW", day + DAY))
    await world.close(day - DAY)
    await world.close(day + DAY * 6)
    first, second = str(day), str(day + DAY)
    assert await listed(world, desk) == [(second, "B1", 1), (first, "B1", 1)]
    await world.publish(broker.ClientUpdated(client_id="c-1", branch_id="B2"), at=at(day + DAY * 6, 10))
    await world.publish(assessed("c-2", "LOW", day))  # late: what is made anew knows the branch of the day
    assert await listed(world, desk) == [(second, "B1", 1), (first, "B1", 2)]
    assert [row[:2] for row in await file(desk, "risk-levels", day)] == [("B1", "c-1"), ("B1", "c-2")]
    for on, branch in ((day, "B1"), (day + DAY * 5, "B1"), (day + DAY * 6, "B2")):
        assert [(row[0], row[3]) for row in await file(desk, "annex-4", on)] == sorted(
            [("c-1", branch), ("c-2", "B1")], key=lambda row: row[1]
        )
    # The word of a move comes after the register of its day: it leaves one branch, which has nobody left, for another.
    await world.publish(broker.ClientUpdated(client_id="c-2", branch_id="B3"), at=at(day + DAY, 10))
    assert await listed(world, desk) == [(second, "B1", 0), (second, "B3", 1), (first, "B1", 2)]
    told = await events(world, "register.made")
    assert [
        (e["branch_id"], e["assessed"], e["revision"], e["by_level"]) for e in told if e["register_date"] == second
    ] == [
        ("B1", 1, 1, [{"level": "LOW", "clients": 1}]),
        ("B1", 0, 2, []),
        ("B3", 1, 1, [{"level": "LOW", "clients": 1}]),
    ]
    assert [row[:2] for row in await file(desk, "risk-levels", day + DAY)] == [("B3", "c-2")]


async def test_a_client_heard_of_after_their_assessment_takes_their_place_in_the_register(
    world: World, desk: Desk
) -> None:
    day = date(2022, 3, 1)
    await world.close(day - DAY)
    await world.publish(opened("c-2"), assessed("c-1", "LOW", day))
    await world.close(day)
    assert await listed(world, desk) == [(str(day), None, 1)]
    await world.publish(opened("c-1"))
    assert await listed(world, desk) == [(str(day), None, 0), (str(day), "B1", 1)]


async def test_a_rejected_assessment_leaves_a_register_of_nobody(world: World, desk: Desk) -> None:
    day = date(2022, 3, 4)
    await world.publish(opened("c-1"), assessed("c-1", "HIGH", day - DAY * 60))
    await world.close(day - DAY)
    await desk.submit("c-1", "ADAAAAAAAAAA")  # contradicts itself: it counts until somebody has looked
    await world.close(day)
    assert await listed(world, desk) == [(str(day), "B1", 1)]
    [review] = await desk.listed(COMPLIANCE, "/reviews")
    rejected = {"approve": False, "note": "not so"}
    await desk.post(COMPLIANCE, f"/reviews/{review['review_id']}/decision", rejected, 200)
    assert await listed(world, desk) == [(str(day), "B1", 0)]
    assert await file(desk, "risk-levels", day) == []


async def test_a_rejected_assessment_follows_none_in_the_self_check(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"), assessed("c-1", "HIGH", date(2021, 3, 10)))
    await world.close(date(2022, 3, 1))
    await desk.submit("c-1", "ADAAAAAAAAAA")
    [review] = await desk.listed(COMPLIANCE, "/reviews")
    rejected = {"approve": False, "note": "not so"}
    await desk.post(COMPLIANCE, f"/reviews/{review['review_id']}/decision", rejected, 200)
    await world.close(date(2022, 3, 12))
    report = await desk.call(COMPLIANCE, "GET", "/reports/self-check.xlsx?year=2022&half=1")
    _, _, heads, line, *_ = rows_of(report.content)
    said = {str(head).split()[0]: value for head, value in zip(heads, line, strict=True)}
    assert (said["评估数"], said["到期数"]) == (0, 1)


async def test_annex_4_knows_what_was_cancelled_by_its_day(world: World, desk: Desk) -> None:
    """Two words on one trade, the later first: each counts from its day."""
    day = date(2022, 3, 1)
    traded = msgspec.structs.replace(bought("c-1", "t-1", day), commission=Quantity("10000"))
    await world.publish(opened("c-1"), traded)
    await world.close(day + DAY * 6)
    for on, remaining in ((day + DAY * 5, "0"), (day + DAY, "5000"), (day + DAY * 3, "7000")):
        word = broker.TradeCancelled(
            trade_id="t-1", client_id="c-1", cancelled_at=at(on, 10), remaining_commission=Quantity(remaining)
        )
        await world.publish(word, word)
    await world.settle()
    shown = [(await file(desk, "annex-4", day + DAY * number))[0][5] for number in range(7)]
    assert shown == [1, 0.5, 0.5, 0.5, 0.5, 0, 0]
