"""The satisfaction call (满意度回访): asked by the centre through callbacks, and only its word counts here [C11].

The branch cannot record it: no route of this service takes scores. A bad answer opens the case again one level higher.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from chassis import calendars, staff
from chassis.clock import business_date, end_of
from chassis.clocks import store
from chassis.deadlines import Deadline, Due, arm, cancel
from chassis.staff import COMPLIANCE, HQ, OPERATIONS_CENTRE
from chassis.uow import UnitOfWork
from contracts.callbacks import TaskCompleted, TaskExhausted, TaskExpired
from contracts.complaints import CaseClosed, CaseReopened, ChurnSignalled, SatisfactionRecorded
from services.complaints import clocks, contact_duties, history
from services.complaints.dispatching import breach
from services.complaints.policy import Policies
from services.complaints.rules import CALLING, CLOSED, REOPENED, due_day, reopens, result_limit

RULE = "satisfaction"
_SIGNALS = UUID("7d9b6a52-0c2f-5f3e-8a35-0b6f2a1f4c19")
REFUSALS = ("refused", "do_not_call", "deceased")
HIGHEST_LEVEL = 2


async def note_answers(events: Sequence[TaskCompleted], uow: UnitOfWork) -> None:
    """Answers to satisfaction calls: content closes the case, discontent opens it again."""
    for event in events:
        if event.rule != RULE or event.subject is None:
            continue
        await _pass_back(uow, event)
        case = await uow.sql.fetchrow(
            "SELECT * FROM cases WHERE case_id = $1 AND state = $2 FOR UPDATE", UUID(event.subject), CALLING
        )
        if case is None:
            continue  # withdrawn or closed meanwhile: the answer comes too late to change anything
        at = event.completed_at
        if not event.scores and event.accepted is None:
            await _unanswered(uow, case, at, event.outcome)
            continue
        await cancel(uow, [("survey", f"case/{case['case_id']}")])
        uow.emit(
            SatisfactionRecorded(
                case_id=str(case["case_id"]),
                client_id=case["client_id"],
                branch_id=case["branch_id"],
                generation=case["generation"],
                outcome=event.outcome,
                scores=event.scores,
                accepted=event.accepted,
                recorded_at=at,
            ),
            at=at,
        )
        detail = {"outcome": event.outcome, "scores": event.scores, "accepted": event.accepted}
        await history.add(
            uow, [history.CaseStep(case["case_id"], "satisfaction recorded", CALLING, at, case["generation"], detail)]
        )
        if reopens(event.scores.values(), event.accepted):
            await reopen(uow, case, at, reason="dissatisfied")
        else:
            await close(uow, case, at, "satisfied")


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


async def _unanswered(uow: UnitOfWork, case: Any, at: datetime, outcome: str) -> None:
    """The call ended without an answer. Who refuses it has said so; anybody else still has the survey's time [C11]."""
    await history.add(
        uow,
        [
            history.CaseStep(
                case["case_id"], "satisfaction not told", CALLING, at, case["generation"], {"outcome": outcome}
            )
        ],
    )
    if outcome in REFUSALS:
        await cancel(uow, [("survey", f"case/{case['case_id']}")])
        await close(uow, case, at, "not_rated")
    else:
        await _wait_for_survey(uow, [(case["case_id"], case["key"], at)])


async def await_surveys(events: Sequence[TaskExhausted], uow: UnitOfWork) -> None:
    """Nobody was reached: a survey is out, and its limit runs [C11]."""
    waiting: list[tuple[UUID, str, datetime]] = []
    for event in events:
        if event.rule != RULE:
            continue
        # Told before tasks said what they were about, it can only mean the client's cases that are being asked about.
        rows = await uow.sql.fetch(
            """SELECT case_id, key FROM cases WHERE key = $1 AND state = 'satisfaction_call'
                 AND ($2::uuid IS NULL OR case_id = $2)""",
            event.client_id,
            UUID(event.subject) if event.subject else None,
        )
        waiting += [(row["case_id"], row["key"], event.exhausted_at) for row in rows]
    await _wait_for_survey(uow, waiting)


