"""Events in: facts are kept; what one event alone asks for becomes a task at once, the rest is found by the closes."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from chassis import calendars
from chassis.clock import business_date, end_of
from chassis.clocks import WorkingDays
from chassis.deadlines import arm
from chassis.replans import limited
from chassis.uow import UnitOfWork
from contracts.base import Event
from contracts.broker import (
    CallMissed,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    ClosingRequested,
    EnquiryReceived,
    OpeningBooked,
    PermissionRequested,
    SurveillanceAlerted,
)
from contracts.classification import GroupChanged, LifecycleChanged, TierChanged
from contracts.complaints import CaseCorrected, CaseFeedback, ChurnSignalled
from contracts.messaging import AddressFailed
from contracts.relationships import ProfileChanged
from contracts.suitability import AssessmentCompleted, AssessmentExpiring, DecisionConfirmed
from services.callbacks import alarms, asking, callers, contacts, ending, intervals, moments, notices, tasks
from services.callbacks.obligations import Obligation, obligations_by_facts
from services.callbacks.rules import OPEN, task_id

OF_THEIR_BRANCH = ("satisfaction", "missed_call", "booking", "enquiry")
"""Rules whose tasks are the branch's that the event names: the case's, and who was asked first [C8]. All others are whose the
client is now."""
EVEN_CLOSED = ("satisfaction", callers.RULE)
"""Rules that hold for former clients too: how their complaint ended, and whoever calls us is called back [C11, C24]."""
THE_SAME_DAY = WorkingDays(0)
"""An enquiry is answered on the working day it counts to, in principle [B14]."""


async def open_clients(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """New clients: their profile, the training call owed [B3], the two messages [B12]."""
    since = await contacts.keep(uow, events, uow.records(ClientOpened))
    await tasks.place(uow, sorted(since))
    await asking.welcome(uow, events)
    first: date | None = await uow.sql.fetchval("SELECT first FROM closed_days")
    if first is None:
        return  # the first close finds them
    new = [client for client, day in since.items() if day >= first]
    if new:
        last = max(max(since[client] for client in new), first)
        owed = await obligations_by_facts(uow, first, last, new)
        await tasks.make(uow, [one for one in owed if one.rule == "new"])
    passed = zip(events, uow.passed(ClientOpened), strict=True)
    await intervals.mark_late(uow, [e.client_id for e, day in passed if day is not None and e.opened_on <= day])


async def update_clients(events: Sequence[ClientUpdated], uow: UnitOfWork) -> None:
    """Changed profiles; a task waiting for its branch gets it, a new client who can be written to at last the messages."""
    since = await contacts.keep(uow, events, uow.records(ClientUpdated))
    await tasks.place(uow, sorted(since))
    await asking.welcome(uow, events)
    if new := sorted({event.client_id for event in events if event.sealed.get("phone")}):
        await ending.go_on(uow, new, max(record.time for record in uow.records(ClientUpdated)))


async def change_contact_data(events: Sequence[ProfileChanged], uow: UnitOfWork) -> None:
    """Contact data that was entered elsewhere: our copy follows, and who can be written to at last gets the messages [CI2, B12]."""
    await contacts.keep(uow, events, uow.records(ProfileChanged))
    await asking.welcome(uow, events)
    if new := sorted({event.client_id for event in events if event.sealed.get("phone")}):
        await ending.go_on(uow, new, max(record.time for record in uow.records(ProfileChanged)))


async def close_clients(events: Sequence[ClientClosed], uow: UnitOfWork) -> None:
    """A closed account is owed nothing more; the earliest word on its date counts."""
    first: dict[str, date] = {}
    for event in events:
        first[event.client_id] = min(event.closed_on, first.get(event.client_id, event.closed_on))
    clients = sorted(first)
    await uow.sql.execute(
        """INSERT INTO clients AS c (client_id, closed_on) SELECT * FROM unnest($1::text[], $2::date[])
           ON CONFLICT (client_id) DO UPDATE SET closed_on = least(c.closed_on, excluded.closed_on)""",
        clients,
        [first[client] for client in clients],
    )
    await intervals.mark_late(uow, await ending.cancel_closed(uow, first, waits=False))


async def note_groups(events: Sequence[GroupChanged], uow: UnitOfWork) -> None:
    """Groups as stretches of days [K7]; the closes make tasks of them."""
    await intervals.keep_groups(events, uow)


async def note_tiers(events: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Tiers as stretches of days; a rise is greeted, any change is a moment."""
    await intervals.keep_tiers(events, uow)
    await moments.change_tiers(uow, events)


