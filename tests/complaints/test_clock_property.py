"""Random cases over real holidays: every due and every breach is where the slow, obvious clock finds it [C6, C7, C23, C27].

Intake at any hour of any day, lunch breaks and make-up workdays included; pauses recorded late; promises. The service
is told of it by its routes and fires by its own deadlines; the reference walks minute by minute over another calendar.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from chassis.clocks import Entry, NaturalDays, Pause, Promise, Resume, Start, WorkingDays
from chassis.clocks.limits import Amount
from contracts import callbacks, complaints
from contracts.broker import BrokerDayClosed
from tests.chassis.clocks.slow_clock import MINUTE, SHANGHAI, first_due, slow_due
from tests.complaints.desk import CENTRE, OFFICER, Desk

# National Day with its make-up days, Spring Festival, the turn of a year, a plain month.
WINDOWS = (date(2009, 9, 21), date(2010, 2, 8), date(2009, 12, 28), date(2009, 6, 15))
LIMITS: dict[str, Amount] = {"ordinary": WorkingDays(0), "major": WorkingDays(3), "regulator": NaturalDays(15)}
THIRD_PARTY = WorkingDays(5)
CASES = 24


@dataclass
class Plan:
    """What happens to one case, and what the ledger of the reference says of it."""

    kind: str
    received: datetime
    acts: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def expected(self) -> datetime | None:
        return slow_due(self.entries, LIMITS[self.kind])


def plans(random: Random, begin: date) -> Iterator[Plan]:
    start = datetime.combine(begin, datetime.min.time(), SHANGHAI)
    for n in range(CASES):
        at = start + random.randrange(12 * 1440) * MINUTE
        plan = Plan(("ordinary", "ordinary", "major", "regulator")[n % 4], at)
        plan.entries.append(Start(number=0, effective=at, recorded=at))
        waiting = False
        for _ in range(random.randrange(6) if plan.kind != "regulator" else 0):  # neither waits nor is promised [C7]
            at += random.randrange(1, 2500) * MINUTE
            if waiting:
                plan.acts.append(("reply", at, {}))
                plan.entries.append(Resume(number=len(plan.entries), effective=at, recorded=at))
            else:
                act = random.choice(["waiting", "waiting", "waiting", "promise", "third_party"])
                if act == "promise":
                    due = at + random.randrange(1, 5000) * MINUTE
                    plan.acts.append(("promise", at, {"due": due.isoformat(), "reason": "需要时间"}))
                    plan.entries.append(Promise(number=len(plan.entries), effective=at, recorded=at, due=due))
                    break
                waits_for = "third_party" if act == "third_party" else "customer"
                plan.acts.append(("waiting", at, {"waits_for": waits_for, "reason": "等材料"}))
                plan.entries.append(Pause(number=len(plan.entries), effective=at, recorded=at))
                if act == "third_party":  # nobody answers: it goes on by itself
                    at = first_due(THIRD_PARTY, at)
                    plan.entries.append(Resume(number=len(plan.entries), effective=at, recorded=at))
                    break
            waiting = not waiting
        yield plan


async def told(desk: Desk, plan: Plan, n: int) -> dict[str, Any]:
    """The case as the service has it after everything was told."""
    more: dict[str, Any] = {"major": {"allegations": ["私售"]}}.get(plan.kind, {})
    if plan.kind == "regulator":
        more = {"source": "regulator", "channel": "regulator_transfer", "regulator_ref": f"文{n}"}
    case: dict[str, Any] = await desk.open(at=plan.received, client_id=f"c-{n}", **more)
    assert case["due_on"] == (first_due(LIMITS[plan.kind], plan.received) - timedelta.resolution).date().isoformat()
    await desk.act(CENTRE, case, "acceptance", plan.received)
    for what, at, body in plan.acts:
        await desk.act(CENTRE if what != "waiting" else OFFICER, case, what, at, **body)
    return case


@pytest.mark.parametrize("begin", WINDOWS, ids=str)
async def test_every_due_and_breach_is_where_the_slow_clock_finds_it(desk: Desk, begin: date) -> None:
    random = Random(begin.toordinal())
    made = [(plan, await told(desk, plan, n)) for n, plan in enumerate(plans(random, begin))]
    last = begin + timedelta(days=60)
    await desk.world.publish(BrokerDayClosed(business_date=last), callbacks.DayCompleted(business_date=last))
    await desk.world.settle()
    breached = 0
    for plan, case in made:
        clocks = {one["clock"]: one for one in await desk.get(CENTRE, f"/cases/{case['case_id']}/clocks")}
        due = clocks["result"]["due"]
        assert (datetime.fromisoformat(due) if due else None) == plan.expected, plan
        steps = await desk.world.rows(
            "complaints",
            "SELECT step, fired_at FROM clock_steps WHERE object = $1 AND clock = 'result' ORDER BY number",
            f"case/{case['case_id']}/1",
        )
        fired = {row["step"]: row["fired_at"] for row in steps}
        assert list(fired.values()) == sorted(fired.values()), plan
        ends = [one for one in await desk.told(complaints.CaseBreached, case) if "/result/" in one]
        if plan.expected is None:
            assert clocks["result"]["state"] == "paused", plan
            assert ("due" in fired, len(ends)) in {(False, 0), (True, 1)}, plan
        else:
            assert (fired["due"], len(ends)) == (plan.expected, 1), plan
            breached += 1
    assert breached > CASES / 3
    assert await desk.world.value("complaints", "SELECT count(*) FROM deadlines WHERE failed_at IS NOT NULL") == 0
