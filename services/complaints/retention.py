"""Keeping and erasing a case: for as long as the policy of its last day says, and never under legal hold [C21]. The last
day is that of its end or of the record of it, whichever is later.

Nothing here is one person's: whoever asks for an erasure, or for a hold to be lifted, cannot decide it. What an erasure
leaves is that there was a case: its dates, kind, source, severity, states and figures, so that no report changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils import uuid7

from chassis.clock import business_date, months_after
from chassis.erasure import Judgement
from chassis.errors import AlreadyDecided, Conflict, NotFound, Text
from chassis.timeline import Timeline, timeline, today
from chassis.uow import UnitOfWork
from contracts.complaints import CaseErased
from services.complaints import cases
from services.complaints.history import COMPLIANCE
from services.complaints.policy import Policies
from services.complaints.rules import OVER
from services.complaints.tables import CaseRow


class UnderLegalHold(Conflict):
    """A legal hold is in force: nothing of the case may be erased; `holds` says which and why."""

    title = Text("Under legal hold", "处于法律保全状态")


class RetentionRunning(Conflict):
    """The case has to be kept until `kept_until`, by `policy`."""

    title = Text("It must still be kept", "保存期限未届满")


class NotOver(Conflict):
    """The case is not over: its retention has not begun."""

    title = Text("The case is not over", "案件尚未办结")


class AskedAlready(Conflict):
    """That was asked before and waits for a second person."""

    title = Text("Waits for a second person already", "已待复核")


@dataclass(frozen=True, slots=True)
class RetentionState:
    """How long a case is kept and by which rule; `holds` are those in force."""

    ended_on: date | None
    kept_until: date | None
    policy: str | None
    years: int | None
    holds: Sequence[Any]

    def require_erasable(self, today: date) -> None:
        """Refuse while anything keeps the case.

        Raises: NotOver, UnderLegalHold, RetentionRunning.
        """
        if self.kept_until is None:
            raise NotOver
        if self.holds:
            raise UnderLegalHold(holds=[_why(hold) for hold in self.holds])
        if today <= self.kept_until:
            raise RetentionRunning(kept_until=self.kept_until.isoformat(), policy=self.policy)


def _why(hold: Any) -> dict[str, str]:
    return {
        "hold_id": str(hold["hold_id"]),
        "reason": hold["reason"],
        "placed_by": hold["placed_by"],
        "placed_at": hold["placed_at"].isoformat(),
    }


async def standing(sql: asyncpg.Connection, case: CaseRow) -> RetentionState:
    """What keeps a case."""
    holds = await sql.fetch(
        "SELECT * FROM holds WHERE case_id = $1 AND released_at IS NULL ORDER BY placed_at", case.case_id
    )
    if case.closed_at is None or case.state not in OVER:
        return RetentionState(None, None, None, None, holds)
    ended_on = business_date(case.closed_at)
    if await timeline(sql) is Timeline.REAL:  # in a replayed one nothing is recorded on its own day
        recorded = await sql.fetchval(
            """SELECT recorded_at FROM act_steps WHERE object = $1 AND before <> after AND after = $2
               ORDER BY number DESC LIMIT 1""",
            f"case/{case.case_id}",
            case.state,
        )
        ended_on = max(ended_on, business_date(recorded or case.closed_at))
    policies = await Policies.read(sql)
    version = policies.limits.on(ended_on)
    years = version.body.retention_years
    return RetentionState(ended_on, months_after(ended_on, 12 * years), version.name, years, holds)


async def judge_erasure(uow: UnitOfWork, clients: Sequence[str]) -> dict[str, Judgement]:
    """A case that is not over, under hold or within its retention keeps its client; the keys of the cases go along."""
    day, found = await today(uow.sql), dict[str, Judgement]()
    for row in await uow.sql.fetch(
        "SELECT * FROM cases WHERE client_id = ANY($1::text[]) ORDER BY received_at, case_id", list(clients)
    ):
        case = CaseRow(**row)
        assert case.client_id is not None
        before = found.get(case.client_id, Judgement())
        state = await standing(uow.sql, case)
        owners = [*before.owners, f"case:{case.case_id}"]
        reason, until = before.reason, before.kept_until
        try:
            state.require_erasable(day)
        except Conflict as refusal:
            reason = reason or f"case {case.case_id}: {refusal.name()}"
            until = max(filter(None, (until, state.kept_until)), default=None)
        found[case.client_id] = Judgement(reason, until, owners)
    return found


async def place(uow: UnitOfWork, case: CaseRow, reason: str) -> UUID:
    """Place a legal hold: one person is enough to keep something."""
    hold_id = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        "INSERT INTO holds (hold_id, case_id, reason, placed_by, placed_at) VALUES ($1, $2, $3, $4, $5)",
        hold_id,
        case.case_id,
        reason,
        uow.actor.person,
        uow.now,
    )
    detail = {"hold": str(hold_id), "reason": reason}
    await cases.change(uow, case, "hold placed", uow.now, detail=detail, tells=(COMPLIANCE,))
    return hold_id


async def ask_release(uow: UnitOfWork, case: CaseRow, hold_id: UUID, reason: str) -> None:
    """Note that a hold is asked to be lifted.

    Raises: NotFound, AlreadyDecided, AskedAlready.
    """
    hold = await _hold(uow, case, hold_id)
    if hold["release_asked_by"] is not None:
        raise AskedAlready(asked_by=hold["release_asked_by"])
    await uow.sql.execute(
        "UPDATE holds SET release_asked_by = $2, release_asked_at = $3, release_reason = $4 WHERE hold_id = $1",
        hold_id,
        uow.actor.person,
        uow.now,
        reason,
    )
    detail = {"hold": str(hold_id), "reason": reason}
    await cases.change(uow, case, "hold release asked for", uow.now, detail=detail, tells=(COMPLIANCE,), audited=False)


async def release(uow: UnitOfWork, case: CaseRow, hold_id: UUID, *, asked_by: str) -> None:
    """Lift a hold, as two persons decided."""
    await uow.sql.execute(
        "UPDATE holds SET released_by = $2, released_at = $3 WHERE hold_id = $1", hold_id, uow.actor.person, uow.now
    )
    detail = {"hold": str(hold_id), "asked_by": asked_by}
    await cases.change(uow, case, "hold released", uow.now, detail=detail, tells=(COMPLIANCE,), audited=False)


async def keep_hold(uow: UnitOfWork, case: CaseRow, hold_id: UUID, *, asked_by: str) -> None:
    """Leave a hold: its end was refused, taken back, or nobody decided it in time."""
    await uow.sql.execute(
        """UPDATE holds SET release_asked_by = NULL, release_asked_at = NULL, release_reason = NULL
           WHERE hold_id = $1""",
        hold_id,
    )
    detail = {"hold": str(hold_id), "asked_by": asked_by}
    await cases.change(uow, case, "hold kept", uow.now, detail=detail, tells=(COMPLIANCE,), audited=False)


async def _hold(uow: UnitOfWork, case: CaseRow, hold_id: UUID) -> asyncpg.Record:
    hold = await uow.sql.fetchrow(
        "SELECT * FROM holds WHERE hold_id = $1 AND case_id = $2 FOR UPDATE", hold_id, case.case_id
    )
    if hold is None:
        raise NotFound
    if hold["released_at"] is not None:
        raise AlreadyDecided(state="released")
    return hold


async def ask_erasure(uow: UnitOfWork, case: CaseRow, reason: str) -> UUID:
    """Note that a case is asked to be erased.

    Raises: NotOver, UnderLegalHold, RetentionRunning, AskedAlready.
    """
    (await standing(uow.sql, case)).require_erasable(await today(uow.sql))
    erasure_id = await uow.sql.fetchval(
        """INSERT INTO erasures (erasure_id, case_id, reason, asked_by, asked_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (case_id) WHERE state = 'asked' DO NOTHING RETURNING erasure_id""",
        UUID(bytes=uuid7().bytes),
        case.case_id,
        reason,
        uow.actor.person,
        uow.now,
    )
    if erasure_id is None:
        raise AskedAlready
    detail = {"erasure": str(erasure_id)}
    await cases.change(uow, case, "erasure asked for", uow.now, detail=detail, tells=(COMPLIANCE,), audited=False)
    return UUID(str(erasure_id))


async def end_erasure(uow: UnitOfWork, case: CaseRow, erasure_id: UUID, *, asked_by: str, erase: bool) -> None:
    """Erase a case, or leave it, as two persons decided; what keeps it now counts, not what did when it was asked.

    Raises: NotOver, UnderLegalHold, RetentionRunning.
    """
    if erase:
        (await standing(uow.sql, case)).require_erasable(await today(uow.sql))
        await _erase(uow, case)
        uow.emit(CaseErased(case_id=str(case.case_id), branch_id=case.branch_id, erased_at=uow.now), at=uow.now)
    await uow.sql.execute(
        "UPDATE erasures SET state = $2, decided_by = $3, decided_at = $4 WHERE erasure_id = $1",
        erasure_id,
        "erased" if erase else "refused",
        uow.actor.person,
        uow.now,
    )
    what = "erased" if erase else "erasure refused"
    detail = {"erasure": str(erasure_id), "asked_by": asked_by}
    columns: dict[str, Any] = {"erased_at": uow.now} if erase else {}
    key = f"case:{case.case_id}" if erase else case.key
    await cases.change(
        uow,
        msgspec.structs.replace(case, key=key),
        what,
        uow.now,
        detail=detail,
        tells=(COMPLIANCE,),
        audited=False,
        **columns,
    )


_EMPTIED = (
    """UPDATE cases SET words = '', original = NULL, client_id = NULL, key = 'case:' || case_id, attributes = '{}',
              employee = NULL, script = NULL, concerned = '{}', contact_channel = NULL, category = '', contact_name = NULL,
              contact_phone = NULL WHERE case_id = $1""",
    "DELETE FROM case_words WHERE case_id = $1",
    "DELETE FROM demands WHERE case_id = $1",
    "DELETE FROM suggestions WHERE case_id = $1",
    "DELETE FROM contacts WHERE case_id = $1",
    "UPDATE redress SET reason = '' WHERE case_id = $1",
    "UPDATE deviations SET reason = '' WHERE case_id = $1",
    """UPDATE tickets SET solutions = '[]', facts = NULL, responsible = NULL, action = NULL, reaction = NULL,
              phone_recording = NULL WHERE case_id = $1""",
    """UPDATE accountability SET summary = NULL, root_cause = NULL, plan = NULL, circular = NULL, against = '{}'
       WHERE case_id = $1""",
    """UPDATE act_steps SET detail = (SELECT coalesce(jsonb_object_agg(k, v), '{}') FROM jsonb_each(detail) d(k, v)
                                      WHERE k IN ('severity', 'upheld', 'outcome', 'level')),
              person = CASE WHEN role = 'client' THEN '' ELSE person END WHERE object = 'case/' || $1::uuid""",
    "UPDATE reception_visits SET visitor = NULL, matter = '', outcome = NULL WHERE case_id = $1",
    """UPDATE approvals SET why = '', client_id = NULL, concerned = '{}', body = body - 'outcome' - 'reason' - 'further'
       WHERE body->>'case_id' = $1::uuid::text OR object = 'case/' || $1::uuid""",
    """DELETE FROM conflicts k USING cases c WHERE c.case_id = $1 AND c.external_ref IS NOT NULL
         AND k.identity = c.system || '/' || c.external_ref""",
)


async def _erase(uow: UnitOfWork, case: CaseRow) -> None:
    for statement in _EMPTIED:
        await uow.sql.execute(statement, case.case_id)
    gone = await uow.sql.fetch(
        """WITH mine AS (DELETE FROM case_attachments WHERE case_id = $1 RETURNING sha256)
           DELETE FROM attachments a USING mine WHERE a.sha256 = mine.sha256
             AND NOT EXISTS (SELECT FROM case_attachments o WHERE o.sha256 = a.sha256 AND o.case_id <> $1)
           RETURNING a.sha256""",
        case.case_id,
    )
    await uow.sql.execute(
        "DELETE FROM attachment_parts WHERE sha256 = ANY($1::text[])", [row["sha256"] for row in gone]
    )
