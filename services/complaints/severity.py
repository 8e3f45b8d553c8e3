"""What has come to light after intake: an ordinary case that turns out major climbs the major ladder at once [C7, C22].

The rules decide from everything known by then, never a person's word alone; only compliance lowers a case again. What
was told and acknowledged stays. The clock gets a major case's limit, unless it has run out or a time was promised:
being late is not healed by turning out worse, and a promise is kept.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from chassis import staff
from chassis.clock import business_date
from chassis.clocks import Extension, Limit, Promise, State, Until, WorkingDays, store
from chassis.clocks.limits import mapping_of
from chassis.clocks.store import New
from chassis.uow import UnitOfWork
from services.complaints import cases, clocks, reporting
from services.complaints.policy import Limits, Policies
from services.complaints.report import Opened
from services.complaints.reporting import Notice
from services.complaints.rules import OVER, REGULATORS, Claimed, ladder_name, severity_of
from services.complaints.tables import CaseRow


async def judge(
    uow: UnitOfWork, case: CaseRow, at: datetime, *, allegations: Collection[str] = (), claim: Decimal | None = None,
    complainants: int = 1, public_risk: bool = False,
) -> tuple[dict[str, Any], str]:  # fmt: skip
    """What is known of a case with what came to light, as its columns; and why that makes it major, if it does."""
    limits = await cases.limits_of(uow, at)
    known: dict[str, Any] = {
        "allegations": sorted({*case.allegations, *allegations}),
        "claim": max((one for one in (case.claim, claim) if one is not None), default=None),
        "complainants": max(case.complainants, complainants),
    }
    claimed = Claimed(case.source, known["allegations"], known["claim"], known["complainants"], public_risk)
    severity, why = severity_of(claimed, limits)
    return known, why if severity == "major" else ""


async def consider(uow: UnitOfWork, case: CaseRow, at: datetime, reason: str, **found: Any) -> CaseRow:
    """Add what came to light to a locked case and judge it anew; the case as it stands then."""
    known, why = await judge(uow, case, at, **found)
    detail = {"reason": reason, "because": why} if why else {"reason": reason}
    case = await cases.change(uow, case, "came to light", at, detail=detail, **known)
    if why and case.severity == "ordinary":
        return await raise_to_major(uow, case, at, why, await cases.limits_of(uow, at))
    return case


async def lower(uow: UnitOfWork, case: CaseRow, at: datetime) -> None:
    """What is left of the ordinary ladder follows for a case that was major; the time it was given stays, and so does
    what was acknowledged."""
    await cases.stop_report(uow, clocks.object_of(case.case_id, case.generation), at)
    if not case.imported:
        await climb_another(uow, case, at)


async def raise_matter(uow: UnitOfWork, opened: Sequence[Opened]) -> None:
    """The complainant who makes a matter major makes the others' open cases of it major as well [C7]."""
    for one in opened:
        if one.reason != "same_matter":
            continue
        r = one.report
        limits = (await uow.policies(Policies)).limits.on(business_date(r.received_at)).body
        rows = await uow.sql.fetch(
            """SELECT * FROM cases
               WHERE branch_id = $1 AND received_at > $2::timestamptz - make_interval(days => $3) AND received_at <= $2
                 AND kind = 'complaint' AND severity = 'ordinary' AND NOT imported AND state <> ALL($4::text[])
                 AND case_id <> $5 AND ((product = $6 AND category = $8) OR employee = $7)
               ORDER BY case_id FOR UPDATE""",
            r.branch_id,
            r.received_at,
            limits.same_matter_days,
            list(OVER),
            r.case_id,
            r.product,
            r.employee,
            r.category,
        )
        for row in rows:
            await raise_to_major(uow, CaseRow(**row), r.received_at, "same_matter", limits)


async def raise_to_major(uow: UnitOfWork, case: CaseRow, at: datetime, why: str, limits: Limits) -> CaseRow:
    """Make a locked ordinary case a major one."""
    case = await cases.change(uow, case, "became major", at, detail={"reason": why}, severity="major")
    return await follow(uow, case, at, limits)


async def follow(uow: UnitOfWork, case: CaseRow, at: datetime, limits: Limits) -> CaseRow:
    """What follows when a case has become major: three departments are told, the major ladder begins where it stands."""
    object_ = clocks.object_of(case.case_id, case.generation)
    running = await store.load(uow.sql, [object_])
    if (object_, clocks.REPORT) not in running:  # who was told of it before a downgrade knows of it
        await store.start(uow, [await clocks.report_clock(uow, case.case_id, case.generation, case.key, at)])
        await reporting.report_major(uow, [(case.case_id, case.generation, at)])
    if (object_, clocks.RESULT) in running:
        case = await _give_time(uow, case, running[object_, clocks.RESULT], at, limits)
        await climb_another(uow, case, at)
    return case


async def climb_another(uow: UnitOfWork, case: CaseRow, at: datetime) -> None:
    """Put the result clock on the ladder of the case's severity; who that ladder tells of steps behind us is told now."""
    policies = await uow.policies(Policies)
    object_ = clocks.object_of(case.case_id, case.generation)
    ladders = policies.ladders.on(business_date(at)).body
    name = ladder_name(case.kind, case.source, case.severity)
    await store.change_ladder(uow, object_, clocks.RESULT, ladders.ladder(name), at)
    kept = (await store.load(uow.sql, [object_]))[object_, clocks.RESULT]
    fired = await uow.sql.fetch(
        "SELECT step FROM clock_steps WHERE object = $1 AND clock = $2 AND round = $3 ORDER BY number",
        object_,
        clocks.RESULT,
        kept.round,
    )
    roster = await staff.roster(uow.sql)
    await reporting.notify(
        uow,
        [
            Notice(
                case.case_id, case.generation, clocks.RESULT, row["step"], p.staff_id, p.seat, list(p.path),
                p.for_conflict, at, kept.round,
            )
            for row in fired
            for p in reporting.told(case, ladders.told[name].get(row["step"], ()), roster, at)
        ],
    )  # fmt: skip


async def _give_time(uow: UnitOfWork, case: CaseRow, kept: store.Kept, at: datetime, limits: Limits) -> CaseRow:
    if case.source in REGULATORS:
        return case  # the date the regulator gave holds, major or not [C7]
    reading = (await store.readings(uow.sql, [kept.object]))[kept.object, kept.clock]
    promised = any(isinstance(entry, Promise) for entry in kept.entries)
    late = reading.due is not None and reading.due <= at
    if reading.state is State.STOPPED or promised or late:
        return case
    more = _more(limits.ordinary, limits.major)
    if more is None and reading.state is State.PAUSED:
        return case  # a time given would end the pause
    if more is None:
        calendar = await cases.calendar_of(uow)
        due = limits.major.first_due(reading.started, calendar)
        if reading.due is not None and due <= reading.due:
            return case
        more = Until(due)
    found = await store.append(
        uow, [New(kept.object, kept.clock, Extension, at, {"by": mapping_of(more), "reason": "became major"})]
    )
    due_now = found[kept.object, kept.clock].due
    if due_now is None:
        return case
    due_on = business_date(due_now - timedelta.resolution)
    await uow.sql.execute("UPDATE cases SET due_on = $2 WHERE case_id = $1", case.case_id, due_on)
    return msgspec.structs.replace(case, due_on=due_on)


def _more(ordinary: Limit, major: Limit) -> Limit | None:
    """What a major case has beyond an ordinary one, where both are working days."""
    if isinstance(ordinary, WorkingDays) and isinstance(major, WorkingDays) and major.days > ordinary.days:
        return WorkingDays(major.days - ordinary.days)
    return None
