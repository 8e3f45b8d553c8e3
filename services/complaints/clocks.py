"""The clocks of a case: result and report in the clock ledger, dispatch and phone notice as plain deadlines [C4, C6, C7].

The dispatch clock is one natural day that nothing can pause or move, so that the case's own columns say all of it.
A reopened case gets clocks of its own: their object carries the generation [C23].
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chassis.calendar import Calendar
from chassis.clock import business_date
from chassis.clocks import Ladder, LadderStep, Limit, store
from chassis.deadlines import Deadline, arm
from chassis.replans import Moved
from chassis.uow import UnitOfWork
from services.complaints import reporting
from services.complaints.policy import Policies
from services.complaints.report import Opened
from services.complaints.rules import dispatch_due, ladder_name
from services.complaints.tables import CaseRow

RESULT, REPORT, PROMISE = "result", "report", "promise"
THIRD_PARTY, SURVEY = "third_party", "survey"
REPORT_LADDER = Ladder((LadderStep("due"),))


def object_of(case_id: UUID, generation: int) -> str:
    """The clocks' object: one for each generation."""
    return f"case/{case_id}/{generation}"


def case_of(object_: str) -> tuple[UUID, int]:
    """The case and generation an object names."""
    _, case_id, generation = object_.split("/")
    return UUID(case_id), int(generation)


async def result_clock(
    uow: UnitOfWork,
    case_id: UUID,
    generation: int,
    key: str,
    limit: Limit,
    started: datetime,
    name: str,
) -> store.Clock:
    """A result clock with the ladder of that name [C22]."""
    ladder = (await uow.policies(Policies)).ladders.on(business_date(started)).body.ladder(name)
    return store.Clock(object_of(case_id, generation), RESULT, key, limit, started, ladder)


async def report_clock(uow: UnitOfWork, case_id: UUID, generation: int, key: str, classified: datetime) -> store.Clock:
    """A major case is reported at once: within 30 minutes of natural time all three have answered [C7]."""
    limit = (await uow.policies(Policies)).limits.on(business_date(classified)).body.report
    return store.Clock(object_of(case_id, generation), REPORT, key, limit, classified, REPORT_LADDER)


async def move(uow: UnitOfWork, case: CaseRow, key: str) -> None:
    """What goes by the case's key goes by another from now on: it has another client."""
    objects = [object_of(case.case_id, generation) for generation in range(1, case.generation + 1)]
    await uow.sql.execute("UPDATE clocks SET key = $2 WHERE object = ANY($1::text[])", objects, key)
    await uow.sql.execute(
        "UPDATE deadlines SET key = $3 WHERE key = $2 AND (object = $1 OR object LIKE $1 || '/%')",
        f"case/{case.case_id}",
        case.key,
        key,
    )


async def start(uow: UnitOfWork, opened: Sequence[Opened], calendar: Calendar) -> None:
    """Start the clocks of new cases and report the major ones."""
    if not opened:
        return
    wanted, deadlines = [], []
    for one in opened:
        r = one.report
        name = ladder_name(r.kind, r.source, one.severity)
        wanted.append(await result_clock(uow, r.case_id, 1, r.key, one.limit, r.received_at, name))
        if one.severity == "major":
            wanted.append(await report_clock(uow, r.case_id, 1, r.key, r.received_at))
        if r.flow == "centre" and r.kind == "complaint":
            deadlines.append(Deadline("dispatch", f"case/{r.case_id}", r.key, dispatch_due(r.received_at)))
    await store.start(uow, wanted, calendar)
    await arm(uow, deadlines)
    await reporting.report_major(
        uow, [(one.report.case_id, 1, one.report.received_at) for one in opened if one.severity == "major"]
    )


async def read_dues(uow: UnitOfWork, calendar: Calendar) -> Sequence[Moved]:
    """The day a case is due is its result clock's, which a new calendar has moved: what moved is kept with the clocks."""
    await uow.sql.execute(
        """UPDATE cases c SET due_on = n.day
           FROM (SELECT c.case_id, ((k.due - interval '1 microsecond') AT TIME ZONE 'Asia/Shanghai')::date AS day
                 FROM cases c JOIN clocks k ON k.object = 'case/' || c.case_id || '/' || c.generation AND k.clock = $1
                 WHERE k.state <> 'stopped' AND k.calendar = $2 ORDER BY c.case_id FOR UPDATE OF c) n
           WHERE c.case_id = n.case_id AND c.due_on IS DISTINCT FROM n.day""",
        RESULT,
        calendar.version,
    )
    return ()
