"""A case on its way: each route names an act of the table, which says who may do it and what follows [C8, C10, C23]."""

from typing import Annotated, Any

from chassis.actor import Actor, Role
from chassis.acts import Act, Acts, perform
from chassis.http import IfMatch, Once, Tagged, Work, etag, permits, router
from contracts.fields import Id
from services.complaints.acts import ACTS
from services.complaints.api.shapes import CENTRE, STAFF, Case, shown
from services.complaints.cases import seen
from services.complaints.forms import (
    Assignment,
    Conclusion,
    Entered,
    Feedback,
    HandOver,
    Noted,
    PhoneNotice,
    PromiseGiven,
    Rejection,
    Solution,
    Waiting,
)
from services.complaints.rules import WAITING
from services.complaints.tables import CaseRow

routes = router("/v1/complaints/cases/{case_id}", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Centre = Annotated[Actor, permits("complaints.tickets:issue", *CENTRE, centre=True)]
Complainant = Annotated[Actor, permits("complaints.cases:withdraw", Role.CLIENT, *STAFF)]
Compliance = Annotated[Actor, permits("complaints.conduct:conclude", Role.COMPLIANCE, Role.HQ)]


async def do(uow: Work, act: tuple[Acts[CaseRow], Act[CaseRow]], case_id: Id, body: Any, response: Tagged) -> Case:
    """Do an act, or ask for its second person (202 with where that is); the case after it, with its new ETag."""
    done = await perform(uow, act, case_id, body)
    if done.approval is not None:
        response.status_code = 202
        response.headers["location"] = f"/v1/complaints/approvals/{done.approval.approval_id}"
    response.headers["etag"] = etag(done.row.revision)
    return shown(uow.actor, done.row)


@routes.post("/acceptance")
async def accept(actor: Handler, uow: Work, case_id: Id, _match: IfMatch, body: Entered, response: Tagged) -> Case:
    """Take a case in hand, or take over one that was offered."""
    offered = (await seen(uow.sql, actor, case_id)).offered_to == actor.person
    return await do(uow, ACTS.take_over if offered else ACTS.accept, case_id, body, response)


@routes.post("/hand-over")
async def offer(_: Handler, uow: Work, case_id: Id, _match: IfMatch, body: HandOver, response: Tagged) -> Case:
    """Offer a case to somebody who is there: the owner stays the owner until they accept [C8]."""
    return await do(uow, ACTS.offer, case_id, body, response)


@routes.post("/assignment")
async def assign(_: Handler, uow: Work, case_id: Id, _match: IfMatch, body: Assignment, response: Tagged) -> Case:
    """Give a case to somebody else, as their supervisor; who owned it and who owns it now are told [C8]."""
    return await do(uow, ACTS.assign, case_id, body, response)


@routes.post("/ticket", status_code=201)
async def issue(_: Centre, uow: Work, case_id: Id, _match: IfMatch, body: Entered, response: Tagged) -> Case:
    """Send the supervision ticket to the branch's complaint group; its general manager is to be phoned the same day."""
    return await do(uow, ACTS.dispatch, case_id, body, response)


@routes.post("/ticket/phone-notice")
async def note_phone(_: Centre, uow: Work, _once: Once, case_id: Id, body: PhoneNotice, response: Tagged) -> Case:
    """Log that the general manager was told by phone: who, when, the recording [C4]."""
    return await do(uow, ACTS.phone_notice, case_id, body, response)


@routes.post("/ticket/solutions")
async def talk_through(_: Handler, uow: Work, _once: Once, case_id: Id, body: Solution, response: Tagged) -> Case:
    """Note a solution that centre and branch talked through (沟通投诉解决的方案) [C10]."""
    return await do(uow, ACTS.solution, case_id, body, response)


@routes.post("/investigation")
async def investigate(actor: Handler, uow: Work, case_id: Id, _match: IfMatch, body: Entered, response: Tagged) -> Case:
    """The branch verifies (核实), or goes on with it without the answer it waited for: the clock goes on too."""
    waits = (await seen(uow.sql, actor, case_id)).state in WAITING
    return await do(uow, ACTS.go_on if waits else ACTS.investigate, case_id, body, response)


@routes.post("/feedback")
async def feed_back(_: Handler, uow: Work, case_id: Id, _match: IfMatch, body: Feedback, response: Tagged) -> Case:
    """Who holds the ticket reports back, completely; the centre asks the complainant how satisfied they are [C10, C11]."""
    return await do(uow, ACTS.feedback, case_id, body, response)


@routes.post("/waiting")
async def wait(_: Handler, uow: Work, case_id: Id, _match: IfMatch, body: Waiting, response: Tagged) -> Case:
    """Wait for the complainant or for a third party: the result clock pauses [C23, C27]."""
    act = ACTS.wait_customer if body.waits_for == "customer" else ACTS.wait_third_party
    return await do(uow, act, case_id, body, response)


@routes.post("/reply")
async def reply(_: Complainant, uow: Work, case_id: Id, body: Entered, response: Tagged) -> Case:
    """The answer waited for came, at its own time: the clock goes on from then, however late this is recorded [C27]."""
    return await do(uow, ACTS.reply, case_id, body, response)


@routes.post("/promise")
async def promise(_: Handler, uow: Work, _once: Once, case_id: Id, body: PromiseGiven, response: Tagged) -> Case:
    """Tell the complainant when there will be a result: the promise's own clock runs now [C6]."""
    return await do(uow, ACTS.promise, case_id, body, response)


@routes.post("/withdrawal")
async def withdraw(_: Complainant, uow: Work, case_id: Id, body: Noted, response: Tagged) -> Case:
    """The complainant takes the complaint back; the record stays [C13]. Compliance agrees to a regulator's."""
    return await do(uow, ACTS.withdraw, case_id, body, response)


@routes.post("/rejection")
async def reject(_: Handler, uow: Work, case_id: Id, body: Rejection, response: Tagged) -> Case:
    """Refuse the case (不予受理), with the reason and how to go further [C23]. Compliance agrees to a regulator's."""
    return await do(uow, ACTS.reject, case_id, body, response)


@routes.post("/conclusion")
async def conclude(_: Compliance, uow: Work, case_id: Id, _match: IfMatch, body: Conclusion, response: Tagged) -> Case:
    """Conclude a conduct case: upheld or not, the measure, the circular (通报) [C28]."""
    return await do(uow, ACTS.conclude, case_id, body, response)


@routes.post("/reopening")
async def reopen(_: Complainant, uow: Work, case_id: Id, body: Noted, response: Tagged) -> Case:
    """Open a case again that was over, one level higher; the history stays [C23]."""
    return await do(uow, ACTS.reopen, case_id, body, response)
