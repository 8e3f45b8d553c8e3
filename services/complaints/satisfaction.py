"""The satisfaction call (满意度回访): asked by the centre through callbacks, and only its word counts here [C11].

The branch cannot record it: no route of this service takes scores. A bad answer opens the case again one level higher.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from chassis import calendars
from chassis.acts import perform_each
from chassis.clock import business_date, end_of
from chassis.deadlines import Due, arm, cancel
from chassis.replans import limited
from chassis.uow import UnitOfWork
from contracts.callbacks import TaskCompleted, TaskExhausted, TaskExpired
from contracts.complaints import ChurnSignalled, SatisfactionRecorded
from services.complaints import cases, clocks, history
from services.complaints.acts import ACTS, Ended
from services.complaints.forms import Noted
from services.complaints.policy import Policies
from services.complaints.rules import CALLING, reopens
from services.complaints.tables import CaseRow

RULE = "satisfaction"
MISSED, TRIED = "satisfaction call breached", "satisfaction call exhausted"
_SIGNALS = UUID("7d9b6a52-0c2f-5f3e-8a35-0b6f2a1f4c19")
REFUSALS = ("refused", "do_not_call", "deceased")


async def note_answers(events: Sequence[TaskCompleted], uow: UnitOfWork) -> None:
    """Answers to satisfaction calls: content closes the case, discontent opens it again."""
    for event in events:
        if event.rule != RULE or event.subject is None:
            continue
        await _pass_back(uow, event)
        case = await _called(uow, event.subject)
        if case is None:
            continue  # withdrawn or closed meanwhile: the answer comes too late to change anything
        at = event.completed_at
        if not event.scores and event.accepted is None:
            await _unanswered(uow, case, at, event.outcome)
            continue
        await cancel(uow, [("survey", f"case/{case.case_id}")])
        told = SatisfactionRecorded(
            **cases.naming(case), outcome=event.outcome, scores=event.scores, accepted=event.accepted, recorded_at=at
        )
        uow.emit(told, at=at)
        detail = {"outcome": event.outcome, "scores": event.scores, "accepted": event.accepted}
        await history.add(uow, [history.CaseStep(case.case_id, "satisfaction recorded", CALLING, at, detail)])
        if reopens(event.scores.values(), event.accepted):
            await perform_each(uow, ACTS.reopen, {case.case_id: Noted(reason="dissatisfied")}, at)
        else:
            await _close(uow, case, at, "satisfied")


async def _called(uow: UnitOfWork, subject: str) -> CaseRow | None:
    """The case a satisfaction call is about, locked, while it is being called about."""
    case = (await cases.of(uow, [UUID(subject)])).get(UUID(subject))
    return case if case is not None and case.state == CALLING else None


async def _pass_back(uow: UnitOfWork, event: TaskCompleted) -> None:
    """What the complainant suggested in the call is a record of its own, whatever becomes of the case [C12]."""
    if event.opinions:
        await uow.sql.execute(
            """INSERT INTO suggestions (suggestion_id, case_id, words, recorded_at, recorded_by)
               SELECT $1, case_id, $3, $4, 'callbacks' FROM cases WHERE case_id = $2 ON CONFLICT DO NOTHING""",
            uuid5(_SIGNALS, f"suggestion/{event.task_id}"),
            UUID(event.subject),
            event.opinions,
            event.completed_at,
        )


async def _unanswered(uow: UnitOfWork, case: CaseRow, at: datetime, outcome: str) -> None:
    """The call ended without an answer. Who refuses it has said so; anybody else still has the survey's time [C11]."""
    step = history.CaseStep(case.case_id, "satisfaction not told", CALLING, at, {"outcome": outcome})
    await history.add(uow, [step])
    if outcome in REFUSALS:
        await cancel(uow, [("survey", f"case/{case.case_id}")])
        await _close(uow, case, at, "not_rated")
    else:
        await _wait_for_survey(uow, [(case.case_id, case.key, at)])


