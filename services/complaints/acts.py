"""The table of acts of a case: who may do what from which state, and what follows [C3, C4, C6, C8, C10, C11, C13, C23, C27].

Every change of a case's state is a row here, whoever makes it: people, events, deadlines.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from uuid_utils import uuid7

from chassis import calendars, staff
from chassis.actor import Actor, Role
from chassis.acts import (
    EVERY,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    PLATFORM_ITSELF,
    Act,
    Aggregate,
    ClockKind,
    Doing,
    Earlier,
    acts,
    pause,
    promised,
    resume,
    start,
    stop,
)
from chassis.approvals import by
from chassis.clocks import Promise, WorkingDays, store
from chassis.deadlines import Deadline, arm, cancel
from chassis.errors import FieldError, Invalid, NotFound, Text
from chassis.replans import limited
from chassis.staff import COMPLIANCE as COMPLIANCE_SEAT
from chassis.staff import GENERAL_MANAGER, HQ, OPERATIONS_CENTRE, Holder
from chassis.uow import UnitOfWork
from contracts.complaints import CaseAccepted, CaseClosed, CaseDispatched, CaseFeedback, CaseReopened, SuggestionAdopted
from services.complaints import clocks, contact_duties, correcting, forms, relations, severity, telling
from services.complaints.cases import limits_of, naming, refused_owner, sight
from services.complaints.history import BRANCH, CENTRE, CLIENT, COMPLIANCE, EVERYBODY, STAFF
from services.complaints.people import (
    CENTRE_STAFF,
    COMPLIANCE_OFFICER,
    CONDUCT,
    ERASED,
    GROUP,
    GROUP_CASE,
    MAJOR,
    MANAGER,
    OFFERED,
    ORDERED,
    OWN_CLIENT,
    OWNER,
    PHONED,
    REGULATOR,
    SUPERVISOR,
    THIRD_PARTY_OVER,
)
from services.complaints.reporting import Notice, notify
from services.complaints.rules import (
    ACCEPTED,
    CALLING,
    CLOSED,
    CUSTOMER,
    DISPATCHED,
    INVESTIGATING,
    OVER,
    RECEIVED,
    REJECTED,
    REOPENED,
    THIRD_PARTY,
    WAITING,
    WITHDRAWN,
    dispatch_due,
    dispatch_met,
    ladder_name,
    result_limit,
)
from services.complaints.seats import EmptySeat, Group, conduct_holder, group_of, judges_conduct
from services.complaints.tables import CaseRow

Doings = Sequence[Doing[CaseRow]]
HIGHEST_LEVEL = 2


class SentTo(BaseModel, arbitrary_types_allowed=True):
    """Who received an order that the platform sends."""

    group: Group


class Ended(BaseModel):
    """What a case ends with."""

    outcome: str


class NewOwner(BaseModel, arbitrary_types_allowed=True):
    """Who owns a leaver's case from now on."""

    left: str
    holder: Holder


def audiences(actor: Actor, case: CaseRow) -> frozenset[str]:
    """Whose steps the caller reads."""
    if actor.role is Role.CLIENT:
        return frozenset({CLIENT})
    if actor.role is Role.COMPLIANCE or (case.restricted and judges_conduct(actor)):
        return frozenset({CLIENT, BRANCH, CENTRE, COMPLIANCE})
    return frozenset({CLIENT, BRANCH, CENTRE} if actor.sees_all_branches or actor.is_centre else {CLIENT, BRANCH})


def clock_object(case: CaseRow) -> str:
    """A reopened case has clocks of its own [C23]."""
    return clocks.object_of(case.case_id, case.generation)


async def begin_result(uow: UnitOfWork, case: CaseRow, at: datetime) -> store.Clock:
    """The result clock of a generation after the first: a date a regulator gave was for the first answer."""
    limit = result_limit(case.source, case.severity, None, await limits_of(uow, at))
    name = ladder_name(case.kind, case.source, case.severity)
    return await clocks.result_clock(uow, case.case_id, case.generation, case.key, limit, at, name)


async def begin_report(uow: UnitOfWork, case: CaseRow, at: datetime) -> store.Clock:
    """The report clock [C7]."""
    return await clocks.report_clock(uow, case.case_id, case.generation, case.key, at)


