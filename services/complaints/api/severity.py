"""What a case is: put right where it is wrong; how grave: raised by what comes to light, lowered with compliance's agreement only [C7]."""

from typing import Annotated

from chassis.actor import Actor
from chassis.http import IfMatch, Once, Tagged, Work, permits, router
from contracts.fields import Id
from services.complaints.acts import ACTS
from services.complaints.api.flow import do
from services.complaints.api.shapes import STAFF, Case
from services.complaints.forms import CameToLight, Correction, Noted

routes = router("/v1/complaints/cases/{case_id}", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]


@routes.post("/new-facts")
async def note_facts(_: Handler, uow: Work, case_id: Id, _match: IfMatch, body: CameToLight, response: Tagged) -> Case:
    """Note what came to light: a case that turns out major is reported to three departments and escalated as one at
    once; what was acknowledged stays [C7, C22]."""
    return await do(uow, ACTS.new_facts, case_id, body, response)


@routes.post("/correction")
async def correct(_: Handler, uow: Work, case_id: Id, _match: IfMatch, body: Correction, response: Tagged) -> Case:
    """Put a wrong branch, category or client right, with the reason: an order goes to the right branch at once and counts
    from then, the result clock runs on [C4]."""
    return await do(uow, ACTS.correct, case_id, body, response)


@routes.post("/downgrade", status_code=202)
async def downgrade(_: Handler, uow: Work, _once: Once, case_id: Id, body: Noted, response: Tagged) -> Case:
    """Ask to lower a major case to an ordinary one: compliance agrees, another person than who asked [C7].

    What is left of the ordinary ladder follows then; the time it was given stays, and so does what was acknowledged.
    """
    return await do(uow, ACTS.downgrade, case_id, body, response)
