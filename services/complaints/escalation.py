"""Time in: steps of the ladders, waits that end. Nobody can hold an escalation up: it asks nobody's leave [C9, C22]."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chassis import staff
from chassis.clock import business_date
from chassis.clocks import Resume, store
from chassis.deadlines import Due
from chassis.staff import OPERATIONS_CENTRE
from chassis.uow import UnitOfWork
from contracts.complaints import CaseEscalated
from services.complaints import clocks, contact_duties, history
from services.complaints.dispatching import breach
from services.complaints.policy import Addressee, Policies
from services.complaints.reporting import Notice, notify, told
from services.complaints.rules import INVESTIGATING, THIRD_PARTY, ladder_name

UNNAMED = (Addressee("hq", OPERATIONS_CENTRE),)
"""Who is told of a step that the ladder of today no longer names: nothing is swallowed [C9]."""


async def climb(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Steps of result clocks: tell whom the ladder names; at 100 % the clock is breached [C22]."""
    policies = await uow.policies(Policies)
    cases = await _cases(uow, due)
    roster = await staff.roster(uow.sql)
    notices: list[Notice] = []
    steps: list[history.CaseStep] = []
    for one in due:
        case_id, generation = clocks.case_of(one.object)
        case = cases[case_id]
        # The ladder of the day the clock started would be fairer to nobody: who is told is who is told today.
        ladders = policies.ladders.on(business_date(one.due)).body
        name = ladder_name(case["source"], case["severity"])
        people = told(case, ladders.told[name].get(one.step) or UNNAMED, roster, one.at)
        notices += [
            Notice(
                case_id, generation, one.kind, one.step, p.staff_id, p.seat, list(p.path), p.for_conflict, one.at
            )
            for p in people
        ]  # fmt: skip
        names = sorted({p.staff_id for p in people})
        steps.append(
            history.CaseStep(case_id, f"escalated: {one.step}", case["state"], one.at, generation, {"told": names})
        )
        if one.step == "due":
            uow.emit(breach({**case, "generation": generation}, one.kind, one.due), at=one.at)
        uow.emit(
            CaseEscalated(
                case_id=str(case_id),
                client_id=case["client_id"],
                branch_id=case["branch_id"],
                generation=generation,
                clock=one.kind,
                step=one.step,
                told=names,
                escalated_at=one.at,
            ),
            at=one.at,
        )
    await notify(uow, notices)
    await history.add(uow, steps)


async def miss_report(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Thirty minutes are over and not all three departments have acknowledged a major case: a breach [C7]."""
    cases = await _cases(uow, due)
    steps = []
    for one in due:
        case_id, generation = clocks.case_of(one.object)
        case = {**cases[case_id], "generation": generation}
        steps.append(history.CaseStep(case_id, "report breached", case["state"], one.due, generation))
        uow.emit(breach(case, one.kind, one.due), at=one.at)
    await history.add(uow, steps)


async def end_wait(due: Sequence[Due], uow: UnitOfWork) -> None:
    """A third party has had its five working days: the case goes on and its clock with it [C23]."""
    rows = await uow.sql.fetch(
        f"""UPDATE cases c SET state = $2, revision = revision + 1, to_tell_since = {contact_duties.SINCE.format(at="w.at")}
            FROM unnest($1::uuid[], $4::timestamptz[]) AS w(case_id, at)
            WHERE c.case_id = w.case_id AND c.state = $3 RETURNING c.case_id, c.generation""",
        [UUID(one.object.removeprefix("case/")) for one in due],
        INVESTIGATING,
        THIRD_PARTY,
        [one.due for one in due],
    )
    ended = {UUID(one.object.removeprefix("case/")): one.due for one in due}
    detail = {"reason": "waited long enough"}
    await store.append(
        uow,
        [
            store.New(
                clocks.object_of(row["case_id"], row["generation"]), "result", Resume, ended[row["case_id"]], detail
            )
            for row in rows
        ],
    )
    await history.add(
        uow,
        [
            history.CaseStep(
                row["case_id"], "waited long enough", INVESTIGATING, ended[row["case_id"]], row["generation"]
            )
            for row in rows
        ],
    )


async def _cases(uow: UnitOfWork, due: Sequence[Due]) -> dict[UUID, dict[str, Any]]:
    rows = await uow.sql.fetch(
        "SELECT * FROM cases WHERE case_id = ANY($1::uuid[]) ORDER BY case_id FOR UPDATE",
        [clocks.case_of(one.object)[0] for one in due],
    )
    return {row["case_id"]: dict(row) for row in rows}