CASE = Aggregate[CaseRow](
    name="case",
    table="cases",
    id="case_id",
    row=lambda record: CaseRow(**record),
    states=(
        RECEIVED, ACCEPTED, DISPATCHED, INVESTIGATING, CUSTOMER, THIRD_PARTY, CALLING, CLOSED, WITHDRAWN, REJECTED,
        REOPENED,
    ),
    begins=(RECEIVED, ACCEPTED),
    final=OVER,
    waiting=WAITING,
    sight=sight,
    audiences=audiences,
    concerned="concerned",
    clocks=(
        ClockKind(clocks.RESULT, begin_result, pausable=True, promises=2, signs=MANAGER),
        ClockKind(clocks.REPORT, begin_report),
    ),
    clock_object=clock_object,
    due=(clocks.RESULT, "due_on"),
    parse=UUID,
    moved=telling.owe,
)  # fmt: skip


async def own(uow: UnitOfWork, doings: Doings) -> None:
    """Whoever accepts owns it from now on, and nobody else is asked."""
    for one in doings:
        one.columns |= {"owner": uow.actor.person, "offered_to": None}


async def tell_accepted(uow: UnitOfWork, doings: Doings) -> None:
    """The owner took it in hand."""
    for one in doings:
        uow.emit(CaseAccepted(**naming(one.row), owner=one.row.owner, accepted_at=one.at), at=one.at)


async def name_other(uow: UnitOfWork, doings: Doings) -> None:
    """Somebody else who is there, and whom the case is not about [C8, C28]."""
    roster = await staff.roster(uow.sql)
    for one in doings:
        to = one.body.to
        if to in one.before.concerned:
            raise refused_owner("/to")
        if to in (one.before.owner, uow.actor.person):
            raise Invalid(errors=(FieldError("/to", "is the owner, or yourself: name somebody else"),))
        if not roster.is_present(to, one.at):
            raise Invalid(errors=(FieldError("/to", "is not there: unknown, away or left"),))
        one.detail["to"] = to


async def offer(uow: UnitOfWork, doings: Doings) -> None:
    """It is offered."""
    await name_other(uow, doings)
    for one in doings:
        one.columns["offered_to"] = one.body.to


async def assign(uow: UnitOfWork, doings: Doings) -> None:
    """Another owns it from now on."""
    await name_other(uow, doings)
    for one in doings:
        one.columns |= {"owner": one.body.to, "offered_to": None}
        one.detail["reason"] = one.body.reason


async def tell_both(uow: UnitOfWork, doings: Doings) -> None:
    """Who owned it and who owns it now are told [C8]."""
    await notify(
        uow,
        [
            Notice(
                one.id, one.row.generation, "owner", f"assigned: {one.row.revision}", to, "owner", [to], False, one.at
            )
            for one in doings
            for to in (one.before.owner, one.row.owner)
        ],
    )


async def pass_on(_: UnitOfWork, doings: Doings) -> None:
    """A leaver's case goes on to somebody else, and what was offered to them is offered no more [C8, C28]."""
    for one in doings:
        new: NewOwner = one.body
        one.columns |= {"owner": new.holder.staff_id, "offered_to": None}
        one.detail |= {"left": new.left, "owner": new.holder.staff_id}


async def tell_successor(uow: UnitOfWork, doings: Doings) -> None:
    """Who owns it now is told."""
    notices = []
    for one in doings:
        to: Holder = one.body.holder
        notices.append(
            Notice(
                one.id, one.row.generation, "owner", "owner left", to.staff_id, to.seat, list(to.path), to.for_conflict,
                one.at,
            )
        )  # fmt: skip
    await notify(uow, notices)


async def lapse_offer(_: UnitOfWork, doings: Doings) -> None:
    """Whom it was offered to has left."""
    for one in doings:
        one.columns["offered_to"] = None
        one.detail["left"] = one.body.left