async def await_surveys(events: Sequence[TaskExhausted], uow: UnitOfWork) -> None:
    """Nobody was reached: a survey is out, and its limit runs [C11]."""
    waiting: list[tuple[UUID, str, datetime]] = []
    for event in events:
        if event.rule != RULE:
            continue
        # Told before tasks said what they were about, it can only mean the client's cases that are being asked about.
        rows = await uow.sql.fetch(
            """SELECT case_id, key FROM cases WHERE key = $1 AND state = 'satisfaction_call'
                 AND ($2::uuid IS NULL OR case_id = $2) ORDER BY case_id FOR UPDATE""",
            event.client_id,
            UUID(event.subject) if event.subject else None,
        )
        at = event.exhausted_at
        await history.add(uow, [history.CaseStep(row["case_id"], TRIED, CALLING, at) for row in rows])
        waiting += [(row["case_id"], row["key"], at) for row in rows]
    await _wait_for_survey(uow, waiting)


async def miss_calls(events: Sequence[TaskExpired], uow: UnitOfWork) -> None:
    """Nobody called within the limit: a breach of the centre's, and the complainant still has the survey's time [C11]."""
    waiting: list[tuple[UUID, str, datetime]] = []
    for event in events:
        if event.rule != RULE or event.subject is None:
            continue
        case = await _called(uow, event.subject)
        if case is None:
            continue
        due = end_of(event.due_on)
        await history.add(uow, [history.CaseStep(case.case_id, MISSED, CALLING, due)])
        uow.emit(cases.breach(case, "satisfaction_call", due), at=due)
        waiting.append((case.case_id, case.key, due))
    await _wait_for_survey(uow, waiting)


async def _wait_for_survey(uow: UnitOfWork, waiting: Sequence[tuple[UUID, str, datetime]]) -> None:
    """Give (case, key) the survey's limit from an instant on; one that has it already keeps it."""
    if not waiting:
        return
    policies = await uow.policies(Policies)
    calendar = await calendars.current(uow.sql)
    armed = {
        row["object"]
        for row in await uow.sql.fetch(
            "SELECT object FROM deadlines WHERE kind = 'survey' AND object = ANY($1::text[])",
            [f"case/{case_id}" for case_id, _, _ in waiting],
        )
    }
    await arm(
        uow,
        [
            limited(
                clocks.SURVEY, f"case/{case_id}", key, policies.limits.on(business_date(at)).body.survey, at, calendar
            )
            for case_id, key, at in waiting
            if f"case/{case_id}" not in armed
        ],
    )


async def close_unanswered(due: Sequence[Due], uow: UnitOfWork) -> None:
    """No answer to the survey within its limit closes the case with that outcome [C11]."""
    for one in due:
        case = await _called(uow, one.object.removeprefix("case/"))
        if case is not None:
            await _close(uow, case, one.at, await _without_answer(uow, case))


async def _without_answer(uow: UnitOfWork, case: CaseRow) -> str:
    """`no_answer` when the complainant was called as often as is owed; `not_called`, the centre's breach, when not."""
    asked_since = "(SELECT max(number) FROM act_steps WHERE object = $1 AND act = 'feedback')"
    what = await uow.sql.fetch(
        f"SELECT act FROM act_steps WHERE object = $1 AND number > coalesce({asked_since}, 0)", f"case/{case.case_id}"
    )
    found = {row["act"] for row in what}
    return "not_called" if MISSED in found and not found & {TRIED, "satisfaction not told"} else "no_answer"


async def _close(uow: UnitOfWork, case: CaseRow, at: datetime, outcome: str) -> None:
    """Close a case that is locked."""
    await perform_each(uow, ACTS.close, {case.case_id: Ended(outcome=outcome)}, at)
    if outcome != "satisfied" and case.generation > 1 and case.client_id:
        # It was opened again because of a bad answer, and ends without a good one: the client may leave [A33].
        uow.emit(
            ChurnSignalled(
                signal_id=uuid5(_SIGNALS, f"{case.case_id}/{case.generation}"),
                client_id=case.client_id,
                branch_id=case.branch_id,
                reason="complaint",
                mood="dissatisfied",
                signalled_at=at,
            ),
            at=at,
        )
