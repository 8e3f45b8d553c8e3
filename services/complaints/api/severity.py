"""How grave a case is: raised by what comes to light, lowered by compliance only [C7]."""

from typing import Annotated

from fastapi import Response
from pydantic import Field

from chassis.actor import Actor, Role
from chassis.acts import IllegalMove
from chassis.http import IfMatch, Work, etag, permits, router
from contracts.fields import Id, Label, Money, number_of
from services.complaints import cases, clocks, severity
from services.complaints.api.findings import Made
from services.complaints.api.shapes import STAFF, Case, shown
from services.complaints.forms import Noted
from services.complaints.rules import REGULATORS

routes = router("/v1/complaints/cases/{case_id}", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Compliance = Annotated[Actor, permits("complaints.severity:lower", Role.COMPLIANCE)]


class CameToLight(Noted):
    """What is known now and was not at intake; whether it makes the case major, the rules decide."""

    allegations: Annotated[list[Label], Field(max_length=20)] = Field(default_factory=list)
    claim: Money | None = None
    complainants: Annotated[int, number_of(1, 100000)] = 1
    public_risk: bool = Field(False, description="media or stability risk")


@routes.post("/new-facts")
async def note_facts(_: Handler, uow: Work, case_id: Id, match: IfMatch, body: CameToLight, response: Response) -> Case:
    """Note what came to light: a case that turns out major is reported to three departments and escalated as one at
    once; what was acknowledged stays [C7, C22]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id, match)
    cases.require_open(case)
    facts = body.model_dump(include={"allegations", "claim", "complainants", "public_risk"})
    row = await severity.consider(uow, case, at, body.reason, **facts)
    response.headers["etag"] = etag(row.revision)
    return shown(uow.actor, row)


@routes.post("/downgrade")
async def downgrade(_: Compliance, uow: Work, case_id: Id, body: Noted) -> Made:
    """Lower a major case to an ordinary one: compliance signs it off; a regulator's case stays major [C7].

    What is left of the ordinary ladder follows; the time it was given stays, and so does what was acknowledged.
    """
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    cases.require_open(case)
    if case.severity != "major" or case.source in REGULATORS:
        raise IllegalMove(state=case.state)
    await cases.stop_report(uow, clocks.object_of(case_id, case.generation), at)
    row = await cases.change(uow, case, "downgraded", at, detail={"reason": body.reason}, severity="ordinary")
    if not row.imported:
        await severity.climb_another(uow, row, at)
    return Made(id=str(case_id))