async def order(uow: UnitOfWork, doings: Doings) -> None:
    """The supervision ticket goes to filled seats or named deputies: without them the branch receives none [C4, C5]."""
    roster = await staff.roster(uow.sql)
    tickets = []
    for one in doings:
        case = one.before
        if isinstance(one.body, SentTo):
            group = one.body.group
        else:
            group = group_of(roster, case.branch_id, one.at, case.concerned)
            one.detail["addressees"] = group.rows()
        if group.missing:
            raise EmptySeat(seats=list(group.missing))
        one.columns |= {"ordered_in": case.generation, "dispatch_wanted_at": None}
        if case.generation == 1:  # the day of receipt is the first order's alone
            one.columns |= {"dispatched_at": one.at, "dispatch_met": dispatch_met(one.at, case.received_at)}
        by_person = not isinstance(one.body, SentTo)
        phone_due = dispatch_due(one.at) if by_person else None
        tickets.append((one.id, case.generation, case.branch_id, one.at, uow.actor.person, group.rows(), phone_due))
    await uow.sql.copy_records_to_table(
        "tickets",
        records=tickets,
        columns=("case_id", "generation", "branch_id", "issued_at", "issued_by", "addressees", "phone_due"),
    )


async def tell_ordered(uow: UnitOfWork, doings: Doings) -> None:
    """The order is out; the general manager is to be told of it by phone the same day, of one a person sent [C4]."""
    await cancel(uow, [("dispatch", CASE.named(one.id)) for one in doings])
    await arm(
        uow,
        [
            Deadline("phone", CASE.named(one.id), one.row.key, dispatch_due(one.at))
            for one in doings
            if not isinstance(one.body, SentTo)
        ],
    )
    for one in doings:
        uow.emit(
            CaseDispatched(**naming(one.row), dispatched_at=one.at, met=dispatch_met(one.at, one.row.received_at)),
            at=one.at,
        )


async def note_phone(uow: UnitOfWork, doings: Doings) -> None:
    """The general manager was told: who, when, the recording [C4]."""
    roster = await staff.roster(uow.sql)
    for one in doings:
        case, body = one.before, one.body
        if not roster.stands_in_for(body.to, case.branch_id, GENERAL_MANAGER, one.at):
            error = FieldError("/to", "is not the branch's general manager, nor stands in for them")
            raise Invalid(errors=(error,))
        await uow.sql.execute(
            """UPDATE tickets SET phoned_at = $3, phoned_by = $4, phoned_to = $5, phone_recording = $6
               WHERE case_id = $1 AND generation = $2""",
            one.id, case.generation, one.at, uow.actor.person, body.to, body.recording,
        )  # fmt: skip
        one.columns["phoned_in"] = case.generation
        one.detail |= {"to": body.to, "recording": body.recording}
    await cancel(uow, [("phone", CASE.named(one.id)) for one in doings])


async def note_solution(uow: UnitOfWork, doings: Doings) -> None:
    """What was talked through stays with the ticket [C10]."""
    for one in doings:
        await uow.sql.execute(
            "UPDATE tickets SET solutions = solutions || $3::jsonb WHERE case_id = $1 AND generation = $2",
            one.id,
            one.before.generation,
            [{"at": one.at.isoformat(), "by": uow.actor.person, "words": one.body.words}],
        )
        one.detail["words"] = one.body.words


async def keep_reason(_: UnitOfWork, doings: Doings) -> None:
    """The reason stays with the step."""
    for one in doings:
        one.detail["reason"] = one.body.reason


async def time_third_party(uow: UnitOfWork, doings: Doings) -> None:
    """A third party has five working days in each generation, from the first wait for one on [C23]."""
    await keep_reason(uow, doings)
    armed = {
        row["object"]
        for row in await uow.sql.fetch(
            "SELECT object FROM deadlines WHERE kind = 'third_party' AND object = ANY($1::text[])",
            [CASE.named(one.id) for one in doings],
        )
    }
    calendar = await calendars.current(uow.sql)
    await arm(
        uow,
        [
            limited(
                clocks.THIRD_PARTY, CASE.named(one.id), one.before.key, (await limits_of(uow, one.at)).third_party, one.at,
                calendar,
            )
            for one in doings
            if CASE.named(one.id) not in armed
        ],
    )  # fmt: skip


async def use_up(_: UnitOfWork, doings: Doings) -> None:
    """The third party has had its time."""
    for one in doings:
        one.columns["third_party_over"] = True


