"""A calendar published by two persons: every service hears it, open clocks move visibly, closed ones never."""

from datetime import date, timedelta

import pytest

from chassis.actor import Actor, Role
from chassis.calendar import CalendarEnds, shipped
from chassis.calendars import current, days_left
from chassis.clock import at
from chassis.clocks import Stop, WorkingDays
from chassis.clocks.store import Clock, New, append, explained, start
from tests.chassis.clocks_kept.conftest import as_
from tests.chassis.clocks_kept.service import LADDER
from tests.chassis.clocks_kept.test_store import CASE, DUE, MONDAY, armed, opened
from tests.world import World

ONE, OTHER = Actor("one", Role.OPERATIONS), Actor("other", Role.HQ)
# Thursday 4 March 2021 becomes a day off: three working days from Monday end on Friday.
HOLIDAY = {"first": "2021-03-04", "kind": "holiday", "last": "2021-03-04", "name_zh": "临时放假", "source": "test"}
YEAR_2027 = {"first": "2027-01-01", "last": "2027-12-31", "kind": "notice"}
DAYS_2027 = [{"first": f"2027-{day}", "last": f"2027-{day}", "kind": "holiday"} for day in ("01-01", "05-01", "10-01")]


async def published(world: World, *rows: dict[str, str]) -> dict[str, object]:
    async with as_(world, ONE) as http:
        body = {"rows": rows, "extends": True, "reason": "notice of the State Council"}
        made = await http.post("/v1/calendar/drafts", json=body)
        assert made.status_code == 201, made.text
        number = made.json()["id"]
    async with as_(world, OTHER) as http:
        decided = await http.post(f"/v1/calendar/drafts/{number}/decision", json={"decision": "published"})
        assert decided.status_code == 200, decided.text
    await world.settle()
    found: dict[str, object] = decided.json()
    return found


@pytest.mark.both_buses
async def test_open_clocks_move_and_closed_ones_keep_what_they_were_told(cases: World) -> None:
    await opened(cases)
    await opened(cases, "8")
    async with cases.database("timed").unit_of_work() as uow:
        await append(uow, [New("case/8", "result", Stop, at(MONDAY, 12))])
    decided = await published(cases, HOLIDAY)
    assert decided["changed_days"] == 1
    friday = at(date(2021, 3, 5), 17, 30)
    rows = await cases.rows("timed", "SELECT object, due, calendar FROM clocks ORDER BY object")
    assert [(row["object"], row["due"], row["calendar"]) for row in rows] == [
        ("case/7", friday, "published-1"),
        ("case/8", DUE, shipped().version),
    ]
    moved = await cases.rows("timed", "SELECT * FROM clock_replans")
    assert [(row["object"], row["due_before"], row["due_after"]) for row in moved] == [("case/7", DUE, friday)]
    async with cases.sql("timed") as sql:
        assert (await explained(sql, *CASE))[-1].due == friday
        before: object = (await explained(sql, *CASE, as_of=await sql.fetchval(
            "SELECT published_at - interval '1 ms' FROM calendars")))[-1].due  # fmt: skip
        assert before == DUE
    for day in range(1, 6):
        await cases.close(date(2021, 3, day))
    assert [row["at"] for row in await cases.rows("timed", "SELECT at FROM fired WHERE step = 'due'")] == [friday]


async def test_the_same_version_heard_again_moves_nothing(cases: World) -> None:
    await opened(cases)
    await published(cases, HOLIDAY)
    before = await armed(cases)
    messages = await cases.rows("gateway", "SELECT * FROM bus.log WHERE type = 'platform.calendar.published'")
    assert len(messages) == 1
    await cases.publish_raw(
        "careline.platform", "platform", "platform.calendar.published", bytes(messages[0]["value"]), id="again"
    )
    await cases.settle()
    assert await armed(cases) == before
    assert await cases.value("timed", "SELECT count(*) FROM clock_replans") == 1


