"""Levels in force as a dated history: which answers count, and what a rise is measured against [Q5]."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import at, end_of, start_of, utc_now
from contracts import broker
from services.suitability import history
from services.suitability.history import Made
from services.suitability.situations import in_force
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    HIGH,
    HQ,
    LOW,
    MANAGER,
    MEDIUM,
    VERY_LOW,
    Desk,
    assessed,
    bought,
    client,
    opened,
    today,
)
from tests.suitability.test_days import events
from tests.world import World

ME = client("c-1")


async def begun(world: World, *facts: Any) -> date:
    """A home whose today lies behind us, so that days can pass."""
    day = await today(world) - DAY * 100
    await world.publish(opened("c-1"), *facts)
    await world.close(day - DAY)
    return day


async def reviewed(desk: Desk, approve: bool, status: int = 200, state: str = "open") -> Any:
    """The first review in a state, decided."""
    [review, *_] = (await desk.get(COMPLIANCE, f"/reviews?state={state}"))["items"]
    path = f"/reviews/{review['review_id']}/decision"
    return await desk.post(COMPLIANCE, path, {"approve": approve, "note": "looked"}, status)


async def test_q5_a_rise_in_steps_is_the_rise_it_is(world: World, desk: Desk) -> None:
    day = await begun(world)
    await desk.submit("c-1", VERY_LOW)
    await world.close(day + DAY * 8)
    assert (await desk.submit("c-1", LOW))["state"] == "accepted"
    raised = await desk.submit("c-1", MEDIUM)
    assert (raised["state"], raised["review_reasons"]) == ("in_review", ["suspicious_rise"])
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "LOW"
    await world.close(day + DAY * 38)  # the lowest level was last in force more than 30 days ago
    assert (await desk.submit("c-1", MEDIUM))["state"] == "accepted"


async def test_q5_a_level_held_for_long_is_compared_with_too(world: World, desk: Desk) -> None:
    day = await begun(world)
    await desk.submit("c-1", VERY_LOW)
    await world.close(day + DAY * 60)
    assert (await desk.submit("c-1", MEDIUM))["state"] == "in_review"


async def test_q5_newer_answers_end_the_review_of_older_ones(world: World, desk: Desk) -> None:
    await begun(world)
    await desk.submit("c-1", VERY_LOW)
    raised = await desk.submit("c-1", HIGH)
    assert raised["state"] == "in_review"
    await world.close(await world.value("suitability", "SELECT through + 1 FROM closed_days"))
    newer = await desk.submit("c-1", VERY_LOW)
    assert (await desk.get(COMPLIANCE, "/reviews"))["items"] == []
    refused = await reviewed(desk, True, 409, "superseded")
    assert refused["type"].endswith("illegal-move")
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "VERY_LOW"
    [ended] = (await desk.get(COMPLIANCE, "/reviews?state=superseded"))["items"]
    assert ended["superseded_by"] == newer["submission_id"]
    states = [one["state"] for one in await desk.listed(ME, "/clients/c-1/submissions")]
    assert states == ["accepted", "superseded", "accepted"]


async def test_q5_a_newer_assessment_made_elsewhere_ends_a_review_too(world: World, desk: Desk) -> None:
    day = await begun(world)
    await desk.submit("c-1", VERY_LOW)
    await desk.submit("c-1", HIGH)
    await world.close(day)
    await world.publish(assessed("c-1", "LOW", day + DAY))
    await world.settle()
    await reviewed(desk, True, 409, "superseded")
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "LOW"


async def test_q5_answers_approved_late_stay_older_than_newer_ones(world: World, desk: Desk) -> None:
    """The order is that of the answers: what was assessed later counts, whenever somebody approved."""
    day = await begun(world)
    await desk.submit("c-1", VERY_LOW)
    await desk.submit("c-1", HIGH)
    await world.close(day + DAY * 4)
    made = await reviewed(desk, True)
    assert made["state"] == "approved"
    await world.publish(
        assessed("c-1", "LOW", day + DAY * 2)
    )  # heard late: assessed before the approval, after the answers
    await world.settle()
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "LOW"
    levels = await desk.get(ME, f"/clients/c-1/levels?as_of={day + DAY * 9}")
    assert [(one["level"], one["since"], one["until"]) for one in levels["levels"]] == [
        ("VERY_LOW", str(day), str(day + DAY)),
        ("LOW", str(day + DAY * 2), levels["levels"][-1]["until"]),
    ]


async def test_levels_as_known_then(world: World, desk: Desk) -> None:
    day = await begun(world)
    await world.publish(assessed("c-1", "LOW", day - DAY * 5))
    await world.settle()
    await desk.submit("c-1", MEDIUM)
    known = utc_now().isoformat().replace("+00:00", "Z")
    await world.publish(assessed("c-1", "HIGH", day - DAY * 2))
    await world.settle()
    path = f"/clients/c-1/levels?as_of={day}"
    assert [one["level"] for one in (await desk.get(ME, path))["levels"]] == ["LOW", "HIGH", "MEDIUM"]
    then = await desk.get(ME, f"{path}&known_at={known}")
    assert [one["level"] for one in then["levels"]] == ["LOW", "MEDIUM"]
    assert then["in_force"]["level"] == "MEDIUM"
    before = await desk.get(ME, f"/clients/c-1/levels?as_of={day - DAY * 3}")
    assert (before["in_force"]["level"], len(before["levels"])) == ("LOW", 1)


@pytest.mark.parametrize("late", [False, True])
async def test_q5_a_rise_waits_whenever_what_was_before_it_comes(world: World, desk: Desk, late: bool) -> None:
    """The same facts in either order: no level counts from answers that nobody has looked at."""
    day = await begun(world)
    before = assessed("c-1", "VERY_LOW", day - DAY * 5)
    await desk.keep("W", kind="warrant")
    if not late:
        await world.publish(before)
        await world.settle()
    await desk.submit("c-1", HIGH)
    if late:
        assert (await desk.get(ME, "/clients/c-1"))["level"] == "HIGH"
        known = utc_now().isoformat().replace("+00:00", "Z")
        await world.publish(bought("c-1", "t-1", day, "W", "warrant", settled_at=at(day, 23)), before)
        await world.close(day)
        path = f"/clients/c-1/levels?as_of={day}"
        assert [one["level"] for one in (await desk.get(ME, path))["levels"]] == ["VERY_LOW"]
        assert (await desk.get(ME, f"{path}&known_at={known}"))["levels"][-1]["level"] == "HIGH"
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "VERY_LOW"
    assert (await desk.decide(ME, "c-1", "W"))["outcome"] == "BLOCK"
    [review] = await desk.listed(MANAGER, "/reviews")
    assert review["reasons"] == (["late_rise"] if late else ["suspicious_rise"])
    mismatches = await desk.listed(HQ, "/mismatches")
    assert [one["held"] for one in mismatches] == (["VERY_LOW"] if late else [])
    if late:
        await world.close(day + DAY)
        drifts = await desk.listed(HQ, "/drifts")
        assert [(one["cause"], one["product"]) for one in drifts] == [("level_lowered", "W")]
    assert (await reviewed(desk, True))["state"] == "approved"
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "HIGH"
    assert (await desk.decide(ME, "c-1", "W"))["outcome"] == "PASS"
    await world.close(day + DAY * 2)
    assert await desk.listed(HQ, "/mismatches") == []


async def test_q5_a_rise_that_waits_before_a_purchase_counts_no_more_when_a_late_one_shows_it_too_fast(
    world: World, desk: Desk
) -> None:
    """The one look is at both: until then it covers nothing, also when the day of the purchase is over."""
    day = await begun(world)
    await world.publish(assessed("c-1", "MEDIUM", day - DAY * 20))
    await world.settle()
    await desk.keep("W", kind="warrant")
    await desk.submit("c-1", HIGH)
    assert (await desk.decide(ME, "c-1", "W"))["outcome"] == "BLOCK"
    known = utc_now().isoformat().replace("+00:00", "Z")
    await world.publish(assessed("c-1", "LOW", day - DAY * 5))
    await world.settle()
    [review] = await desk.listed(MANAGER, "/reviews")
    assert review["reasons"] == ["rise_before_purchase", "late_rise"]
    path = f"/clients/c-1/levels?as_of={day}"
    assert [one["level"] for one in (await desk.get(ME, path))["levels"]] == ["MEDIUM", "LOW"]
    then = await desk.get(ME, f"{path}&known_at={known}")  # the review was open, for another reason
    assert [one["level"] for one in then["levels"]] == ["MEDIUM", "HIGH"]
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "LOW"
    await world.close(day + DAY * 3)
    decision = await desk.decide(ME, "c-1", "W")
    assert (decision["outcome"], decision["level_held"]) == ("CONFIRM", "LOW")
    await reviewed(desk, True)
    assert (await desk.decide(ME, "c-1", "W"))["outcome"] == "PASS"


async def test_q5_what_is_looked_at_for_another_reason_counts_no_more_when_a_late_one_shows_it_too_fast(
    world: World, desk: Desk
) -> None:
    """Answers of the old are looked at while they count, as they fell; not once they are a rise."""
    old = date((await today(world)).year - 67, 1, 1)
    day = await begun(world, broker.ClientUpdated(client_id="c-1", birth_date=old))
    await world.publish(assessed("c-1", "HIGH", day - DAY * 40))
    await world.settle()
    await desk.keep("FUND", kind="fund:equity")
    await desk.submit("c-1", MEDIUM)
    [review] = await desk.listed(MANAGER, "/reviews")
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "MEDIUM"
    await world.publish(assessed("c-1", "VERY_LOW", day - DAY * 10))
    await world.settle()
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "VERY_LOW"
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "BLOCK"
    await desk.submit("c-1", LOW)  # newer answers do not end what is to be looked at
    assert [one["review_id"] for one in await desk.listed(MANAGER, "/reviews") if "late_rise" in one["reasons"]] == [
        review["review_id"]
    ]


async def test_q5_a_rise_that_somebody_approved_is_not_looked_at_again(world: World, desk: Desk) -> None:
    day = await begun(world)
    await world.publish(assessed("c-1", "VERY_LOW", day - DAY * 5))
    await world.settle()
    await desk.submit("c-1", HIGH)
    await reviewed(desk, True)
    await world.publish(assessed("c-1", "VERY_LOW", day - DAY * 4))
    await world.settle()
    assert (await desk.get(ME, "/clients/c-1"))["level"] == "HIGH"


async def test_a_level_rejected_covers_nothing_any_more(world: World, desk: Desk) -> None:
    """What was bought under it is a mismatch, and what is held of it is listed."""
    day = await begun(world)
    await world.publish(assessed("c-1", "LOW", day - DAY * 50))
    await world.settle()
    await desk.keep("FUND", kind="fund:equity")
    await desk.submit("c-1", MEDIUM)
    assert (await desk.decide(ME, "c-1", "FUND"))[
        "outcome"
    ] == "BLOCK"  # the rise is looked at before it is bought under
    await world.publish(bought("c-1", "t-1", day, "FUND", "fund:equity", settled_at=at(day, 23)))
    await world.close(day)
    assert await desk.listed(HQ, "/mismatches") == []
    await reviewed(desk, False)
    await world.close(day + DAY)
    assert [one["held"] for one in await desk.listed(HQ, "/mismatches")] == ["LOW"]
    assert [(one["cause"], one["product"]) for one in await desk.listed(HQ, "/drifts")] == [("level_lowered", "FUND")]


async def test_q5_a_purchase_is_compared_with_the_lowest_level_of_a_day(world: World, desk: Desk) -> None:
    """Answering the same again does not make a rise of yesterday old."""
    await world.publish(opened("c-1"), assessed("c-1", "LOW", await today(world) - DAY * 50))
    await world.settle()
    await desk.keep("FUND", kind="fund:equity")
    await desk.submit("c-1", MEDIUM)
    await desk.submit("c-1", MEDIUM)
    decision = await desk.decide(ME, "c-1", "FUND")
    assert [reason["code"] for reason in decision["reasons"]] == ["rise_under_review"]
    screened = await desk.post(MANAGER, "/screenings", {"clients": ["c-1"], "products": ["FUND"]}, 200)
    assert screened["answers"][0][2:] == ["BLOCK", ["rise_under_review"]]
    await reviewed(desk, True)
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "PASS"


async def test_q5_a_rise_before_a_purchase_is_found_when_the_trade_comes_late(world: World, desk: Desk) -> None:
    day = await begun(world)
    await world.publish(assessed("c-1", "LOW", day - DAY * 50))
    await world.settle()
    await desk.submit("c-1", MEDIUM)
    await world.close(day + DAY * 3)
    await world.publish(bought("c-1", "t-1", day, "F", "fund:equity", settled_at=at(day, 15)))
    await world.settle()
    findings = await desk.listed(COMPLIANCE, "/findings")
    assert [(one["pattern"], one["found_on"]) for one in findings] == [("rise_before_purchase", str(day))]
    await world.publish(bought("c-1", "t-2", day, "S", "stock", settled_at=at(day, 15)))
    await world.settle()
    assert len(await events(world, "gaming.suspected")) == 1


days = st.integers(0, 12).map(lambda n: date(2026, 1, 1) + DAY * n)


@st.composite
def histories(draw: st.DrawFn) -> list[Made]:
    """Assessments as they are kept: oldest first, one that a review let count later among them."""
    made = []
    for number in range(draw(st.integers(0, 5))):
        answered = draw(days)
        since = answered + DAY * draw(st.integers(0, 3))
        made.append(
            Made(
                client_id="c-1", assessment_id=f"a-{number}", scheme="SEED-2010-12Q", level="LOW",
                rank=draw(st.integers(1, 4)), valid_from=since, valid_until=since + DAY * draw(st.integers(0, 8)),
                source="questionnaire", submission_id=None,
                assessed_at=start_of(answered) + timedelta(hours=draw(st.integers(0, 23)), minutes=number), recorded_at=end_of(since),
            )
        )  # fmt: skip
    return sorted(made, key=lambda one: one.assessed_at)


@given(histories())
def test_stretches_say_what_was_in_force_on_every_day(made: list[Made]) -> None:
    stretches = history.stretches(made)
    for day in (date(2026, 1, 1) + DAY * n for n in range(-1, 30)):
        [held] = [one.made for one in stretches if one.since <= day <= one.until] or [None]
        assert held == history.on(made, day) == history.at(made, end_of(day) - timedelta(seconds=1))


@given(histories(), days, st.integers(1, 10))
def test_q5_the_lowest_is_the_lowest_of_every_hour(made: list[Made], day: date, length: int) -> None:
    since, until = start_of(day), start_of(day + DAY * length)
    hours = {since + timedelta(hours=n) for n in range(length * 24 + 1)}
    instants = hours | {one.begins for one in made if since <= one.begins <= until}
    held = [one.rank for instant in instants if (one := history.at(made, instant))]
    assert history.lowest(made, since, until, "SEED-2010-12Q") == min(held, default=None)


async def test_sql_and_python_agree_on_what_is_in_force(world: World) -> None:
    """`situations.in_force` for many clients is `history.on` for one."""
    columns = (
        "partition, number, assessment_id, client_id, scheme, level, rank, valid_from, valid_until, source, "
        "assessed_at, recorded_at, policy"
    )
    cases: list[list[Made]] = []
    find = given(histories())(lambda made: cases.append(made))
    find()
    async with world.database("suitability").unit_of_work() as uow:
        number = 0
        for case, made in enumerate(cases):
            for one in made:
                number += 1
                await uow.sql.execute(
                    f"INSERT INTO assessments ({columns}) VALUES (0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'p')",
                    number, f"{case}/{one.assessment_id}", f"c-{case}", one.scheme, one.level, one.rank, one.valid_from,
                    one.valid_until, one.source, one.assessed_at, one.recorded_at,
                )  # fmt: skip
        wanted = {(f"c-{n}", date(2026, 1, 1) + DAY * d) for n in range(len(cases)) for d in range(0, 25, 2)}
        rows = await uow.sql.fetch(
            f"""SELECT d.client_id, d.day, f.assessment_id FROM unnest($1::text[], $2::date[]) AS d(client_id, day)
                LEFT JOIN LATERAL ({in_force("d.client_id", "d.day")}) f ON true""",
            *zip(*wanted, strict=True),
        )
    for client_id, day, assessment_id in rows:
        case = int(client_id.removeprefix("c-"))
        held = history.on(cases[case], day)
        assert assessment_id == (f"{case}/{held.assessment_id}" if held else None)


def test_an_assessment_begins_with_its_answers_or_its_approval() -> None:
    answered = datetime(2026, 1, 5, 4, tzinfo=UTC)
    made = Made(
        "c",
        "a",
        "SEED-2010-12Q",
        "LOW",
        2,
        date(2026, 1, 5),
        date(2027, 1, 5),
        "questionnaire",
        None,
        answered,
        answered,
    )
    assert made.begins == answered