async def count_promises(uow: UnitOfWork, doings: Doings) -> None:
    """A promise is moved with a reason only [C6]."""
    kept = await store.load(uow.sql, [clock_object(one.before) for one in doings])
    for one in doings:
        clock = kept[clock_object(one.before), clocks.RESULT]
        given = sum(isinstance(entry, Promise) for entry in clock.entries)
        if given and not one.body.reason.strip():
            raise Invalid(errors=(FieldError("/reason", "a promise is moved with a reason only"),))
        one.detail |= {"due": one.body.due, "reason": one.body.reason, "promises": given + 1}


async def keep_feedback(uow: UnitOfWork, doings: Doings) -> None:
    """Facts found, responsible person, action, the customer's reaction [C10]."""
    for one in doings:
        case, body = one.before, one.body
        await uow.sql.execute(
            """INSERT INTO tickets AS t (case_id, generation, branch_id, issued_at, issued_by, addressees,
                                         facts, responsible, action, reaction, fed_back_at, fed_back_by)
               VALUES ($1, $2, $3, $8, $9, '[]', $4, $5, $6, $7, $8, $9)
               ON CONFLICT (case_id, generation) DO UPDATE SET facts = $4, responsible = $5, action = $6, reaction = $7,
                   fed_back_at = $8, fed_back_by = $9""",
            one.id, case.generation, case.branch_id, body.facts, body.responsible, body.action, body.reaction, one.at,
            uow.actor.person,
        )  # fmt: skip
        one.columns["upheld"] = one.detail["upheld"] = body.upheld
        if body.responsible_ids:
            one.detail["responsible"] = sorted(body.responsible_ids)


async def ask_satisfaction(uow: UnitOfWork, doings: Doings) -> None:
    """The centre asks how satisfied the complainant is [C11]; an upheld case is accounted for [C14]."""
    for one in doings:
        case = one.row
        if case.upheld:
            await relations.hold_to_account(uow, case.case_id, case.owner, case.branch_id, "upheld")
        uow.emit(
            CaseFeedback(
                **naming(case), kind=case.severity, fed_back_at=one.at, concerned=sorted(case.concerned)  # type: ignore[arg-type]
            ),
            at=one.at,
        )  # fmt: skip


async def end(outcome: str, _: UnitOfWork, doings: Doings) -> None:
    """The case is over; its record stays [C13]."""
    for one in doings:
        named = getattr(one.body, "outcome", outcome)
        one.columns |= {"closed_at": one.at, "outcome": named, "offered_to": None}
        one.detail |= {
            name: value for name in ("reason", "further", "evidence", "measure", "circular")
            if (value := getattr(one.body, name, None)) is not None
        }  # fmt: skip
        if isinstance(one.body, Ended):
            one.detail["outcome"] = named
        if isinstance(one.body, forms.Conclusion):
            one.columns["upheld"] = one.detail["upheld"] = one.body.upheld


async def tell_ended(uow: UnitOfWork, doings: Doings) -> None:
    """How it ended."""
    for one in doings:
        uow.emit(
            CaseClosed(**naming(one.row), outcome=one.row.outcome or "", upheld=one.row.upheld, closed_at=one.at),
            at=one.at,
        )


async def next_generation(uow: UnitOfWork, doings: Doings) -> None:
    """Opened again it is one level higher, with a new generation of clocks; its history stays [C11, C23]."""
    roster = await staff.roster(uow.sql)
    for one in doings:
        case = one.before
        level = min(case.level + 1, HIGHEST_LEVEL)
        seat = COMPLIANCE_SEAT if level == HIGHEST_LEVEL else OPERATIONS_CENTRE
        holder = (
            conduct_holder(roster, one.at, case.concerned)
            if case.restricted
            else roster.holder(HQ, seat, one.at, avoid=case.concerned)
        )
        owner = holder.staff_id if holder else case.owner
        one.columns |= {
            "generation": case.generation + 1, "level": level, "owner": owner, "offered_to": None, "outcome": None,
            "closed_at": None, "third_party_over": False,
        }  # fmt: skip
        one.detail |= {"reason": one.body.reason, "level": level, "owner": owner}
    kinds = ("dispatch", "phone", "third_party", "survey")
    await cancel(uow, [(kind, CASE.named(one.id)) for one in doings for kind in kinds])


