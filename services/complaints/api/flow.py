"""A case on its way: accepted, handed over, ordered from the branch, fed back, waiting, withdrawn, refused [C8, C10]."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from pydantic import AfterValidator

from chassis import staff
from chassis.actor import Actor, Role
from chassis.acts import IllegalMove, NotYours
from chassis.calendars import current
from chassis.deadlines import Deadline, arm, cancel
from chassis.errors import FieldError, Invalid
from chassis.http import IfMatch, Work, etag, permits, router
from chassis.http.persons import PersonId
from chassis.personal import mask_text
from chassis.staff import GENERAL_MANAGER
from contracts.complaints import CaseAccepted, CaseClosed, CaseFeedback
from contracts.fields import Instant
from services.complaints import cases, dispatching, relations, satisfaction
from services.complaints.api.shapes import BRANCH, CENTRE, STAFF, Act, Case, Label, Noted, Words, shown
from services.complaints.dispatching import Order
from services.complaints.rules import (
    ACCEPTED,
    CALLING,
    CUSTOMER,
    DISPATCHED,
    FEEDBACK,
    INVESTIGATING,
    REJECTED,
    THIRD_PARTY,
    WAITING,
    WITHDRAWN,
    dispatch_due,
)
from services.complaints.seats import EmptySeat, group_of

routes = router("/v1/complaints/cases/{case_id}", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Centre = Annotated[Actor, permits("complaints.tickets:issue", *CENTRE, centre=True)]
Branch = Annotated[Actor, permits("complaints.tickets:answer", *BRANCH, centre=False)]
Complainant = Annotated[Actor, permits("complaints.cases:withdraw", Role.CLIENT, *STAFF)]


def answered(row: Any, response: Response) -> Case:
    """The case after the act, with its new ETag."""
    response.headers["etag"] = etag(row["revision"])
    return shown(row)


class HandOver(Act):
    """To whom the case is offered: they own it once they accept [C8]."""

    to: PersonId


class PhoneNotice(Act):
    """The call to the branch's general manager [C4]."""

    to: PersonId
    recording: Label


class Solution(Act):
    """What centre and branch talked through [C10]."""

    words: Words


class Feedback(Act):
    """What the branch found and did; nothing of it may be missing [C10]."""

    facts: Words
    responsible: Words
    action: Words
    reaction: Words
    upheld: bool


class Waiting(Noted):
    """For whom the case waits, and about until when [C23, C27]."""

    waits_for: Literal["customer", "third_party"]
    expected_end: Instant | None = None


class PromiseGiven(Act):
    """The time by which the complainant was promised a result [C6]."""

    due: Instant
    reason: Annotated[str, AfterValidator(mask_text)] = ""


class Rejection(Noted):
    """Why the case is not taken on, and how the complainant can go further: 12386, mediation [C23]."""

    further: Words


@routes.post("/acceptance")
async def accept(_: Handler, uow: Work, case_id: UUID, match: IfMatch, body: Act, response: Response) -> Case:
    """Take a case in hand, or take over one that was offered."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id, match)
    me = uow.actor.person
    if case["offered_to"]:
        if case["offered_to"] != me:
            raise NotYours
        row = await cases.change(uow, case, "hand-over accepted", at, owner=me, offered_to=None)
        return answered(row, response)
    row = await cases.change(uow, case, "accepted", at, to=ACCEPTED, owner=me)
    uow.emit(CaseAccepted(**cases.naming(row), owner=me, accepted_at=at), at=at)
    return answered(row, response)


@routes.post("/hand-over")
async def offer(_: Handler, uow: Work, case_id: UUID, match: IfMatch, body: HandOver, response: Response) -> Case:
    """Offer a case to somebody: the owner stays the owner until they accept [C8]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id, match)
    cases.require_open(case)
    if body.to in case["concerned"]:
        raise cases.refused_owner("/to")
    row = await cases.change(uow, case, "hand-over offered", at, detail={"to": body.to}, offered_to=body.to)
    return answered(row, response)