async def note_lifecycles(events: Sequence[LifecycleChanged], uow: UnitOfWork) -> None:
    """Each entry into a lifecycle stage asks for its standard action [A18]."""
    await moments.enter_stages(uow, events)


async def note_assessments(events: Sequence[AssessmentCompleted], uow: UnitOfWork) -> None:
    """Assessments: the one in force 30 days before its end is owed a reminder."""
    await intervals.keep_assessments(events, uow)
    await asking.drop_reminders(uow, events)


async def ask_for_satisfaction(events: Sequence[CaseFeedback], uow: UnitOfWork) -> None:
    """The centre asks how satisfied the complainant is, once for each feedback [C11]."""
    await _one_each(uow, CaseFeedback, [_satisfaction(e, e.fed_back_at) for e in events if not e.restricted])


async def follow_corrections(events: Sequence[CaseCorrected], uow: UnitOfWork) -> None:
    """A case had another client or branch: who was not the complainant is not called, who is, is, within the same limit."""
    told = [e for e in events if not e.restricted]
    await ending.withdraw_asked(uow, {(e.case_id, e.key): e.corrected_at for e in told if e.under == "old"})
    right = [e for e in told if e.under == "new"]
    await _one_each(uow, CaseCorrected, [_satisfaction(e, e.fed_back_at) for e in right if e.fed_back_at])
    await uow.sql.execute(
        """UPDATE tasks t SET branch_id = n.branch_id, revision = t.revision + 1
           FROM unnest($1::text[], $2::text[], $3::text[]) AS n(subject, client_id, branch_id)
           WHERE t.rule = 'satisfaction' AND t.subject = n.subject AND t.client_id = n.client_id
             AND t.branch_id IS DISTINCT FROM n.branch_id AND t.ended_on IS NULL""",
        [e.case_id for e in right],
        [e.key for e in right],
        [e.branch_id for e in right],
    )


def _satisfaction(e: CaseFeedback | CaseCorrected, fed_back_at: datetime) -> Obligation:
    cause = {"case": e.case_id, "generation": e.generation, "fed_back_at": fed_back_at}
    return _owed(
        e, fed_back_at, "satisfaction", f"{e.case_id}/{e.generation}", cause,
        subject=e.case_id, concerned=tuple(e.concerned),
    )  # fmt: skip


async def notice_permissions(events: Sequence[PermissionRequested], uow: UnitOfWork) -> None:
    """High-risk permissions: a notice to those for whom it is risky [B7]."""
    await notices.consider(uow, events)


async def follow_alerts(events: Sequence[SurveillanceAlerted], uow: UnitOfWork) -> None:
    """Abnormal trading or funds: a call within 2 trading days; suspected laundering goes to compliance only [B6]."""
    await _one_each(
        uow,
        SurveillanceAlerted,
        [
            _owed(
                e, e.at, "suspected_laundering" if e.kind == "laundering" else "surveillance", e.alert_id,
                {"alert": e.alert_id, "kind": e.kind}, subject=None,
            )
            for e in events
        ],
    )  # fmt: skip


async def return_missed_calls(events: Sequence[CallMissed], uow: UnitOfWork) -> None:
    """A call nobody answered is returned within 30 working minutes; calls of one number are one task [C24]."""
    calls = await callers.join(uow, events)
    await _one_each(uow, CallMissed, [_owed(e, e.at, callers.RULE, e.call_id, cause) for e, cause in calls.own])
    await contacts.keep_caller_data(uow, events, calls.served_by, calls.numbers)


async def follow_bookings(events: Sequence[OpeningBooked], uow: UnitOfWork) -> None:
    """A booked opening has a named owner and is followed within 2 working hours [B16]."""
    owed = [_owed(e, e.at, "booking", e.booking_id, {"at": e.at, "owner": e.owner}, owner=e.owner) for e in events]
    await _one_each(uow, OpeningBooked, owed)
    await contacts.keep_caller_data(uow, events)


async def answer_enquiries(events: Sequence[EnquiryReceived], uow: UnitOfWork) -> None:
    """An enquiry by e-mail has two clocks: the same day in principle, 2 working days at most [B14]."""
    calendar = await uow.cached(calendars.current)
    targets = {e.enquiry_id: THE_SAME_DAY.first_due(e.at, calendar) for e in events}
    owed = [
        _owed(
            e, e.at, "enquiry", e.enquiry_id, {"at": e.at, "target": targets[e.enquiry_id]},
            created_on=calendar.reception_day(e.at),
        )
        for e in events
    ]  # fmt: skip
    made = await _one_each(uow, EnquiryReceived, owed)
    await arm(
        uow,
        [
            limited(alarms.TARGET, f"task/{key}", one.client_id, THE_SAME_DAY, one.begun_at, calendar)
            for key, one in made.items()
            if one.begun_at is not None
        ],
    )