async def tell_reopened(uow: UnitOfWork, doings: Doings) -> None:
    """It is open again."""
    for one in doings:
        event = CaseReopened(**naming(one.row), level=one.row.level, owner=one.row.owner, reopened_at=one.at)
        uow.emit(event, at=one.at)


async def add_facts(uow: UnitOfWork, doings: Doings) -> None:
    """What came to light is known of the case from now on [C7]."""
    for one in doings:
        found = one.body.model_dump(include={"allegations", "claim", "complainants", "public_risk"})
        known, why = await severity.judge(uow, one.before, one.at, **found)
        one.columns |= known
        one.detail["reason"] = one.body.reason
        _raise(one, why)


def _raise(doing: Doing[CaseRow], why: str) -> None:
    """The rules say whether it is major now, and why [C7]."""
    if why:
        doing.detail["because"] = why
    if why and doing.before.severity == "ordinary":
        doing.columns["severity"] = doing.detail["severity"] = "major"


async def follow_major(uow: UnitOfWork, doings: Doings) -> None:
    """A case that turned out major is reported to three departments and climbs the major ladder at once [C7, C22]."""
    for one in doings:
        if one.row.severity != one.before.severity:
            one.row = await severity.follow(uow, one.row, one.at, await limits_of(uow, one.at))


async def lower(uow: UnitOfWork, doings: Doings) -> None:
    """It is an ordinary case from now on [C7]."""
    await keep_reason(uow, doings)
    for one in doings:
        one.columns["severity"] = "ordinary"


async def climb_down(uow: UnitOfWork, doings: Doings) -> None:
    """The ordinary ladder follows."""
    for one in doings:
        await severity.lower(uow, one.row, one.at)


async def add_demand(uow: UnitOfWork, doings: Doings) -> None:
    """A demand with an amount counts as a claim while the case is open [C7, C13]."""
    for one in doings:
        demand_id, body = new_id(), one.body
        await uow.sql.execute(
            "INSERT INTO demands (demand_id, case_id, what, amount, made_at) VALUES ($1, $2, $3, $4, $5)",
            demand_id, one.id, body.what, body.amount, one.at,
        )  # fmt: skip
        one.detail["demand"] = str(demand_id)
        if body.amount is not None and one.before.state not in OVER:
            known, why = await severity.judge(uow, one.before, one.at, claim=body.amount)
            one.columns |= known
            _raise(one, why)


async def drop_demand(uow: UnitOfWork, doings: Doings) -> None:
    """The complainant drops a demand; the record stays [C13]."""
    await _once(
        uow, doings, "demand",
        """UPDATE demands SET withdrawn_at = $3, withdrawn_by = $4, reason = $5
           WHERE demand_id = $2::text::uuid AND case_id = $1 AND withdrawn_at IS NULL RETURNING true""",
        lambda one: (one.at, uow.actor.person, one.body.reason),
    )  # fmt: skip


async def add_suggestion(uow: UnitOfWork, doings: Doings) -> None:
    """An opinion or suggestion (意见及建议) is a record of its own [C12]."""
    for one in doings:
        suggestion_id = new_id()
        await uow.sql.execute(
            """INSERT INTO suggestions (suggestion_id, case_id, words, recorded_at, recorded_by)
               VALUES ($1, $2, $3, $4, $5)""",
            suggestion_id, one.id, one.body.reason, one.at, uow.actor.person,
        )  # fmt: skip
        one.detail["suggestion"] = str(suggestion_id)


async def adopt(uow: UnitOfWork, doings: Doings) -> None:
    """A suggestion (合理化建议) is adopted: told to who rewards it [C12]."""
    await _once(
        uow, doings, "suggestion",
        """UPDATE suggestions SET adopted_at = $3, adopted_by = $4
           WHERE suggestion_id = $2::text::uuid AND case_id = $1 AND adopted_at IS NULL RETURNING true""",
        lambda one: (one.at, uow.actor.person),
    )  # fmt: skip
    for one in doings:
        event = SuggestionAdopted(**naming(one.before), suggestion_id=UUID(one.body.id), adopted_at=one.at)
        uow.emit(event, at=one.at)


