"""The demo: made-up people, the same each time, in ranges that are nobody's; what its people do is done as people."""

import re
from collections import Counter
from datetime import date
from pathlib import Path

import httpx
import pytest

from careline.asgi import apps_of
from careline.demo.month import FIRST, LAST, Demo, demo
from careline.demo.work import do_month
from careline.replay.publish import publish
from careline.replay.source import CLOSED, KINDS, OPENED, STAFFED
from contracts.broker import ClientOpened, StaffChanged
from contracts.fields import reader
from gateway.app import gateway_app
from gateway.settings import DEMO_MARK, GatewaySettings
from services.relationships.rules import birth_date_of, id_checksum_holds
from tests.world import World

MADE = demo(Path("home"), 300)


def of(data: Demo, kind, event):
    return [reader(event)(fact.value) for fact in data.facts if KINDS[fact.rank] is kind]


def test_it_is_the_same_each_time_and_closes_every_day_of_the_month() -> None:
    assert demo(Path("home"), 300) == MADE
    days = [fact.day for fact in MADE.facts if KINDS[fact.rank] is CLOSED]
    assert (days[0], days[-1], len(days)) == (FIRST, LAST, 31)
    assert len({(fact.rank, fact.local_id) for fact in MADE.facts}) == len(MADE.facts)
    assert all(fact.day <= LAST for fact in MADE.facts)


def test_sixty_people_fill_every_seat_of_three_branches_and_headquarters() -> None:
    people = of(MADE, STAFFED, StaffChanged)
    seats = Counter((seat.unit, seat.seat) for one in people for seat in one.seats)
    assert len(people) == 60
    for branch in ("B1", "B2", "B3"):
        for seat in (
            "complaint_officer",
            "marketing_director",
            "operations_director",
            "general_manager",
            "client_manager",
        ):
            assert seats[branch, seat] >= 1
    assert seats["HQ", "call_centre"] == 10
    assert [one.left_on for one in people if one.left_on] == [date(2026, 6, 17)]


def test_names_and_numbers_are_nobodys() -> None:
    clients = of(MADE, OPENED, ClientOpened)
    assert len(clients) == 300
    for one in clients:
        assert re.fullmatch(r"120[0-9]{8}", one.phone)  # no mobile number begins so
        assert one.id_number.startswith("000000")  # of no region
        assert id_checksum_holds(one.id_number)
        assert birth_date_of(one.id_number) == one.birth_date
        assert one.email.endswith("@example.com")
        assert "示例市" in one.address
    assert len({one.phone for one in clients}) == 300


async def test_its_people_work_over_rest_and_a_second_time_changes_nothing(world: World, tmp_path: Path) -> None:
    data = demo(tmp_path, 60)
    await publish(world.database("gateway"), data, data.through(FIRST), lambda _: None)
    await world.settle()
    await do_month(world.platform, data, FIRST)
    query = """SELECT (SELECT count(*) FROM information_values WHERE source = 'M') AS entered,
                      (SELECT count(*) FROM manager_skills) AS skills,
                      (SELECT string_agg(branch_id || ' ' || state, ', ' ORDER BY branch_id) FROM allocation_runs) AS runs,
                      (SELECT count(*) FROM owners o JOIN clients c USING (client_id)
                       WHERE o.until IS NULL AND o.reason = 'no_manager' AND c.branch_id <> 'B3') AS pooled"""
    [first] = await world.rows("relationships", query)
    assert first["runs"] == "B1 applied, B2 applied, B3 solved"
    assert (first["pooled"], first["entered"] > 20, first["skills"]) == (0, True, 34)
    await do_month(world.platform, data, FIRST)
    assert await world.rows("relationships", query) == [first]


@pytest.mark.parametrize(("marked", "said"), [(True, 1), (False, 0)])
async def test_every_page_of_a_demo_says_so(world: World, marked: bool, said: int) -> None:
    world.settings.home.mkdir(parents=True, exist_ok=True)
    mark = world.settings.home / DEMO_MARK
    if marked:
        mark.touch()
    app = gateway_app(world.settings, world.database("gateway"), apps_of(world.platform), own=GatewaySettings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://careline.test") as http:
        page = await http.get("/sign-in", headers={"accept-language": "zh-CN"})
    assert page.status_code == 200
    assert page.text.count("演示环境") == said