@routes.post("/ticket", status_code=201)
async def issue(_: Centre, uow: Work, case_id: UUID, match: IfMatch, body: Act, response: Response) -> Case:
    """Send the supervision ticket to the branch's complaint group; its general manager is to be phoned the same day."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id, match)
    cases.require_state(case, DISPATCHED)
    roster = await staff.roster(uow.sql)
    group = group_of(roster, case["branch_id"], at, case["concerned"])
    if group.missing:
        raise EmptySeat(seats=list(group.missing))
    order = Order(
        case_id, case["client_id"], case["branch_id"], case["received_at"], case["concerned"], case["generation"], at
    )
    await dispatching.send(uow, [order], roster, phone=True)
    await cancel(uow, [("dispatch", f"case/{case_id}")])
    await arm(uow, [Deadline("phone", f"case/{case_id}", case["key"], dispatch_due(at))])
    uow.audit("issue ticket", f"case/{case_id}", key=case["key"], at=at, addressees=group.rows())
    return answered(await cases.seen(uow.sql, uow.actor, case_id), response)


@routes.post("/ticket/phone-notice")
async def note_phone(_: Centre, uow: Work, case_id: UUID, body: PhoneNotice, response: Response) -> Case:
    """Log that the general manager was told by phone: who, when, the recording [C4]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    found = (await staff.roster(uow.sql)).stands_in_for(body.to, case["branch_id"], GENERAL_MANAGER, at)
    if not found:
        raise Invalid(errors=(FieldError("/to", "is not the branch's general manager, nor stands in for them"),))
    done = await uow.sql.fetchval(
        """UPDATE tickets SET phoned_at = $3, phoned_by = $4, phoned_to = $5, phone_recording = $6
           WHERE case_id = $1 AND generation = $2 AND phoned_at IS NULL RETURNING true""",
        case_id,
        case["generation"],
        at,
        uow.actor.person,
        body.to,
        body.recording,
    )
    if not done:
        raise IllegalMove(state=case["state"])
    await cancel(uow, [("phone", f"case/{case_id}")])
    detail = {"to": body.to, "recording": body.recording}
    return answered(await cases.change(uow, case, "general manager told", at, detail=detail), response)


@routes.post("/ticket/solutions")
async def talk_through(_: Handler, uow: Work, case_id: UUID, body: Solution, response: Response) -> Case:
    """Note a solution that centre and branch talked through (沟通投诉解决的方案) [C10]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    await uow.sql.execute(
        """UPDATE tickets SET solutions = solutions || $3::jsonb WHERE case_id = $1 AND generation = $2""",
        case_id,
        case["generation"],
        [{"at": at.isoformat(), "by": uow.actor.person, "words": body.words}],
    )
    row = await cases.change(uow, case, "solution discussed", at, detail={"words": body.words})
    return answered(row, response)


@routes.post("/investigation")
async def investigate(_: Handler, uow: Work, case_id: UUID, match: IfMatch, body: Act, response: Response) -> Case:
    """The branch verifies (核实)."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id, match)
    return answered(await cases.change(uow, case, "investigating", at, to=INVESTIGATING), response)