async def link(uow: UnitOfWork, doings: Doings) -> None:
    """Cases belong together; each keeps its own history [C17]."""
    for one in doings:
        await relations.link(uow, one.id, one.body.other_id, one.body.relation)
        one.detail |= {"other": str(one.body.other_id), "relation": one.body.relation}


async def unlink(uow: UnitOfWork, doings: Doings) -> None:
    """A link ends; that it was stays known."""
    await _once(
        uow, doings, "other",
        """UPDATE links SET ended_at = $3 WHERE case_id = $1 AND other_id = $2::text::uuid AND ended_at IS NULL
           RETURNING true""",
        lambda one: (one.at,),
    )  # fmt: skip


async def log_contact(uow: UnitOfWork, doings: Doings) -> None:
    """The complainant was contacted: only what changes after that is still to be told [C25]."""
    for one in doings:
        body = one.body
        number = await uow.sql.fetchval(
            """INSERT INTO contacts (case_id, at, by, channel, about, recording) VALUES ($1, $2, $3, $4, $5, $6)
               RETURNING id""",
            one.id, one.at, uow.actor.person, body.channel, body.about, body.recording,
        )  # fmt: skip
        one.detail |= {"channel": body.channel, "contact": number}
        await contact_duties.note_contact(uow, one.id, one.at)


async def _once(
    uow: UnitOfWork, doings: Doings, name: str, statement: str, more: Callable[[Doing[CaseRow]], Sequence[Any]]
) -> None:
    """Change what belongs to a case and is named by its id, as long as nobody has.

    Raises: NotFound.
    """
    for one in doings:
        if not await uow.sql.fetchval(statement, one.id, one.body.id, *more(one)):
            raise NotFound
        one.detail[name] = one.body.id


def new_id() -> UUID:
    """The id of something that belongs to a case."""
    return UUID(bytes=uuid7().bytes)


