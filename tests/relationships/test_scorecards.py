"""Scorecards with the list behind each figure, staffing, the plan of the day, sessions, advice [A15, A18, A22, A23, A26, A29, A32, A34]."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from chassis.actor import Actor, Role
from chassis.calendar import shipped
from chassis.clock import at, business_date, utc_now
from chassis.policy import PolicyInvalid
from contracts import broker, classification, complaints
from contracts.base import Quantity
from contracts.fields import Amount
from contracts.relationships import FindingRaised
from services.relationships import advice, scorecards, staffing
from services.relationships.advice import Given
from services.relationships.outcomes import is_satisfied
from services.relationships.policy import Card, Cards, Policies, parse_cards
from services.relationships.scorecards import achieved, score
from tests.relationships.conftest import DIRECTOR, ELSEWHERE, HQ, MANAGER, Office, client, close, opened, told
from tests.walks.acts import Walk
from tests.world import World

DAY = timedelta(days=1)
MARCH = date(2024, 3, 31)
LONG_AGO = date(2023, 1, 2)
KIM = Actor("kim", Role.CLIENT_MANAGER, branch_id="B1", purpose="service")
SHIPPED = Policies.scorecard.shipped[0]


def seat(person: str, branch: str = "B1") -> broker.StaffChanged:
    return broker.StaffChanged(
        staff_id=person, branch_id=branch, seats=(broker.Seat(unit=branch, seat="client_manager"),)
    )


@pytest.mark.parametrize(
    ("found", "target", "better", "reached"),
    [
        ("90", 90, "higher", "100.0"), ("45", 90, "higher", "50.0"), ("120", 90, "higher", "100.0"), (None, 90, "higher", None),
        ("1", 1, "lower", "100.0"), ("0", 0, "lower", "100.0"), ("1.5", 1, "lower", "50.0"), ("3", 1, "lower", "0.0"),
    ],
)  # fmt: skip
def test_how_much_of_a_target_is_reached(found: str | None, target: int, better: str, reached: str | None) -> None:
    known = achieved(None if found is None else Decimal(found), Decimal(target), better)
    assert known == (None if reached is None else Decimal(reached))


def cards(gate: int = 80) -> Cards:
    made = [
        Card("coverage", "a", "a", 100, "higher", 3, "process"), Card("cadence", "b", "b", 100, "higher", 1, "process"),
        Card("commission", "c", "c", 100, "higher", 4, "result"),
    ]  # fmt: skip
    return Cards(30, gate, "coverage", 92, made)


def test_the_process_comes_first_then_incremental_commission() -> None:
    good = {"coverage": Decimal(100), "cadence": Decimal(60), "commission": Decimal(50)}
    assert score(good, cards()) == (Decimal("90.0"), Decimal("50.0"), True, Decimal("70.0"))
    assert score(good, cards(gate=95)) == (Decimal("90.0"), Decimal("50.0"), False, Decimal("45.0"))
    assert score({**good, "cadence": None}, cards()) == (Decimal("100.0"), Decimal("50.0"), True, Decimal("71.4"))
    assert score({"commission": Decimal(50)}, cards())[3] is None


def test_a_version_of_the_scorecard_that_cannot_be() -> None:
    body = dict(SHIPPED.written)
    for wrong in (
        {"cards": [{**body["cards"][0], "code": "beauty"}]}, {"cards": body["cards"] * 2}, {"counted_by": "beauty"},
        {"cards": [{**body["cards"][0], "target": 0}]}, {"cards": [{**body["cards"][0], "weight": 0}], "counted_by": "coverage"},
    ):  # fmt: skip
        with pytest.raises(PolicyInvalid):
            parse_cards({name: value for name, value in {**body, **wrong}.items() if name != "effective_on"})


def test_satisfied_is_who_accepts_and_scores_three_at_least() -> None:
    said = complaints.SatisfactionRecorded(case_id="k", outcome="completed", recorded_at=at(MARCH, 9))
    assert is_satisfied(said) is None
    for scores, accepted, satisfied in (
        ({"time": 3}, None, True),
        ({"time": 2}, True, False),
        ({"time": 5}, False, False),
    ):
        one = complaints.SatisfactionRecorded(
            case_id="k", outcome="completed", scores=scores, accepted=accepted, recorded_at=at(MARCH, 9)
        )
        assert is_satisfied(one) is satisfied


def called(client_id: str, person: str, day: date) -> broker.ContactRecorded:
    return broker.ContactRecorded(
        contact_id=f"{client_id}-{day}", client_id=client_id, staff_id=person, channel="phone", direction="out", valid=True,
        at=at(day, 10),
    )  # fmt: skip


def valued(client_id: str, day: date, amount: int) -> broker.AssetsValued:
    return broker.AssetsValued(client_id=client_id, as_of=day, total_assets=Quantity(amount))


def earned(client_id: str, month: date, amount: int) -> classification.MonthEvaluated:
    return classification.MonthEvaluated(
        client_id=client_id, branch_id="B1", month_end=month, revision=1, commission=Amount(amount)
    )


def core(client_id: str) -> classification.CoreChanged:
    stretch = classification.CoreStretch(since=LONG_AGO, core=True)
    return classification.CoreChanged(
        client_id=client_id, branch_id="B1", revision=1, changed_from=LONG_AGO, stretches=[stretch]
    )


def asked(client_id: str, score: int) -> complaints.SatisfactionRecorded:
    return complaints.SatisfactionRecorded(
        case_id=f"case-{client_id}", client_id=client_id, branch_id="B1", outcome="completed", scores={"time": score},
        recorded_at=at(date(2024, 2, 1), 9),
    )  # fmt: skip


async def test_a_month_of_cards_is_kept_ranked_and_explained(branch: World, office: Office) -> None:
    await branch.publish(seat("kim"), seat("few"), at=at(LONG_AGO, 8))
    await branch.publish(
        *(opened(f"s-{n}", manager_id="kim", on=LONG_AGO) for n in range(40)),
        *(opened(f"f-{n}", manager_id="few", on=LONG_AGO) for n in range(5)),
    )
    await branch.publish(
        *(called(f"s-{n}", "kim", date(2024, 3, 5)) for n in range(36)),
        *(called(f"f-{n}", "few", date(2024, 3, 5)) for n in range(5)),
        *(valued(f"s-{n}", day, amount) for n in range(10) for day, amount in ((date(2023, 3, 30), 1000), (MARCH, 1100))),
        *(earned(f"s-{n}", day, amount) for n in range(4) for day, amount in ((date(2023, 3, 31), 100), (MARCH, 90))),
        core("s-0"), core("s-1"), asked("s-0", 5), asked("s-1", 2),
        complaints.CaseClosed(case_id="u", client_id="s-2", outcome="closed", upheld=True, closed_at=at(date(2024, 3, 1), 9)),
        complaints.CaseClosed(case_id="v", client_id="s-3", outcome="closed", upheld=False, closed_at=at(MARCH, 9)),
    )  # fmt: skip
    await branch.settle()
    expected = {
        "coverage": "90.0", "cadence": "90.0", "satisfaction": "50.0", "completeness": None, "complaints": "2.5",
        "log_in_time": None, "profile_opened": "0.0", "key_fields": "0.0", "suggestions": None, "commission": "90.0",
        "assets": "110.0", "product_assets": "0.0",
    }  # fmt: skip
    path = f"/managers/kim/scorecard?as_of={MARCH}"
    live = await office.get(KIM, path)
    assert {one["card"]: one["found"] for one in live["cards"]} == expected
    assert live["kept"] is False
    for month in (date(2024, 2, 29), MARCH):
        async with branch.database("relationships").unit_of_work() as uow:
            await scorecards.measure_month(uow, month, await uow.policies(Policies))
    late = [called(f"s-{n}", "kim", date(2024, 3, 6)) for n in range(36, 40)]
    await branch.publish(*late)  # heard when the month is kept: it stays as it was
    await branch.settle()
    async with branch.database("relationships").unit_of_work() as uow:
        await scorecards.measure_month(uow, MARCH, await uow.policies(Policies))
    kept = await office.get(DIRECTOR, path)
    assert {one["card"]: one["found"] for one in kept["cards"]} == expected
    assert (kept["kept"], kept["total"], kept["policy"]) == (True, live["total"], SHIPPED.name)
    assert kept["cards"][0]["trend"] == [{"month_end": "2024-02-29", "found": "0.0"}]
    assert kept["cards"][0]["name"] == "active clients reached"
    items = (await office.get(KIM, f"/managers/kim/scorecard/complaints?as_of={MARCH}&limit=100"))["items"]
    assert (len(items), [one["client_id"] for one in items if one["part"] == "1"]) == (40, ["s-2"])
    for card in expected:  # the list always comes to the figure
        found = (await office.get(KIM, f"/managers/kim/scorecard/{card}?as_of={MARCH - DAY}&limit=200"))["items"]
        shown = (await office.get(KIM, f"/managers/kim/scorecard?as_of={MARCH - DAY}"))["cards"]
        figure = next(one for one in shown if one["card"] == card)
        whole = sum(Decimal(one["whole"]) for one in found)
        part = sum(Decimal(one["part"]) for one in found)
        assert figure["found"] == (str((100 * part / whole).quantize(Decimal("0.1"))) if whole else None), card
        assert figure["items"] == len(found)
    ranks = {
        one["person"]: (one["rank"], one["clients"]) for one in await office.get(HQ, f"/scorecards?month_end={MARCH}")
    }
    assert ranks == {"kim": (1, 40), "few": (None, 5)}  # nobody is better or worse on five clients
    assert (await office.call(KIM, "GET", f"/scorecards?month_end={MARCH}")).status_code == 403
    assert (await office.call(MANAGER, "GET", "/managers/kim/scorecard")).status_code == 404
    assert (await office.call(KIM, "GET", "/managers/kim/scorecard/beauty")).status_code == 404
    zh = await office.call(KIM, "GET", path, **{"accept-language": "zh-CN"})
    assert zh.json()["cards"][0]["name"] == "服务覆盖率"


async def test_entries_in_time_and_profiles_opened_before_a_contact(branch: World, office: Office) -> None:
    await branch.publish(seat("uma"), opened("e-1", manager_id="uma"), opened("e-2", manager_id="uma"))
    await branch.settle()
    uma = replace(KIM, subject="uma", person="uma")
    await office.get(uma, "/clients/e-1/information")
    await office.enter(uma, "e-1", P17="teacher", P32="mornings")
    now = utc_now()
    day = business_date(now)  # also when a month turns here
    for client_id in ("e-1", "e-2"):
        body = {"channel": "phone", "direction": "out", "at": now.isoformat()}
        await office.post(uma, f"/clients/{client_id}/contacts", body)
    card = await office.get(uma, f"/managers/uma/scorecard?as_of={day}")
    found = {one["card"]: (one["found"], one["items"]) for one in card["cards"]}
    assert (found["log_in_time"], found["profile_opened"]) == (("100.0", 2), ("50.0", 2))
    assert found["key_fields"] == ("25.0", 8)
    items = (await office.get(uma, f"/managers/uma/scorecard/profile_opened?as_of={day}"))["items"]
    assert {one["client_id"]: one["part"] for one in items} == {"e-1": "1", "e-2": "0"}


@pytest.mark.parametrize(
    ("clients", "count"), [({}, 0), ({"NORMAL": 300}, 1), ({"NORMAL": 301}, 2), ({"GOLD": 75, "PLATINUM": 30}, 1), ({"DIAMOND": 21}, 2)]
)  # fmt: skip
def test_clients_by_tier_ask_for_managers(clients: dict[str, int], count: int) -> None:
    [post] = [one for one in Policies.staffing.shipped[0].body.posts if one.seat == "client_manager"]
    assert staffing.needed(clients, post) == count


async def test_staffing_shows_what_is_missing_post_by_post(branch: World, office: Office) -> None:
    await branch.publish(seat("tom", "B7"), at=at(LONG_AGO, 8))
    await branch.publish(*(opened(f"t-{n}", branch="B7", manager_id="tom", on=LONG_AGO) for n in range(3)))
    await branch.settle()
    await office.post(HQ, "/managers/tom/capacity", {"capacity": 2})
    found = [one for one in await office.get(HQ, f"/staffing?as_of={MARCH}") if one["branch_id"] == "B7"]
    assert [(one["seat"], one["clients"], one["needed"], one["present"], one["missing"], one["over"]) for one in found] == [
        ("client_manager", 3, 1, 1, 0, ["tom"]), ("adviser", 0, 0, 0, 0, []), ("counter", 3, 1, 0, 1, []),
        ("lobby_manager", 3, 1, 0, 1, []),
    ]  # fmt: skip
    assert "B7" not in {one["branch_id"] for one in await office.get(DIRECTOR, f"/staffing?as_of={MARCH}")}


async def test_a_branch_changes_the_plan_of_the_day_when_headquarters_agrees(branch: World, office: Office) -> None:
    day = business_date(utc_now()) + 40 * DAY
    lines = [{"begins": "09:00", "ends": "10:00", "zh": "晨会", "en": "meeting"},
             {"begins": "10:00", "ends": "11:30", "zh": "电话", "en": "calls"}]  # fmt: skip
    body = {"effective_on": str(day), "lines": lines, "reason": "we open later"}
    asked_for = await office.post(DIRECTOR, "/branches/B1/day-plan", body, 202)
    before = await office.get(MANAGER, f"/branches/B1/day-plan?on={day}")
    assert (before["own"], before["lines"][0]["begins"], len(before["lines"])) == (False, "08:30", 7)
    approve = f"/approvals/{asked_for['approval_id']}/approve"
    assert (await office.call(DIRECTOR, "POST", approve, {"because": "yes"})).status_code in (403, 404)
    assert (await office.call(HQ, "POST", approve, {"because": "yes"})).status_code == 200
    after = await office.get(MANAGER, f"/branches/B1/day-plan?on={day}")
    assert (after["own"], after["approved_by"], after["lines"]) == (True, "hq-1", lines)
    assert not (await office.get(MANAGER, f"/branches/B1/day-plan?on={day - DAY}"))["own"]
    for wrong in ({"effective_on": "2024-03-04"}, {"lines": lines[::-1]}, {"lines": [{**lines[0], "begins": "9:00"}]}):
        await office.post(DIRECTOR, "/branches/B1/day-plan", {**body, **wrong}, 422)
    assert (await office.call(DIRECTOR, "GET", "/branches/B9/day-plan")).status_code == 404


async def test_events_lectures_and_meetings(branch: World, office: Office) -> None:
    await branch.publish(seat("max"), opened("m-1"), opened("m-2"), opened("m-x", branch="B9"))
    await branch.settle()
    now = utc_now()
    base = {"title": "bonds", "at": now.isoformat(), "minutes": 60}
    event = await office.post(MANAGER, "/sessions", {**base, "kind": "event", "clients": ["m-1", "m-2"], "attended": 9})
    await office.post(MANAGER, "/sessions", {**base, "kind": "lecture", "clients": ["m-1"]})
    await office.post(MANAGER, "/sessions", {**base, "kind": "morning_meeting"})
    assert event["attended"] == 9
    found = (await office.get(MANAGER, "/clients/m-1/contacts"))["items"]
    assert sorted((one["outcome"], one["valid"], one["two_way"]) for one in found) == [
        ("event", True, True), ("lecture", False, False),
    ]  # fmt: skip
    day = business_date(now)
    listed = await office.get(DIRECTOR, f"/managers/max/sessions?since={day}&until={day + DAY}")
    assert [one["kind"] for one in listed["sessions"]] == ["event", "lecture", "morning_meeting"]
    assert listed["lectures"] + listed["lectures_owed"] >= 1
    for wrong, pointer in (
        ({"kind": "weekly_meeting", "clients": ["m-1"]}, "/clients"), ({"kind": "event", "clients": ["m-x"]}, "/clients/0"),
        ({"kind": "event", "at": (now + DAY).isoformat()}, "/at"),
    ):  # fmt: skip
        refused = await office.post(MANAGER, "/sessions", {**base, **wrong}, 422)
        assert [one["pointer"] for one in refused["errors"]] == [pointer]


def test_trading_days_are_counted_behind_what_the_calendar_knows() -> None:
    calendar = shipped()
    assert advice.trading_days_after(date(2024, 3, 29), 5, calendar) == date(2024, 4, 9)  # 4 and 5 April are Qingming
    last = calendar.last
    assert advice.trading_days_after(last, 5, calendar) == last + 7 * DAY


ADVICE = {
    "about": "stock", "symbol": "600000", "direction": "buy", "need": "growth", "question": "buy more?",
    "fact": "profit rose by 12 %", "opinion": "worth holding", "sources": ["report 2024-031"],
}  # fmt: skip


async def test_advice_is_followed_three_times_and_contradiction_is_for_compliance(
    branch: World, office: Office
) -> None:
    await branch.publish(*(opened(f"a-{n}", manager_id="max") for n in range(4)))
    await branch.settle()
    one = await office.post(MANAGER, "/clients/a-1/advice", ADVICE)
    [contact] = (await office.get(MANAGER, "/clients/a-1/contacts"))["items"]
    assert (one["contact_id"], contact["topics"], one["contradicts"]) == (contact["contact_id"], ["advice"], [])
    day = date.fromisoformat(one["at"][:10])
    assert date.fromisoformat(one["kept_until"]) >= day + 729 * DAY
    same = await office.post(MANAGER, "/clients/a-2/advice", ADVICE)
    assert same["contradicts"] == []
    other = await office.post(MANAGER, "/clients/a-3/advice", {**ADVICE, "direction": "sell"})
    assert sorted(other["contradicts"]) == sorted([one["advice_id"], same["advice_id"]])
    [finding] = await told(branch, FindingRaised, "a-3")
    assert (finding.kind, finding.staff_id) == ("contradictory_advice", "max")
    again = await office.post(MANAGER, "/clients/a-1/advice", {**ADVICE, "contact_id": one["contact_id"]})
    assert (again["contact_id"], again["at"]) == (one["contact_id"], one["at"])
    for wrong, pointer in (
        ({"symbol": None}, "/symbol"), ({"about": "market"}, "/symbol"), ({"contact_id": str(UUID(int=5))}, "/contact_id"),
        ({"sources": []}, "body#/sources"),
    ):  # fmt: skip
        refused = await office.post(MANAGER, "/clients/a-1/advice", {**ADVICE, **wrong}, 422)
        assert refused["errors"][0]["pointer"].endswith(pointer.removeprefix("body#"))
    look = {"allocation": "half in bonds", "gain": "3.5", "words": "talked it through", "reaction": "content"}
    path = f"/advice/{one['advice_id']}"
    states = [(await office.post(MANAGER, f"{path}/follow-ups", look, 200))["state"] for _ in range(3)]
    assert states == ["once", "twice", "done"]
    await office.post(MANAGER, f"{path}/follow-ups", look, 409)
    shown = await office.get(DIRECTOR, path)
    assert [(each["number"], each["gain"], each["late"]) for each in shown["follow_ups"]] == [
        (1, "3.5", False), (2, "3.5", False), (3, "3.5", False),
    ]  # fmt: skip
    ended = await office.post(MANAGER, f"/advice/{other['advice_id']}/end", {"reason": "sold it all"}, 200)
    assert (ended["state"], ended["due_on"]) == ("ended", None)
    assert (await office.call(ELSEWHERE, "GET", path)).status_code == 404
    today = business_date(utc_now())
    due = await office.get(MANAGER, f"/managers/max/advice/due?until={today + 30 * DAY}")
    assert {each["advice_id"] for each in due} == {same["advice_id"], again["advice_id"]}
    written = shown["at"][:10]
    of_day = [await office.get(MANAGER, f"/managers/max/advice/days/{each}") for each in (today - DAY, today)]
    assert sum(len(each["stock"]) for each in of_day) == 4, written
    weeks = [await office.get(MANAGER, f"/managers/max/advice/weeks/{each}") for each in (today, today - 7 * DAY)]
    assert sum(week["advice_total"]["stock"] for week in weeks) == 4
    assert sum(week["follow_ups_total"]["total"] for week in weeks) == 3
    sheet = await office.get(MANAGER, "/clients/a-1/information")
    assert next(each for each in sheet["indicators"] if each["code"] == "CI-S19")["value"] == "1"


async def test_every_act_of_advice_in_every_state_by_everybody(branch: World) -> None:
    await branch.publish(opened("a-9"))
    await branch.settle()
    people = {"adviser": MANAGER, "lead": DIRECTOR, "elsewhere": ELSEWHERE, "client": client("a-9")}

    async def make(uow: Any, _: str) -> UUID:
        uow.actor = MANAGER
        given = Given(
            "market", None, "hold", None, None, "it rose", "it may fall", ["paper"], "phone", True, None, None
        )
        made = await advice.give(uow, "a-9", "B1", given)
        uow.actor = DIRECTOR
        return made.advice_id

    look = {"allocation": "cash", "gain": Amount("1"), "words": "talked"}
    bodies = {
        **{name: lambda _: advice.FollowUp(**look) for name in ("follow_first", "follow_second", "follow_third")},
        "end": lambda _: advice.Ending(reason="sold"),
    }
    await Walk(branch, "relationships", advice.ACTS, people, make, ("market",), bodies).run()


async def test_stages_of_a_month_and_a_year_of_losses(branch: World, office: Office) -> None:
    await branch.publish(*(opened(f"g-{n}", branch="B5", on=LONG_AGO) for n in range(4)))
    mature = classification.LifecycleStretch(since=LONG_AGO, lifecycle="MATURE")
    lost = classification.LifecycleStretch(since=date(2024, 2, 10), lifecycle="LOST")
    declining = classification.LifecycleStretch(since=date(2024, 2, 10), lifecycle="DECLINING")
    moved = [
        classification.LifecycleChanged(
            client_id=f"g-{n}", branch_id="B5", revision=1, changed_from=LONG_AGO, stretches=[mature, stage]
        )
        for n, stage in ((1, declining), (2, lost), (3, lost))
    ]
    await branch.publish(*moved)
    await branch.settle()
    found = [one for one in await office.get(HQ, "/stages?month_end=2024-02-29") if one["branch_id"] == "B5"]
    assert [(one["stage"], one["clients"], one["came"], one["left"]) for one in found] == [
        ("DECLINING", 1, 1, 0), ("LOST", 2, 2, 0), ("MATURE", 0, 0, 3), ("PROSPECT", 1, 0, 0),
    ]  # fmt: skip
    losses = [one for one in await office.get(HQ, f"/lost/months?until={MARCH}") if one["branch_id"] == "B5"]
    assert [(one["month"], one["clients"], one["explained"]) for one in losses] == [("2024-02-01", 2, 0)]


async def test_a_month_that_closes_keeps_the_cards(branch: World, office: Office) -> None:
    await branch.publish(opened("z-1", manager_id="zoe", on=LONG_AGO))
    await close(branch, date(2024, 3, 31))
    ranks = await office.get(HQ, "/scorecards?month_end=2024-03-31")
    assert {one["person"] for one in ranks} >= {"zoe", "kim"}