async def call_back_after_confirmations(events: Sequence[DecisionConfirmed], uow: UnitOfWork) -> None:
    """Whoever insisted on a product above their level, or of high risk with care owed, is called back, once each [Art. 20]."""
    await _one_each(
        uow,
        DecisionConfirmed,
        [
            _owed(e, e.confirmed_at, "risky_purchase", e.decision_id, {"decision": e.decision_id, "product": e.product})
            for e in events
        ],
    )


async def remind_of_assessments(events: Sequence[AssessmentExpiring], uow: UnitOfWork) -> None:
    """A message 30, 7 and 1 days before an assessment ends, next to the task [B21]."""
    await asking.remind(uow, events)
    await moments.near_the_end(uow, events)


async def care_for_grumblers(events: Sequence[ChurnSignalled], uow: UnitOfWork) -> None:
    """A care call for who grumbled twice in 30 days, or once from platinum on: once for each signal [A33]."""
    await _one_each(
        uow,
        ChurnSignalled,
        [
            _owed(
                e, e.signalled_at, "grumble", str(e.signal_id),
                {"signal": str(e.signal_id), "reason": e.reason, "mood": e.mood},
            )
            for e in events
        ],
    )  # fmt: skip


async def ask_for_contact_data(events: Sequence[AddressFailed], uow: UnitOfWork) -> None:
    """An address does not work: contact data are asked for, unless they are being asked for already [B20, MS13]."""
    open_ones = await uow.sql.fetch(
        "SELECT client_id FROM tasks WHERE client_id = ANY($1::text[]) AND rule = 'contact_data' AND state = ANY($2::text[])",
        sorted({e.client_id for e in events}),
        list(OPEN),
    )
    busy, first = {client_id for (client_id,) in open_ones}, dict[str, AddressFailed]()
    for e in events:
        if e.client_id not in busy:
            first.setdefault(e.client_id, e)
    if first:
        await _one_each(
            uow,
            AddressFailed,
            [
                _owed(
                    e, e.at, "contact_data", f"{e.channel}/{e.message_id}",
                    {"channel": e.channel, "reason": e.reason, "message": str(e.message_id)},
                )
                for e in first.values()
            ],
        )  # fmt: skip


async def retain_leaving_clients(events: Sequence[ClosingRequested], uow: UnitOfWork) -> None:
    """One retention contact a request; the request itself is never held up by it [A20]."""
    await _one_each(
        uow,
        ClosingRequested,
        [
            _owed(
                e, end_of(e.requested_on), "retention", e.requested_on.isoformat(),
                {"requested_on": e.requested_on, "blocks_the_exit": False},
                created_on=e.requested_on, found_on=e.requested_on, subject=None,
            )
            for e in events
        ],
    )  # fmt: skip


def _owed(e: Event, at: datetime, rule: str, period: str, cause: dict[str, Any], **otherwise: Any) -> Obligation:
    """What an event asks for from an instant on: for its client and branch, about what `period` names; or `otherwise`."""
    day = business_date(at)
    owed = Obligation(
        client_id=e.key, rule=rule, period=period, created_on=day, found_on=day,
        branch_id=getattr(e, "branch_id", None), cause=cause, subject=period, begun_at=at,
    )  # fmt: skip
    return replace(owed, **otherwise)


async def _one_each(uow: UnitOfWork, kind: type, owed: Sequence[Obligation]) -> dict[UUID, Obligation]:
    """Make tasks that one event each asks for, with the branch of the client; the limit runs from the event.

    Returns those that are new, by their ids.
    """
    uow.happened_at = max(record.time for record in uow.records(kind))
    rows = await uow.sql.fetch(
        "SELECT client_id, branch_id, closed_on FROM clients WHERE client_id = ANY($1::text[])",
        [one.client_id for one in owed],
    )
    known = {row["client_id"]: row for row in rows}
    wanted: dict[UUID, Obligation] = {}
    for one in owed:
        row = known.get(one.client_id)
        if row and row["closed_on"] and row["closed_on"] <= one.created_on and one.rule not in EVEN_CLOSED:
            continue
        where_now = row["branch_id"] if row else None
        branch = (one.branch_id or where_now) if one.rule in OF_THEIR_BRANCH else (where_now or one.branch_id)
        wanted.setdefault(task_id(one.rule, one.client_id, one.period), replace(one, branch_id=branch))
    return {key: wanted[key] for key in await tasks.make(uow, wanted.values())}
