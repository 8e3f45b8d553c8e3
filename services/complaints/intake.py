"""Intake: one set of rules for every way in, over REST, from another system, from a finding [C1, C3, C6, C7, C8].

Set-based: a batch of cases is opened with a handful of statements. Whoever brings a case that is known already is
told so and changes nothing; another content under a known number is a conflict for an operator.
"""

import base64
from collections.abc import Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from chassis import calendars, conflicts, staff
from chassis.calendar import Calendar
from chassis.clock import business_date
from chassis.clocks import Limit
from chassis.errors import Conflict, Text
from chassis.personal.keys import Value
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.base import encode_custom
from contracts.broker import ComplaintReceived
from contracts.callbacks import FindingRaised
from contracts.complaints import CaseOpened
from services.complaints import cases, clocks, dispatching, history, severity
from services.complaints.policy import Limits, Policies
from services.complaints.report import Opened, Report
from services.complaints.rules import Claimed, dispatch_due, due_day, result_limit, severity_of
from services.complaints.words import Said, owner_of, taken_in

WITH_RESULT_CLOCK = ("complaint", "conduct")
WITH_COMPLAINANT = ("complaint", "suggestion", "enquiry")


class NumberTaken(Conflict):
    """Another case carries this number of that system already."""

    title = Text("The number is taken", "编号已被占用")


async def open_cases(uow: UnitOfWork, reports: Sequence[Report]) -> list[Opened]:
    """Open those that are new, start their clocks, tell of them; in the order given.

    Raises: NumberTaken.
    """
    mark = uow.mark()
    try:
        async with uow.sql.transaction():  # inside the unit of work: a savepoint
            return await _open(uow, reports)
    except asyncpg.UniqueViolationError:
        uow.rollback_to(mark)  # the same letter at the same moment: whoever came second finds it known now
    try:
        return await _open(uow, reports)
    except asyncpg.UniqueViolationError:
        raise NumberTaken from None


async def _open(uow: UnitOfWork, reports: Sequence[Report]) -> list[Opened]:
    new, differing = await _unknown(uow, reports)
    opened = await _open_new(uow, new) if new else []
    for one in differing:  # of a case that may be as new as its contradiction
        await _conflict(uow, one)
    return opened


async def _open_new(uow: UnitOfWork, new: Sequence[Report]) -> list[Opened]:
    calendar = await calendars.current(uow.sql)
    opened = await _decided(uow, new, calendar)
    await _write(uow, opened, calendar)
    await note_days(uow, {one.report.received_at for one in opened if one.report.kind == "complaint"})
    await clocks.start(uow, [one for one in opened if _is_timed(one)], calendar)
    imports = [one.report for one in opened if one.report.imported]
    if imports:
        known = await timeline(uow.sql)
        horizon = uow.now if known is Timeline.REAL else None
        await dispatching.dispatch_imports(uow, imports, await staff.roster(uow.sql), horizon)
    await severity.raise_matter(uow, opened)
    return opened


def _is_answered(one: Opened) -> bool:
    # A group case of the radar has no complainant who waits for a result.
    return one.report.kind != "cluster"


def _is_timed(one: Opened) -> bool:
    # No date of an answer is known of an import: its result clock would run for ever, so that it is not armed.
    return not one.report.imported and one.report.kind in WITH_RESULT_CLOCK


async def _unknown(uow: UnitOfWork, reports: Sequence[Report]) -> tuple[list[Report], list[Report]]:
    """The reports of cases nobody has heard of, of two in one batch the first; and those that contradict a known one."""
    rows = await uow.sql.fetch(
        "SELECT case_id, fingerprint, erased_at FROM cases WHERE case_id = ANY($1::uuid[])",
        [one.case_id for one in reports],
    )
    known: dict[UUID, bytes | None] = {row["case_id"]: row["fingerprint"] for row in rows}
    erased = {row["case_id"] for row in rows if row["erased_at"]}
    new: list[Report] = []
    differing: list[Report] = []
    for one in reports:
        if one.case_id not in known:
            known[one.case_id] = one.fingerprint
            new.append(one)
        elif one.case_id not in erased and known[one.case_id] != one.fingerprint:
            differing.append(one)
    return new, differing


async def _conflict(uow: UnitOfWork, report: Report) -> None:
    """The first stays; the other content waits for an operator, once. Its words are masked as a case's are [C29]."""
    identity, fingerprint = f"{report.system}/{report.external_ref}", report.fingerprint.hex()
    offered = msgspec.to_builtins(report, enc_hook=encode_custom)
    [words] = await taken_in(uow.database.keyring, [Said(report.case_id, report.words)])
    original = base64.b64encode(words.original).decode() if words.original else None
    offered |= {"words": words.masked, "original": original, "fingerprint": fingerprint, "name": None, "phone": None}
    known = await uow.sql.fetchval(
        "SELECT to_jsonb(c) - 'original' - 'fingerprint' FROM cases c WHERE case_id = $1", report.case_id
    )
    kind = FindingRaised.type if report.kind == "conduct" else ComplaintReceived.type
    conflict = conflicts.Conflict(kind, report.key, identity, known, offered)
    await conflicts.note(uow, [conflict], content=lambda one: str(one["fingerprint"]))


