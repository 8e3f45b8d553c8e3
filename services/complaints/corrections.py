"""An operator accepts the other content a known complaint came again with: the case is put right, its history stays.

What the other content leaves empty stays as known. Kind and flow are fixed at intake [C3], and so is the instant from
which a result clock runs; owner and state are what became of the case here. A new date of a regulator moves the clock.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from chassis import calendars, staff
from chassis.clock import business_date, end_of
from chassis.clocks import Extension, Promise, State, Until, store
from chassis.clocks.limits import mapping_of
from chassis.clocks.store import New
from chassis.deadlines import cancel
from chassis.errors import Conflict, Text
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.base import Registry, decode_custom
from contracts.broker import ComplaintReceived
from services.complaints import cases, clocks, correcting, dispatching, intake, severity
from services.complaints.policy import Policies
from services.complaints.report import Report
from services.complaints.rules import OVER, dispatch_due, dispatch_met, due_day, result_limit
from services.complaints.tables import CaseRow
from services.complaints.words import codes_of, grams_of

_TYPED = Registry([ComplaintReceived])
_TAKEN_OVER = (
    "client_id", "branch_id", "source", "channel", "category", "product", "employee", "script", "claim", "regulator_ref",
    "reply_due_on", "allegations", "attributes",
)  # fmt: skip


class Uncorrectable(Conflict):
    """The other content differs in what cannot be put right in a case on its way; `differs` names it."""

    title = Text("Fixed at intake", "登记时已确定，不可更改")


async def accept(events: Sequence[ComplaintReceived], uow: UnitOfWork) -> None:
    """Put the content of accepted conflicts in place of what is known.

    Raises: Uncorrectable, Erased.
    """
    for event in events:
        offered = await _offered(uow, event)
        case = (await cases.of(uow, [event.case_id]))[event.case_id]  # a conflict is kept beside a known case only
        if case.erased_at:
            raise cases.Erased(erased_at=case.erased_at.isoformat())
        await _put_right(uow, case, offered)


async def _offered(uow: UnitOfWork, event: ComplaintReceived) -> Mapping[str, Any]:
    """The whole of what was offered, of which the event is a part."""
    rows = await uow.sql.fetch(
        "SELECT offered FROM conflicts WHERE type = $1 AND identity = $2 AND decision IS NULL ORDER BY id",
        ComplaintReceived.type,
        f"{event.system}/{event.external_ref}",
    )
    found: Mapping[str, Any] = next(
        row["offered"]
        for row in rows
        if _TYPED.decode(ComplaintReceived.type, msgspec.json.encode(row["offered"])) == event
    )
    return found


async def _put_right(uow: UnitOfWork, case: CaseRow, offered: Mapping[str, Any]) -> None:
    report = msgspec.convert(
        {name: value for name, value in offered.items() if name not in {"original", "fingerprint"}},
        Report,
        dec_hook=decode_custom,
    )
    _require_correctable(case, report)
    fresh: dict[str, Any] = {}
    for name in _TAKEN_OVER:
        value = getattr(report, name)
        value = list(value) if name == "allegations" else value
        if value and value != getattr(case, name):
            fresh[name] = value
    if report.complainants > case.complainants:
        fresh["complainants"] = report.complainants
    if report.imported and report.severity and report.severity != case.severity:
        fresh["severity"] = report.severity
    if "client_id" in fresh:
        fresh["key"] = report.key
        await clocks.move(uow, case, report.key)
    if "employee" in fresh:
        fresh["concerned"] = sorted({*case.concerned, report.employee})
    if report.received_at != case.received_at:
        fresh |= {"received_at": report.received_at, "received_on": business_date(report.received_at)}
        if case.dispatch_due:
            fresh["dispatch_due"] = dispatch_due(report.received_at)
    differing = sorted(fresh)
    if report.words and report.words != case.words:
        differing.append("words")
        original = base64.b64decode(offered["original"]) if offered["original"] else None
        fresh |= {"words": report.words, "original": original}
    fresh["fingerprint"] = bytes.fromhex(offered["fingerprint"])
    detail = {"fields": differing} | ({"severity": fresh["severity"]} if "severity" in fresh else {})
    before, case = case, await cases.change(uow, case, "corrected", uow.now, detail=detail, **fresh)
    if not fresh.keys().isdisjoint(correcting.CORRECTABLE):
        await correcting.tell(uow, before, case, uow.now)
    text = " ".join(filter(None, (case.words, case.category, case.product, *case.attributes.values())))
    await uow.sql.execute(
        "UPDATE case_words SET grams = $2, received_at = $3 WHERE case_id = $1",
        case.case_id,
        codes_of(grams_of(text)),
        case.received_at,
    )
    await intake.note_days(uow, {case.received_at})
    case = await _move_due(uow, case, report)
    if not report.imported and case.state not in OVER:
        await severity.consider(uow, case, uow.now, "accepted content", public_risk=report.public_risk)
    if report.imported:
        await _dispatch(uow, case, report)


def _require_correctable(case: CaseRow, report: Report) -> None:
    differs = [name for name in ("kind", "flow") if getattr(report, name) != getattr(case, name)]
    if report.received_at != case.received_at and not case.imported:
        differs.append("received_at")
    if differs:
        raise Uncorrectable(differs=differs)


async def _move_due(uow: UnitOfWork, case: CaseRow, report: Report) -> CaseRow:
    """The result is due on the date that counts now; a promise stays, and an import's day is only worked out."""
    object_ = clocks.object_of(case.case_id, case.generation)
    kept = (await store.load(uow.sql, [object_])).get((object_, clocks.RESULT))
    calendar = await calendars.current(uow.sql)
    policies = await uow.policies(Policies)
    limits = policies.limits.on(business_date(case.received_at)).body
    limit = result_limit(case.source, case.severity, case.reply_due_on, limits)
    if kept is None:
        return await _set_due(uow, case, due_day(limit, case.received_at, calendar)) if case.due_on else case
    reading = kept.read(calendar)
    asked = report.reply_due_on is not None and case.generation == 1
    if not asked or reading.state is State.STOPPED or any(isinstance(entry, Promise) for entry in kept.entries):
        return case
    assert case.reply_due_on is not None
    due = end_of(case.reply_due_on)
    if reading.due == due:
        return case
    if reading.state is State.PAUSED:
        raise Uncorrectable(
            Text("the case waits: note the answer first", "案件暂停中，请先登记答复"), differs=["reply_due_on"]
        )
    detail = {"by": mapping_of(Until(due)), "reason": "accepted content"}
    await store.append(uow, [New(object_, clocks.RESULT, Extension, uow.now, detail)])
    return await _set_due(uow, case, business_date(due - timedelta.resolution))


async def _set_due(uow: UnitOfWork, case: CaseRow, due_on: date) -> CaseRow:
    await uow.sql.execute("UPDATE cases SET due_on = $2 WHERE case_id = $1", case.case_id, due_on)
    return msgspec.structs.replace(case, due_on=due_on)


async def _dispatch(uow: UnitOfWork, case: CaseRow, report: Report) -> None:
    """An import's order went out when the accepted content says."""
    if report.dispatched_at is None or case.dispatch_due is None:
        return
    at = max(report.dispatched_at, report.received_at)
    if case.dispatched_at is None:
        place = f"case/{case.case_id}"
        await cancel(uow, [("dispatch", place), ("send", place)])
        horizon = uow.now if await timeline(uow.sql) is Timeline.REAL else None
        await dispatching.dispatch_imports(uow, [report], await staff.roster(uow.sql), horizon)
        return
    await uow.sql.execute(
        "UPDATE cases SET dispatched_at = $2, dispatch_met = $3 WHERE case_id = $1",
        case.case_id,
        at,
        dispatch_met(at, case.received_at),
    )
    await uow.sql.execute("UPDATE tickets SET issued_at = $2 WHERE case_id = $1 AND generation = 1", case.case_id, at)
