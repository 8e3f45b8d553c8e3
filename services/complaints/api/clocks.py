"""Every clock of a case for everybody who may see it: due, what remains, paused and why [C22, C27]."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.calendar import Calendar, CalendarEnds
from chassis.calendars import current
from chassis.clocks import ClockReading, Measure, Pause, Resume, State, store
from chassis.errors import Text
from chassis.http import Reading as Sql
from chassis.http import permits, router
from contracts.fields import Id, Instant
from services.complaints import cases, clocks
from services.complaints.api.shapes import READERS
from services.complaints.rules import CALLING, OVER, THIRD_PARTY
from services.complaints.tables import CaseRow

routes = router("/v1/complaints/cases/{case_id}/clocks", "complaints")
Reader = Annotated[Actor, permits("complaints.cases:read", Role.CLIENT, *READERS)]

DISPATCH = Text(
    "The order reaches the branch on the natural day of receipt [C4]; nothing pauses this clock.",
    "督办单须于受理当日（自然日）送达营业部〔C4〕，此时限不可暂停。",
)
PHONE = Text(
    "The branch's general manager is told by phone on the day of the order [C4]; nothing pauses this clock.",
    "督办单发出当日须电话告知营业部总经理〔C4〕，此时限不可暂停。",
)
WAITS = {
    "third_party": Text(
        "A third party may take so long; then the case goes on [C23].", "等待第三方的最长期限〔C23〕。"
    ),
    "survey": Text("Without an answer to the survey the case closes [C11].", "问卷逾期未答即按未答结案〔C11〕。"),
}


WAITS_IN = {"third_party": THIRD_PARTY, "survey": CALLING}


class ClockShown(BaseModel):
    """One clock: when it is due, what remains of it in its own measure, and while it is paused why."""

    clock: str
    generation: int
    state: str
    started: datetime
    due: datetime | None
    measure: str
    remaining_seconds: int | None
    paused_because: str | None
    expected_due: datetime | None
    breached: list[datetime]
    why: list[dict[str, str]]


@routes.get("")
async def read_clocks(
    actor: Reader,
    sql: Sql,
    case_id: Id,
    as_of: Annotated[Instant | None, Query(description="as known at an instant")] = None,
) -> list[ClockShown]:
    """Every clock of the case, of all its generations, with its sums step by step."""
    case = await cases.seen(sql, actor, case_id)
    now: datetime = as_of or await sql.fetchval("SELECT clock_timestamp()")  # what was recorded by then is known
    calendar = await current(sql, as_of)
    found = [*_plain(case, await _tickets(sql, case_id), now), *await _waits(sql, case, now, calendar)]
    objects = [clocks.object_of(case_id, number) for number in range(1, case.generation + 1)]
    kept = await store.load(sql, objects)
    for (object_, clock), reading in sorted((await store.readings(sql, objects, as_of)).items()):
        lines = await store.explained(sql, object_, clock, as_of)
        found.append(
            ClockShown(
                clock=clock,
                generation=clocks.case_of(object_)[1],
                state=reading.state,
                started=reading.started,
                due=reading.due,
                measure=reading.measure.value,
                remaining_seconds=_remaining(reading, now, calendar),
                paused_because=_reason(kept[object_, clock], reading, now),
                expected_due=reading.expected_due,
                breached=list(reading.breaches(now)),
                why=[{"en": line.sentence.en, "zh": line.sentence.zh} for line in lines],
            )
        )
    return found


def _remaining(reading: ClockReading, now: datetime, calendar: Calendar) -> int | None:
    if reading.remaining is not None:
        return int(reading.remaining.total_seconds())
    if reading.state is State.STOPPED or reading.due is None:
        return None
    return _between(reading.measure, now, reading.due, calendar)


def _between(measure: Measure, now: datetime, due: datetime, calendar: Calendar) -> int | None:
    try:
        return max(0, int(measure.between(now, due, calendar).total_seconds()))
    except CalendarEnds:  # how long that is, nobody knows before the next year's days are published
        return None


def _reason(kept: store.Kept, reading: ClockReading, now: datetime) -> str | None:
    if reading.state is not State.PAUSED:
        return None
    turns = [e for e in kept.entries if isinstance(e, Pause | Resume) and e.recorded <= now]
    return max(turns, key=lambda e: (e.effective, e.number)).reason if turns else None


async def _tickets(sql: Sql, case_id: UUID) -> list[Any]:
    return await sql.fetch(
        """SELECT generation, issued_at, phone_due, phoned_at FROM tickets
           WHERE case_id = $1 AND phone_due IS NOT NULL ORDER BY generation""",
        case_id,
    )


def _plain(case: CaseRow, tickets: list[Any], now: datetime) -> Iterator[ClockShown]:
    ended = case.closed_at if case.state in OVER else None
    if case.dispatch_due:
        sent = case.dispatched_at or ended
        yield _natural("dispatch", 1, case.received_at, case.dispatch_due, sent, now, DISPATCH)
    for one in tickets:
        told = one["phoned_at"] or ended
        yield _natural("phone", one["generation"], one["issued_at"], one["phone_due"], told, now, PHONE)


def _natural(
    clock: str, generation: int, started: datetime, due: datetime, done: datetime | None, now: datetime, why: Text
) -> ClockShown:
    done = done if done is not None and done <= now else None
    return ClockShown(
        clock=clock,
        generation=generation,
        state=State.STOPPED if done else State.RUNNING,
        started=started,
        due=due,
        measure=Measure.NATURAL.value,
        remaining_seconds=None if done else max(0, int((due - now).total_seconds())),
        paused_because=None,
        expected_due=None,
        breached=[due] if (done or now) >= due else [],
        why=[{"en": why.en, "zh": why.zh}],
    )


async def _waits(sql: Sql, case: CaseRow, now: datetime, calendar: Calendar) -> list[ClockShown]:
    """What the case waits for right now besides: a third party, the answer to a survey."""
    rows = await sql.fetch(
        """SELECT kind, due, coalesce((payload->>'start')::timestamptz, armed_at) AS started FROM deadlines
           WHERE object = $1 AND kind = ANY($2::text[]) ORDER BY kind""",
        f"case/{case.case_id}",
        [kind for kind, state in WAITS_IN.items() if state == case.state],
    )
    return [
        ClockShown(
            clock=row["kind"],
            generation=case.generation,
            state=State.RUNNING,
            started=row["started"],
            due=row["due"],
            measure=Measure.WORKING.value,
            remaining_seconds=_between(Measure.WORKING, now, row["due"], calendar),
            paused_because=None,
            expected_due=None,
            breached=[],
            why=[{"en": WAITS[row["kind"]].en, "zh": WAITS[row["kind"]].zh}],
        )
        for row in rows
    ]
