"""Time in: steps of the ladders, waits that end. Nobody can hold an escalation up: it asks nobody's leave [C9, C22]."""

from collections.abc import Sequence
from uuid import UUID

from chassis import staff
from chassis.acts import perform_each
from chassis.clock import business_date
from chassis.clocks import store
from chassis.deadlines import Due
from chassis.staff import OPERATIONS_CENTRE
from chassis.uow import UnitOfWork
from contracts.complaints import CaseEscalated
from services.complaints import cases, clocks, history
from services.complaints.acts import ACTS
from services.complaints.policy import Addressee, Policies
from services.complaints.reporting import Notice, notify, told
from services.complaints.rules import ladder_name

UNNAMED = (Addressee("hq", OPERATIONS_CENTRE),)
"""Who is told of a step that the ladder of today no longer names: nothing is swallowed [C9]."""


async def climb(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Steps of result clocks: tell whom the ladder names; at 100 % the clock is breached [C22]."""
    policies = await uow.policies(Policies)
    found = await cases.of(uow, {clocks.case_of(one.object)[0] for one in due})
    roster = await staff.roster(uow.sql)
    kept = await store.load(uow.sql, {one.object for one in due})
    notices: list[Notice] = []
    steps: list[history.CaseStep] = []
    for one in due:
        case_id, generation = clocks.case_of(one.object)
        case, round = found[case_id], kept[one.object, one.kind].round
        # The ladder of the day the clock started would be fairer to nobody: who is told is who is told today.
        ladders = policies.ladders.on(business_date(one.due)).body
        name = ladder_name(case.kind, case.source, case.severity)
        people = told(case, ladders.told[name].get(one.step) or UNNAMED, roster, one.at)
        notices += [
            Notice(
                case_id, generation, one.kind, one.step, p.staff_id, p.seat, list(p.path), p.for_conflict, one.at, round
            )
            for p in people
        ]  # fmt: skip
        names = sorted({p.staff_id for p in people})
        steps.append(history.CaseStep(case_id, f"escalated: {one.step}", case.state, one.at, {"told": names}))
        if one.step == "due":
            uow.emit(cases.breach(case, one.kind, one.due, generation, round), at=one.at)
        uow.emit(
            CaseEscalated(
                **cases.naming(case) | {"generation": generation},
                clock=one.kind,
                step=one.step,
                told=names,
                escalated_at=one.at,
                round=round,
            ),
            at=one.at,
        )
    await notify(uow, notices)
    await history.add(uow, steps)


async def miss_report(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Thirty minutes are over and not all three departments have acknowledged a major case: a breach [C7]."""
    found = await cases.of(uow, {clocks.case_of(one.object)[0] for one in due})
    steps = []
    for one in due:
        case_id, generation = clocks.case_of(one.object)
        case = found[case_id]
        steps.append(history.CaseStep(case_id, "report breached", case.state, one.due))
        uow.emit(cases.breach(case, one.kind, one.due, generation), at=one.at)
    await history.add(uow, steps)


async def end_wait(due: Sequence[Due], uow: UnitOfWork) -> None:
    """A third party has had its five working days: a case that waits goes on, its clock with it, and waits no more [C23]."""
    at = {UUID(one.object.removeprefix("case/")): one.due for one in due}
    went_on = await perform_each(uow, ACTS.wait_over, dict.fromkeys(at), at)
    others = at.keys() - {one.row.case_id for one in went_on}
    if others:
        await perform_each(uow, ACTS.third_party_due, dict.fromkeys(others), at)