WORKING = (ACCEPTED, DISPATCHED, INVESTIGATING, REOPENED)
UNANSWERED = (RECEIVED, *WORKING, *WAITING)
OPEN = (*UNANSWERED, CALLING)
ANY = (*OPEN, *OVER)
HANDLERS = (OWNER, GROUP, CENTRE_STAFF)
APART = (GROUP_CASE, CONDUCT)
"""Cases without a complainant: they have ways of their own [C17, C28]."""
BY_COMPLIANCE = {REGULATOR: by(Role.COMPLIANCE)}
ACTS = acts(
    CASE,
    Act("accept", Text("Take in hand", "受理"), on=(RECEIVED,), to=ACCEPTED, who=(OWNER,), needs=(IF_MATCH,),
        tells=EVERYBODY, prepare=own, then=tell_accepted),
    Act("offer", Text("Offer to somebody else", "移交"), on=OPEN, who=(OWNER,), takes=forms.HandOver,
        needs=("to", IF_MATCH), tells=STAFF, prepare=offer),
    Act("take_over", Text("Take over what was offered", "接受移交"), on=OPEN, who=(OFFERED,), needs=(IF_MATCH,),
        tells=STAFF, prepare=own),
    Act("assign", Text("Assign to somebody else", "指派承办人"), on=OPEN, who=(SUPERVISOR,), takes=forms.Assignment,
        needs=("to", "reason", IF_MATCH), tells=STAFF, prepare=assign, then=tell_both),
    Act("owner_left", Text("The owner left", "承办人离职"), on=OPEN, who=(PLATFORM_ITSELF,), tells=STAFF, prepare=pass_on,
        then=tell_successor),
    Act("offer_lapsed", Text("Whom it was offered to left", "被移交人离职"), on=OPEN, who=(PLATFORM_ITSELF,), tells=STAFF,
        prepare=lapse_offer),
    Act("dispatch", Text("Send the supervision ticket", "发督办单"), on=(ACCEPTED, INVESTIGATING, REOPENED),
        to=DISPATCHED, who=(CENTRE_STAFF, PLATFORM_ITSELF), not_for=(ORDERED, *APART), needs=(IF_MATCH,),
        tells=EVERYBODY, prepare=order, then=tell_ordered),
    Act("phone_notice", Text("Tell the general manager by phone", "电话告知总经理"), on=OPEN, who=(CENTRE_STAFF,),
        only=(ORDERED,), not_for=(PHONED,), takes=forms.PhoneNotice, needs=("to", "recording", IDEMPOTENCY_KEY),
        tells=STAFF, prepare=note_phone),
    Act("solution", Text("Talk the solution through", "沟通解决方案"), on=UNANSWERED, who=(CENTRE_STAFF, GROUP, OWNER),
        only=(ORDERED,), takes=forms.Solution, needs=("words", IDEMPOTENCY_KEY), tells=STAFF, prepare=note_solution),
    Act("investigate", Text("Verify", "核实"), on=(ACCEPTED, DISPATCHED, REOPENED), to=INVESTIGATING,
        who=(OWNER, GROUP), needs=(IF_MATCH,), tells=EVERYBODY),
    Act("go_on", Text("Go on without waiting", "继续办理"), on=WAITING, to=INVESTIGATING, who=(OWNER, GROUP),
        needs=(IF_MATCH,), clocks={clocks.RESULT: resume}, tells=EVERYBODY),
    Act("wait_customer", Text("Wait for the complainant", "等待客户"), on=WORKING, to=CUSTOMER, who=(OWNER, GROUP),
        not_for=(REGULATOR, *APART), takes=forms.Waiting, needs=("reason", IF_MATCH),
        clocks={clocks.RESULT: pause("expected_end")}, tells=EVERYBODY, prepare=keep_reason),
    Act("wait_third_party", Text("Wait for a third party", "等待第三方"), on=WORKING, to=THIRD_PARTY, who=(OWNER, GROUP),
        not_for=(REGULATOR, THIRD_PARTY_OVER, *APART), takes=forms.Waiting, needs=("reason", IF_MATCH),
        clocks={clocks.RESULT: pause("expected_end")}, tells=EVERYBODY, prepare=time_third_party),
    Act("reply", Text("Note the answer waited for", "登记答复"), on=WAITING, to=INVESTIGATING,
        who=(OWN_CLIENT, OWNER, GROUP, CENTRE_STAFF), at=Earlier(WorkingDays(10)), clocks={clocks.RESULT: resume},
        tells=EVERYBODY),
    Act("wait_over", Text("The third party has had its time", "等待期满"), on=(THIRD_PARTY,), to=INVESTIGATING,
        who=(PLATFORM_ITSELF,), clocks={clocks.RESULT: resume}, tells=EVERYBODY, prepare=use_up),
    Act("third_party_due", Text("The time for third parties is over", "第三方等待期限届满"), on=OPEN,
        who=(PLATFORM_ITSELF,), tells=STAFF, prepare=use_up),
    Act("promise", Text("Promise a time for the result", "承诺办理时间"), on=(RECEIVED, *WORKING),
        who=(OWNER, GROUP, CENTRE_STAFF), not_for=(REGULATOR, *APART), takes=forms.PromiseGiven,
        needs=("due", IDEMPOTENCY_KEY), clocks={clocks.RESULT: promised("due")}, tells=EVERYBODY,
        prepare=count_promises),
    Act("feedback", Text("Report back", "反馈"), on=(DISPATCHED, INVESTIGATING), to=CALLING, who=(GROUP,), not_for=APART,
        takes=forms.Feedback, needs=("facts", "responsible", "action", "reaction", IF_MATCH), clocks={EVERY: stop},
        tells=EVERYBODY, prepare=keep_feedback, then=ask_satisfaction),
    Act("withdraw", Text("Withdraw", "撤诉"), on=OPEN, to=WITHDRAWN, who=(OWN_CLIENT, OWNER, CENTRE_STAFF), not_for=APART,
        takes=forms.Noted, needs=("reason",), approval=BY_COMPLIANCE, tells=EVERYBODY, prepare=partial(end, WITHDRAWN),
        then=tell_ended),
    Act("reject", Text("Refuse", "不予受理"), on=(RECEIVED, ACCEPTED), to=REJECTED, who=(OWNER,), not_for=APART,
        takes=forms.Rejection, needs=("reason", "further"), approval=BY_COMPLIANCE, tells=EVERYBODY,
        prepare=partial(end, REJECTED), then=tell_ended),
    Act("close", Text("Close", "办结"), on=(CALLING,), to=CLOSED, who=(PLATFORM_ITSELF,), tells=EVERYBODY,
        prepare=partial(end, CLOSED), then=tell_ended),
    Act("carry_out", Text("The corrective action was carried out", "整改完成"), on=(RECEIVED, ACCEPTED, INVESTIGATING),
        to=CLOSED, who=(CENTRE_STAFF,), only=(GROUP_CASE,), takes=forms.CarriedOut, needs=("evidence",), tells=STAFF,
        prepare=partial(end, "corrected"), then=tell_ended),
    Act("conclude", Text("Conclude", "作出结论"), on=(ACCEPTED, INVESTIGATING, REOPENED), to=CLOSED,
        who=(COMPLIANCE_OFFICER,), only=(CONDUCT,), takes=forms.Conclusion, needs=("measure", "circular", IF_MATCH),
        tells=(COMPLIANCE,), prepare=partial(end, "concluded"), then=tell_ended),
    Act("new_facts", Text("Note what came to light", "补充情况"), on=OPEN, who=HANDLERS, takes=forms.CameToLight,
        needs=("reason", IF_MATCH), tells=STAFF, prepare=add_facts, then=follow_major),
    Act("correct", Text("Correct branch, category or client", "更正营业部、类别或客户"), on=OPEN, who=(CENTRE_STAFF,),
        not_for=(ERASED, *APART), takes=forms.Correction, needs=("reason", IF_MATCH), tells=STAFF,
        prepare=correcting.put_right, then=correcting.tell_corrected),
    Act("downgrade", Text("Lower to an ordinary case", "降级"), on=OPEN, who=HANDLERS, only=(MAJOR,), not_for=(CONDUCT,),
        takes=forms.Noted, needs=("reason", IDEMPOTENCY_KEY), approval=by(Role.COMPLIANCE), tells=STAFF, prepare=lower,
        then=climb_down),
    Act("demand", Text("Note a demand", "登记诉求"), on=ANY, who=(OWN_CLIENT, *HANDLERS), not_for=(ERASED,),
        takes=forms.Demand, needs=("what", IDEMPOTENCY_KEY), tells=EVERYBODY, prepare=add_demand, then=follow_major),
    Act("drop_demand", Text("Drop a demand", "撤回诉求"), on=ANY, who=(OWN_CLIENT, *HANDLERS), not_for=(ERASED,),
        takes=forms.About, needs=("id", IDEMPOTENCY_KEY), tells=EVERYBODY, prepare=drop_demand),
    Act("suggest", Text("Pass back a suggestion", "登记意见建议"), on=ANY, who=(OWN_CLIENT, *HANDLERS), not_for=(ERASED,),
        takes=forms.Noted, needs=("reason", IDEMPOTENCY_KEY), tells=EVERYBODY, prepare=add_suggestion),
    Act("adopt", Text("Adopt a suggestion", "采纳建议"), on=ANY, who=(CENTRE_STAFF,), not_for=(ERASED,), takes=forms.About,
        needs=("id", IDEMPOTENCY_KEY), tells=EVERYBODY, prepare=adopt),
    Act("link", Text("Link to another case", "关联"), on=ANY, who=HANDLERS, not_for=(ERASED,), takes=forms.Link,
        needs=("other_id", IDEMPOTENCY_KEY), tells=STAFF, prepare=link),
    Act("unlink", Text("End a link", "解除关联"), on=ANY, who=HANDLERS, not_for=(ERASED,), takes=forms.About,
        needs=("id", IDEMPOTENCY_KEY), tells=STAFF, prepare=unlink),
    Act("contact", Text("Log a contact", "登记联系"), on=ANY, who=HANDLERS, not_for=(ERASED, *APART), takes=forms.Contact,
        needs=("channel", "about", IDEMPOTENCY_KEY), tells=EVERYBODY, prepare=log_contact),
    Act("reopen", Text("Open again", "重新办理"), on=(CALLING, *OVER), to=REOPENED,
        who=(OWN_CLIENT, OWNER, CENTRE_STAFF, MANAGER, PLATFORM_ITSELF), not_for=(GROUP_CASE, ERASED),
        takes=forms.Noted, needs=("reason",), clocks={clocks.RESULT: start}, tells=EVERYBODY, prepare=next_generation,
        then=tell_reopened),
)  # fmt: skip