async def _decided(uow: UnitOfWork, reports: Sequence[Report], calendar: Calendar) -> list[Opened]:
    policies = await uow.policies(Policies)
    due_days: dict[tuple[Limit, datetime], date] = {}
    found = []
    words = await taken_in(
        uow.database.keyring,
        [Said(one.case_id, one.words, (one.category, one.product, *one.attributes.values())) for one in reports],
    )
    for one, said in zip(reports, words, strict=True):
        limits = policies.limits.on(business_date(one.received_at)).body
        severity, reason = await _severity(uow, one, limits)
        limit = result_limit(one.source, severity, one.reply_due_on, limits)
        name = (limit, one.received_at)
        if name not in due_days:
            due_days[name] = due_day(limit, one.received_at, calendar)
        found.append(Opened(one, severity, reason, due_days[name], limit, said))
    return found


async def _severity(uow: UnitOfWork, report: Report, limits: Limits) -> tuple[str, str]:
    """As given; else by the rules. Clusters raise alarms but never the severity of an import [C7]."""
    if report.severity is not None:
        return report.severity, "given"
    same = report.complainants
    if not report.imported and (report.product or report.employee):
        same += await uow.sql.fetchval(
            """SELECT count(DISTINCT key) FROM cases
               WHERE branch_id = $1 AND received_at > $2::timestamptz - make_interval(days => $3) AND received_at <= $2
                 AND kind = 'complaint' AND key <> $6
                 AND ((product = $4 AND category = $7) OR employee = $5)""",
            report.branch_id,
            report.received_at,
            limits.same_matter_days,
            report.product,
            report.employee,
            report.key,
            report.category,
        )
    return severity_of(Claimed(report.source, report.allegations, report.claim, same, report.public_risk), limits)


def _to_call_back(one: Opened, calendar: Calendar) -> datetime | None:
    """Who complains out of hours is called on the next working day [C8]."""
    owed = not one.report.imported and one.report.kind in WITH_COMPLAINANT
    return one.report.received_at if owed and not calendar.is_reception(one.report.received_at) else None


async def _write(uow: UnitOfWork, opened: Sequence[Opened], calendar: Calendar) -> None:
    contacts = iter(
        await uow.database.keyring.seal(
            [
                Value(owner_of(one.report.case_id), name, getattr(one.report, name))
                for one in opened
                for name in ("name", "phone")
            ]
        )
    )
    rows: list[tuple[Any, ...]] = []
    steps: list[history.CaseStep] = []
    events: list[CaseOpened] = []
    for one in opened:
        r = one.report
        order = r.flow == "centre" and r.kind == "complaint"
        rows.append(
            (
                r.case_id, r.system, r.external_ref, r.client_id, r.key, r.branch_id, r.kind, r.source, r.channel,
                r.flow, one.severity, r.category, one.state, r.owner, r.received_at, business_date(r.received_at),
                dispatch_due(r.received_at) if order else None, one.due_on if _is_answered(one) else None,
                one.words.masked, one.words.original,
                r.product, r.employee, r.script, r.claim, list(r.allegations), r.complainants, r.regulator_ref,
                r.reply_due_on, sorted({*r.concerned, *([r.employee] if r.employee else [])}), r.restricted,
                r.imported, dict(r.attributes), r.contact_channel, r.priority, uow.actor.person, r.fingerprint,
                _to_call_back(one, calendar), *(text.encode() if text else None for text in islice(contacts, 2)),
            )
        )  # fmt: skip
        detail = {"owner": r.owner} | ({"severity": one.severity, "reason": one.reason} if one.reason else {})
        steps.append(history.CaseStep(r.case_id, "received", one.state, r.received_at, detail, history.EVERYBODY))
        events.append(
            CaseOpened(
                case_id=str(r.case_id), client_id=r.client_id, branch_id=r.branch_id, kind=r.kind, source=r.source,
                channel=r.channel, flow=r.flow, severity=one.severity, owner=r.owner,  # type: ignore[arg-type]
                received_at=r.received_at, restricted=r.restricted,
            )
        )  # fmt: skip
    await uow.sql.copy_records_to_table("cases", records=rows, columns=_COLUMNS)
    await uow.sql.copy_records_to_table(
        "case_words",
        records=[(one.report.case_id, one.report.received_at, one.words.grams) for one in opened],
        columns=("case_id", "received_at", "grams"),
    )
    await history.first(uow, steps)
    for event in events:
        uow.emit(event, at=event.received_at)


_COLUMNS = (
    "case_id", "system", "external_ref", "client_id", "key", "branch_id", "kind", "source", "channel",
    "flow", "severity", "category", "state", "owner", "received_at", "received_on",
    "dispatch_due", "due_on", "words", "original",
    "product", "employee", "script", "claim", "allegations", "complainants", "regulator_ref",
    "reply_due_on", "concerned", "restricted",
    "imported", "attributes", "contact_channel", "priority", "opened_by", "fingerprint", "to_tell_since", "contact_name", "contact_phone",
)  # fmt: skip


async def note_days(uow: UnitOfWork, instants: set[datetime]) -> None:
    """Cases of closed days come late: their clusters are looked at again."""
    await uow.sql.execute(
        """INSERT INTO radar_due SELECT d FROM unnest($1::date[]) d
           WHERE d <= (SELECT through FROM closed_days) ON CONFLICT DO NOTHING""",
        sorted({business_date(at) for at in instants}),
    )


async def registered_late(uow: UnitOfWork, report: Report) -> None:
    """A branch registers what it was told on the same day [C3]; in a simulated home nobody knows when it did."""
    due = dispatch_due(report.received_at)
    if report.flow != "on_site" or uow.now < due or await timeline(uow.sql) is not Timeline.REAL:
        return
    case = (await cases.of(uow, [report.case_id]))[report.case_id]
    await history.add(uow, [history.CaseStep(report.case_id, "registration breached", case.state, due)])
    uow.emit(cases.breach(case, "registration", due), at=due)
