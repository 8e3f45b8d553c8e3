"""The catalogue of moments of truth, the ladder of mandatory ones, and optional ones that are only shown [A18, A21]."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chassis.actor import Actor, Role
from chassis.calendar import shipped
from chassis.clock import at, end_of, utc_now
from chassis.policy import PolicyInvalid
from contracts import broker
from contracts.base import Quantity
from contracts.classification import TierChanged, TierStretch
from contracts.complaints import CaseClosed, CaseFeedback
from contracts.suitability import AssessmentExpiring
from services.callbacks import policy
from services.callbacks.moment_ladder import step_at
from services.callbacks.moments import due_of
from tests.callbacks.desk import FIRST, LEADER, Desk, agent, ten

MONDAY = date(2022, 7, 4)
SYSTEM = Actor("risk-engine", Role.SYSTEM, purpose="test")
CATALOGUE = policy.Policies.moments.shipped[-1].body
LADDER = policy.Policies.moment_ladder.shipped[-1].body


def test_times_end_with_working_days_or_run_round_the_clock() -> None:
    calendar, saturday = shipped(), datetime.fromisoformat("2022-07-02T23:00:00+08:00")
    assert due_of(CATALOGUE["market_shock"], saturday, calendar) == saturday + timedelta(hours=1)
    due = due_of(CATALOGUE["large_outflow"], at(date(2022, 7, 1), 10), calendar)  # Friday: Monday, Tuesday
    assert due == end_of(date(2022, 7, 5))
    days = [step_at(step, due, False, calendar) for step in LADDER]
    assert days == [end_of(date(2022, 7, day)) for day in (5, 6, 8)]
    assert [step_at(step, saturday, True, calendar) - saturday for step in LADDER] == [
        timedelta(minutes=minutes) for minutes in (0, 30, 120)
    ]


@pytest.mark.parametrize(
    ("parse", "rows"),
    [
        (policy.parse_moments, [{"code": "x", "zh": "x", "en": "x", "mandatory": True}]),
        (policy.parse_moments, [{"code": "x", "zh": "x", "en": "x", "mandatory": True, "minutes": 5, "seen": "guess"}]),
        (policy.parse_ladder, []),
        (
            policy.parse_ladder,
            [
                {"name": name, "seat": "manager", "unit": "branch", "working_days": 1, "urgent_minutes": 1}
                for name in ("a", "b")
            ],
        ),
    ],
)
def test_a_catalogue_or_ladder_that_does_not_hold_together_is_refused(parse: Any, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(PolicyInvalid):
        parse({"rows": rows})


async def seen(desk: Desk, client: str = "c-1") -> list[tuple[str, date, bool]]:
    rows = await desk.world.rows(
        "callbacks", "SELECT code, on_day, mandatory FROM moments WHERE client_id = $1 ORDER BY on_day, code", client
    )
    return [(row["code"], row["on_day"], row["mandatory"]) for row in rows]


async def live(desk: Desk, timeline: str = "simulated") -> None:
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ($1, now())", timeline)


def moved(name: str, direction: str, amount: str) -> broker.FundsMoved:
    return broker.FundsMoved(
        transfer_id=name,
        client_id="c-1",
        moved_at=ten(MONDAY),
        direction=direction,  # type: ignore[arg-type]
        amount=Quantity(Decimal(amount)),
    )


async def test_what_the_platform_hears_of_makes_its_moment_once(desk: Desk) -> None:
    await live(desk)
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2), birth_date=date(1988, 7, 5))
    tier = TierChanged(
        client_id="c-1",
        branch_id="B1",
        revision=1,
        changed_from=MONDAY,
        previous="GOLD",
        stretches=[TierStretch(since=MONDAY, tier="PLATINUM")],
        reason="upgrade",
    )
    ends = AssessmentExpiring(
        client_id="c-1", assessment_id="s-1", scheme="S", level="LOW", valid_until=date(2022, 8, 3), days_left=30
    )
    messages = await desk.world.publish(
        tier,
        ends,
        moved("t-1", "in", "500000"),
        moved("t-2", "out", "600000"),
        moved("t-3", "out", "499999.99"),
        CaseFeedback(case_id="k-1", client_id="c-1", branch_id="B1", fed_back_at=ten(MONDAY)),
        CaseFeedback(case_id="k-2", client_id="c-1", branch_id="B1", fed_back_at=ten(MONDAY), concerned=["mia"]),
        CaseClosed(case_id="k-1", client_id="c-1", outcome="satisfied", closed_at=at(MONDAY, 16)),
        # One that names people stays hidden from whoever serves the client [B5].
        CaseClosed(case_id="k-2", client_id="c-1", outcome="satisfied", closed_at=at(MONDAY, 16)),
    )
    await desk.world.redeliver(messages)
    await desk.world.redeliver(messages, id="told-again")
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    assert await seen(desk) == [
        ("assessment_ends", MONDAY, False),
        ("complaint_closed", MONDAY, True),
        ("large_inflow", MONDAY, False),
        ("large_outflow", MONDAY, True),
        ("tier_changed", MONDAY, False),
        ("birthday", MONDAY + timedelta(days=1), False),
    ]
    # Mandatory ones first; optional ones of platinum should be done, and that is only a hint.
    shown = await desk.items(agent("anna"), "/moments")
    assert [(one["code"], one["mandatory"], one["should_be_done"]) for one in shown[:2]] == [
        ("large_outflow", True, False),
        ("complaint_closed", True, False),
    ]
    assert {one["code"] for one in shown if one["should_be_done"]} == {
        "assessment_ends", "large_inflow", "tier_changed", "birthday",
    }  # fmt: skip
    assert await desk.items(agent("eve", "B2"), "/moments") == []
    optional = await desk.items(agent("anna"), "/moments?mandatory=false")
    assert len(optional) == 4
    path = f"/statistics/moments?from={MONDAY}&to={MONDAY}"
    numbers = {one["code"]: one for one in await desk.ask(LEADER, "GET", path, status=200)}
    assert (numbers["tier_changed"]["in_time"], numbers["large_outflow"]["in_time"]) == (None, 0)


async def test_the_ladder_tells_one_after_the_other_until_somebody_acts(desk: Desk) -> None:
    await live(desk)
    await desk.close(FIRST)
    seats = {
        "mia": None,
        "gina": broker.Seat(unit="B1", seat="general_manager"),
        "henry": broker.Seat(unit="HQ", seat="brokerage"),
    }
    for name, seat in seats.items():
        person = broker.StaffChanged(staff_id=name, branch_id="B1", seats=(seat,) if seat else ())
        await desk.world.publish(person, at=ten(FIRST))
    await desk.open("c-1", date(2021, 5, 2), manager_id="mia")
    await desk.world.publish(moved("t-1", "out", "600000"), moved("t-2", "out", "600000"))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY + timedelta(days=2))
    first, second = await desk.items(LEADER, "/moments")
    told = await desk.told("callbacks.alarm.raised")
    assert [(one["step"], one["told_to"]) for one in told] == [("manager", ["mia"])] * 2
    await desk.ask(agent("mia"), "POST", f"/moments/{first['moment_id']}/reaction", {"reaction": "bought a flat"}, 200)
    await desk.close_through(MONDAY + timedelta(days=3), MONDAY + timedelta(days=12))
    told = await desk.told("callbacks.alarm.raised")
    assert [(one["subject"], one["step"], one["told_to"]) for one in told[2:]] == [
        (f"moment/{second['moment_id']}", "general_manager", ["gina"]),
        (f"moment/{second['moment_id']}", "headquarters", ["henry"]),
    ]
    alarms = await desk.items(LEADER, "/alarms")
    assert [one["step"] for one in alarms][:2] == ["headquarters", "general_manager"]


async def test_in_a_backlog_the_steps_whose_time_has_come_are_told_at_once(desk: Desk) -> None:
    await live(desk)
    await desk.close(FIRST)
    await desk.world.publish(
        broker.StaffChanged(staff_id="gina", branch_id="B1", seats=(broker.Seat(unit="B1", seat="general_manager"),)),
        at=ten(FIRST),
    )
    await desk.open("c-1", date(2021, 5, 2), manager_id="mia")
    flow = moved("t-1", "out", "600000")
    await desk.world.publish(flow, at=flow.moved_at)
    later = at(MONDAY + timedelta(days=4), 9)  # Friday: two steps are over, headquarters' waits
    await desk.world.publish(broker.CallMissed(call_id="k-1", client_id="c-1", branch_id="B1", at=later), at=later)
    await desk.world.settle()
    dues = [end_of(MONDAY + timedelta(days=days)) for days in (2, 3, 7)]
    told = await desk.told("callbacks.alarm.raised")
    assert [(one["step"], one["told_to"]) for one in told] == [("manager", ["mia"]), ("general_manager", ["gina"])]
    fired = await desk.world.rows("callbacks", "SELECT step, due, at FROM fired_deadlines ORDER BY due")
    assert [(row["step"], row["due"], row["at"]) for row in fired] == [
        ("manager", dues[0], dues[0]),
        ("general_manager", dues[1], dues[1]),
    ]
    armed = await desk.world.rows("callbacks", "SELECT step, due FROM deadlines WHERE kind = 'moment_overdue'")
    assert [(row["step"], row["due"]) for row in armed] == [("headquarters", dues[2])]


async def test_what_others_know_is_reported_once_and_only_of_clients_in_sight(desk: Desk) -> None:
    await live(desk, "real")
    for client, branch in {"c-1": "B1", "c-2": "B1", "c-3": "B2"}.items():
        await desk.open(client, date(2021, 5, 2), branch)
    when = utc_now() - timedelta(seconds=5)
    given = {"code": "market_shock", "client_ids": ["c-1", "c-2"], "at": when.isoformat(), "reference": "shock-7"}
    anna = agent("anna")
    assert await desk.ask(anna, "POST", "/moments", given, 201) == {"new": 2}
    assert await desk.ask(SYSTEM, "POST", "/moments", given, 201) == {"new": 0}
    await desk.ask(anna, "POST", "/moments", {**given, "client_ids": ["c-3"]}, 404)
    await desk.ask(anna, "POST", "/moments", {**given, "code": "birthday"}, 422)
    await desk.ask(anna, "POST", "/moments", {**given, "at": (when + timedelta(hours=1)).isoformat()}, 422)
    await desk.ask(Actor("c-1", Role.CLIENT, client_id="c-1"), "POST", "/moments", given, 403)
    armed = await desk.world.rows("callbacks", "SELECT due, step FROM deadlines WHERE kind = 'moment_overdue'")
    assert [(row["due"], row["step"]) for row in armed] == [(when + timedelta(hours=1), "manager")] * 2
    catalogue = await desk.ask(anna, "GET", "/moments/catalogue?on=2022-07-04", status=200)
    assert {one["code"] for one in catalogue["moments"]} >= {"first_trade", "ipo_win", "portfolio_drop", "illness"}
    assert [step["step"] for step in catalogue["ladder"]] == ["manager", "general_manager", "headquarters"]