async def miss_calls(events: Sequence[TaskExpired], uow: UnitOfWork) -> None:
    """Nobody called within the limit: a breach of the centre's, and the complainant still has the survey's time [C11]."""
    waiting: list[tuple[UUID, str, datetime]] = []
    for event in events:
        if event.rule != RULE or event.subject is None:
            continue
        case = await uow.sql.fetchrow(
            "SELECT * FROM cases WHERE case_id = $1 AND state = $2 FOR UPDATE", UUID(event.subject), CALLING
        )
        if case is None:
            continue
        due = end_of(event.due_on)
        await history.add(
            uow, [history.CaseStep(case["case_id"], "satisfaction call breached", CALLING, due, case["generation"])]
        )
        uow.emit(breach(case, "satisfaction_call", due), at=due)
        waiting.append((case["case_id"], case["key"], due))
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
            Deadline(
                "survey",
                f"case/{case_id}",
                key,
                policies.limits.on(business_date(at)).body.survey.first_due(at, calendar),
            )
            for case_id, key, at in waiting
            if f"case/{case_id}" not in armed
        ],
    )


async def close_unanswered(due: Sequence[Due], uow: UnitOfWork) -> None:
    """No answer to the survey within its limit closes the case with that outcome [C11]."""
    for one in due:
        case = await uow.sql.fetchrow(
            "SELECT * FROM cases WHERE case_id = $1 AND state = $2 FOR UPDATE",
            UUID(one.object.removeprefix("case/")),
            CALLING,
        )
        if case is not None:
            await close(uow, case, one.at, "no_answer")


async def close(uow: UnitOfWork, case: Any, at: datetime, outcome: str) -> None:
    """Close a case that is locked."""
    await uow.sql.execute(
        f"""UPDATE cases c SET state = $2, outcome = $3, closed_at = $4, revision = revision + 1,
                  to_tell_since = {contact_duties.SINCE.format(at="$4")} WHERE case_id = $1""",
        case["case_id"],
        CLOSED,
        outcome,
        at,
    )
    await history.add(
        uow, [history.CaseStep(case["case_id"], "closed", CLOSED, at, case["generation"], {"outcome": outcome})]
    )
    uow.emit(
        CaseClosed(
            case_id=str(case["case_id"]),
            client_id=case["client_id"],
            branch_id=case["branch_id"],
            generation=case["generation"],
            outcome=outcome,
            upheld=case["upheld"],
            closed_at=at,
        ),
        at=at,
    )
    if outcome != "satisfied" and case["generation"] > 1 and case["client_id"]:
        # It was opened again because of a bad answer, and ends without a good one: the client may leave [A33].
        uow.emit(
            ChurnSignalled(
                signal_id=uuid5(_SIGNALS, f"{case['case_id']}/{case['generation']}"),
                client_id=case["client_id"],
                branch_id=case["branch_id"],
                reason="complaint",
                mood="dissatisfied",
                signalled_at=at,
            ),
            at=at,
        )


async def reopen(uow: UnitOfWork, case: Any, at: datetime, *, reason: str) -> None:
    """Open a case again, one level higher, with a new generation of clocks; its history stays [C11, C23]."""
    policies = await uow.policies(Policies)
    level, generation = min(case["level"] + 1, HIGHEST_LEVEL), case["generation"] + 1
    seat = COMPLIANCE if level == HIGHEST_LEVEL else OPERATIONS_CENTRE
    holder = (await staff.roster(uow.sql)).holder(HQ, seat, at, avoid=case["concerned"])
    owner = holder.staff_id if holder else case["owner"]
    calendar = await calendars.current(uow.sql)
    limits = policies.limits.on(business_date(at)).body
    # A date a regulator gave was for the first answer: the second one has the limit of its kind.
    limit = result_limit(case["source"], case["severity"], None, limits)
    await store.start(
        uow,
        [
            await clocks.result_clock(
                uow, case["case_id"], generation, case["key"], limit, at, case["source"], case["severity"]
            )
        ],
        calendar,
    )
    await uow.sql.execute(
        f"""UPDATE cases c SET state = $2, generation = $3, level = $4, owner = $5, offered_to = NULL, outcome = NULL,
                  closed_at = NULL, due_on = $6, revision = revision + 1,
                  to_tell_since = {contact_duties.SINCE.format(at="$7::timestamptz")} WHERE case_id = $1""",
        case["case_id"],
        REOPENED,
        generation,
        level,
        owner,
        due_day(limit, at, calendar),
        at,
    )
    detail = {"reason": reason, "level": level, "owner": owner}
    await history.add(uow, [history.CaseStep(case["case_id"], "reopened", REOPENED, at, generation, detail)])
    uow.audit("reopened", f"case/{case['case_id']}", key=case["key"], at=at, **detail)
    uow.emit(
        CaseReopened(
            case_id=str(case["case_id"]),
            client_id=case["client_id"],
            branch_id=case["branch_id"],
            generation=generation,
            level=level,
            owner=owner,
            reopened_at=at,
        ),
        at=at,
    )