async def test_beyond_the_end_a_clear_refusal_and_after_the_next_year_an_answer(cases: World) -> None:
    december = at(date(2026, 12, 28), 9)
    clock = Clock("case/1", "result", "c-1", WorkingDays(10), december, LADDER)
    with pytest.raises(CalendarEnds):
        async with cases.database("timed").unit_of_work() as uow:
            await start(uow, [clock])
    assert await cases.value("timed", "SELECT count(*) FROM clocks") == 0
    async with as_(cases, ONE) as http:
        assert (await http.get("/v1/calendar")).json()["last"] == "2026-12-31"
    await published(cases, YEAR_2027, *DAYS_2027)
    async with cases.database("timed").unit_of_work() as uow:
        await start(uow, [clock])
    async with cases.sql("timed") as sql:
        assert days_left(await current(sql), date(2026, 12, 1)) == 395
    async with cases.client("timed") as http:
        ready = (await http.get("/readyz")).json()
    assert ready["checks"]["calendar"]["last_day"] == "2027-12-31"
    assert ready["checks"]["calendar"]["status"] == "pass"


async def test_one_person_alone_publishes_nothing(cases: World) -> None:
    async with as_(cases, ONE) as http:
        made = await http.post("/v1/calendar/drafts", json={"rows": [HOLIDAY], "extends": True, "reason": "r"})
        path = f"/v1/calendar/drafts/{made.json()['id']}/decision"
        assert (await http.post(path, json={"decision": "published"})).json()["type"].endswith("second-person-needed")
    async with as_(cases, OTHER) as http:
        assert (await http.post(path, json={"decision": "rejected"})).json()["state"] == "rejected"
        assert (await http.post(path, json={"decision": "published"})).status_code == 409
        assert (await http.post("/v1/calendar/drafts/99/decision", json={"decision": "rejected"})).status_code == 404
    async with as_(cases, Actor("agent", Role.AGENT)) as http:
        assert (await http.post(path, json={"decision": "published"})).status_code == 403
        assert (await http.get("/v1/calendar")).status_code == 200
    await cases.settle()
    assert await cases.value("timed", "SELECT count(*) FROM calendars") == 0


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([HOLIDAY, HOLIDAY], "2021-03-04"),
        ([HOLIDAY | {"kind": "make_up"}], "2021-03-04"),
        ([YEAR_2027 | {"first": "2027-01-02"}], "2027-01-01"),
        ([YEAR_2027 | {"first": "2026-12-31"}], "2026-12-31"),
        ([HOLIDAY | {"last": "2021-03-03"}], "2021-03-04"),
    ],
)
async def test_a_hole_or_two_answers_are_refused_and_the_day_is_named(
    cases: World, rows: list[dict[str, str]], word: str
) -> None:
    async with as_(cases, ONE) as http:
        refused = await http.post("/v1/calendar/drafts", json={"rows": rows, "extends": True, "reason": "r"})
    assert refused.status_code == 422
    assert word in refused.text
    assert await cases.value("gateway", "SELECT count(*) FROM calendar_drafts") == 0


async def test_a_calendar_may_not_cover_less(cases: World) -> None:
    year = {"first": "2021-01-01", "last": "2021-12-31", "kind": "notice"}
    off = [{"first": f"2021-{d}", "last": f"2021-{d}", "kind": "holiday"} for d in ("01-01", "10-01")]
    async with as_(cases, ONE) as http:
        refused = await http.post("/v1/calendar/drafts", json={"rows": [year, *off], "reason": "r"})
        odd = await http.post(
            "/v1/calendar/drafts", json={"rows": [HOLIDAY], "extends": True, "hours": [["9", "x"]], "reason": "r"}
        )
    assert refused.json()["type"].endswith("calendar-shorter")
    assert odd.status_code == 422


async def test_two_versions_follow_each_other(cases: World) -> None:
    await opened(cases)
    await published(cases, HOLIDAY)
    later = HOLIDAY | {"first": "2021-03-03", "last": "2021-03-03"}
    assert (await published(cases, later))["number"] == 2
    monday = at(MONDAY + timedelta(days=7), 17, 30)
    assert await cases.value("timed", "SELECT due FROM clocks") == monday
    moved = await cases.rows("timed", "SELECT calendar_before, calendar_after FROM clock_replans ORDER BY id")
    assert [tuple(row.values()) for row in moved] == [
        (shipped().version, "published-1"),
        ("published-1", "published-2"),
    ]