@routes.post("/feedback")
async def feed_back(_: Branch, uow: Work, case_id: UUID, match: IfMatch, body: Feedback, response: Response) -> Case:
    """The branch reports back, completely; the centre asks the complainant how satisfied they are [C10, C11]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id, match)
    ticket = body.model_dump(include={"facts", "responsible", "action", "reaction"})
    if empty := [name for name, words in ticket.items() if not words.strip()]:
        raise cases.EvidenceMissing(errors=tuple(FieldError(f"/{name}", "is empty") for name in empty))
    await uow.sql.execute(
        """INSERT INTO tickets AS t (case_id, generation, branch_id, issued_at, issued_by, addressees,
                                     facts, responsible, action, reaction, fed_back_at, fed_back_by)
           VALUES ($1, $2, $3, $8, $9, '[]', $4, $5, $6, $7, $8, $9)
           ON CONFLICT (case_id, generation) DO UPDATE SET facts = $4, responsible = $5, action = $6, reaction = $7,
               fed_back_at = $8, fed_back_by = $9""",
        case_id,
        case["generation"],
        case["branch_id"],
        *ticket.values(),
        at,
        uow.actor.person,
    )
    row = await cases.change(uow, case, "fed back", at, to=FEEDBACK, detail={"upheld": body.upheld}, upheld=body.upheld)
    await cases.stop_clocks(uow, case, at, "feedback")
    if body.upheld:
        await relations.hold_to_account(uow, row, "upheld")
    row = await cases.change(uow, row, "satisfaction call asked for", at, to=CALLING, audited=False)
    event = CaseFeedback(**cases.naming(row), kind=row["severity"], fed_back_at=at, concerned=sorted(row["concerned"]))
    uow.emit(event, at=at)
    return answered(row, response)


@routes.post("/waiting")
async def wait(_: Handler, uow: Work, case_id: UUID, match: IfMatch, body: Waiting, response: Response) -> Case:
    """Wait for the complainant or for a third party: the result clock pauses [C23, C27]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id, match)
    to = CUSTOMER if body.waits_for == "customer" else THIRD_PARTY
    row = await cases.change(uow, case, f"waits for {body.waits_for}", at, to=to, detail={"reason": body.reason})
    await cases.pause_result(uow, case, at, body.reason, body.expected_end)
    if to == THIRD_PARTY:
        limit = (await cases.limits_of(uow, at)).third_party

        due = limit.first_due(at, await current(uow.sql))
        await arm(uow, [Deadline("third_party", f"case/{case_id}", case["key"], due)])
    return answered(row, response)


@routes.post("/reply")
async def reply(_: Complainant, uow: Work, case_id: UUID, body: Act, response: Response) -> Case:
    """The answer waited for came, at its own time: the clock goes on from then, however late this is recorded [C27]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    if case["state"] not in WAITING:
        raise IllegalMove(state=case["state"])
    row = await cases.change(uow, case, "answered", at, to=INVESTIGATING)
    await cases.resume_result(uow, case, at, "answer")
    await cancel(uow, [("third_party", f"case/{case_id}")])
    return answered(row, response)


@routes.post("/promise")
async def give_promise(_: Handler, uow: Work, case_id: UUID, body: PromiseGiven, response: Response) -> Case:
    """Tell the complainant when there will be a result: the promise's own clock runs now [C6]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    cases.require_open(case)
    given = await cases.promise(uow, case, at, body.due, body.reason)
    detail = {"due": body.due, "reason": body.reason, "promises": given}
    return answered(await cases.change(uow, case, "promised", at, detail=detail), response)


@routes.post("/withdrawal")
async def withdraw(_: Complainant, uow: Work, case_id: UUID, body: Noted, response: Response) -> Case:
    """The complainant takes the complaint back; the record stays [C13]."""
    return await _end(uow, case_id, body, WITHDRAWN, {"reason": body.reason}, response)


@routes.post("/rejection")
async def reject(_: Handler, uow: Work, case_id: UUID, body: Rejection, response: Response) -> Case:
    """Refuse the case (不予受理), with the reason and how to go further [C23]."""
    return await _end(uow, case_id, body, REJECTED, {"reason": body.reason, "further": body.further}, response)


async def _end(uow: Any, case_id: UUID, body: Noted, to: str, detail: dict[str, Any], response: Response) -> Case:
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    row = await cases.change(uow, case, to, at, to=to, detail=detail, closed_at=at, outcome=to, offered_to=None)
    await cases.stop_clocks(uow, case, at, to)
    kinds = ("dispatch", "phone", "third_party", "survey")
    await cancel(uow, [(kind, f"case/{case_id}") for kind in kinds])
    uow.emit(CaseClosed(**cases.naming(row), outcome=to, upheld=row["upheld"], closed_at=at), at=at)
    return answered(row, response)


@routes.post("/reopening")
async def reopen(_: Complainant, uow: Work, case_id: UUID, body: Noted, response: Response) -> Case:
    """Open a case again that was over, one level higher; the history stays [C23]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    cases.require_state(case, "reopened")
    await satisfaction.reopen(uow, case, at, reason=body.reason)
    return answered(await cases.seen(uow.sql, uow.actor, case_id), response)
