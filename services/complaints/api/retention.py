"""How long a case is kept, legal holds, erasure: asked by one person, decided by another [C21]."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.errors import Refusal
from chassis.http import Reading, Work, permits, router
from chassis.timeline import today
from contracts.fields import Id
from services.complaints import cases, retention, second_person
from services.complaints.api.findings import Made
from services.complaints.api.shapes import READERS
from services.complaints.forms import Body, Words

routes = router("/v1/complaints/cases/{case_id}", "complaints")
Reader = Annotated[Actor, permits("complaints.duties:read", *READERS)]
Holder = Annotated[Actor, permits("complaints.holds:place", Role.COMPLIANCE)]
Eraser = Annotated[Actor, permits("complaints.cases:erase", Role.COMPLIANCE, Role.HQ)]


class Reason(Body):
    """Why it is asked for."""

    reason: Words


class Decision(Body):
    """What the second person decides."""

    decision: Literal["approved", "refused"]


class Held(BaseModel):
    """A legal hold in force; `release_asked_by` when a second person is to decide its end."""

    hold_id: UUID
    reason: str
    placed_by: str
    placed_at: datetime
    release_asked_by: str | None


class Kept(BaseModel):
    """How long the case is kept, by which rule, and what keeps it from being erased today."""

    ended_on: date | None
    kept_until: date | None
    policy: str | None
    rule: dict[str, str]
    holds: list[Held]
    erasable: bool
    why_not: str | None
    erased_at: datetime | None


@routes.get("/retention")
async def read_retention(actor: Reader, sql: Reading, case_id: Id) -> Kept:
    """The retention rule of the case and what is in force: years after its last day; a legal hold wins."""
    case = await cases.seen(sql, actor, case_id)
    found = await retention.standing(sql, case)
    why_not = "erased already" if case.erased_at else None
    try:
        found.require_erasable(await today(sql))
    except Refusal as refusal:
        why_not = why_not or refusal.name()
    years = found.years
    rule = {
        "en": f"Kept for {years} years after its last day [C21]" if years else "Kept while it is open [C21]",
        "zh": f"自办结之日起保存{years}年〔C21〕" if years else "办理期间一直保存〔C21〕",
    }
    return Kept(
        ended_on=found.ended_on,
        kept_until=found.kept_until,
        policy=found.policy,
        rule=rule,
        holds=[Held.model_validate(dict(hold)) for hold in found.holds],
        erasable=why_not is None,
        why_not=why_not,
        erased_at=case.erased_at,
    )


@routes.post("/holds", status_code=201)
async def place_hold(_: Holder, uow: Work, case_id: Id, body: Reason) -> Made:
    """Place a legal hold (法律保全): at once, nothing of the case may be erased."""
    return Made(id=str(await retention.place(uow, await cases.locked(uow, case_id), body.reason)))


@routes.post("/holds/{hold_id}/release", status_code=202)
async def ask_release(_: Holder, uow: Work, case_id: Id, hold_id: Id, body: Reason) -> Made:
    """Ask for a hold to be lifted; it holds until a second person agrees."""
    case = await cases.locked(uow, case_id)
    await retention.ask_release(uow, case, hold_id, body.reason)
    await second_person.ask(uow, second_person.HOLD_RELEASE, case, hold_id, body.reason)
    return Made(id=str(hold_id))


@routes.post("/holds/{hold_id}/release/decision")
async def decide_release(_: Holder, uow: Work, case_id: Id, hold_id: Id, body: Decision) -> Made:
    """Lift a hold, or keep it, on somebody else's asking."""
    await cases.locked(uow, case_id)
    await second_person.decide(uow, second_person.HOLD_RELEASE, case_id, hold_id, agree=body.decision == "approved")
    return Made(id=str(hold_id))


@routes.post("/erasures", status_code=202)
async def ask_erasure(_: Eraser, uow: Work, case_id: Id, body: Reason) -> Made:
    """Ask for a case to be erased: refused while it is open, under hold or has to be kept."""
    case = await cases.locked(uow, case_id)
    erasure_id = await retention.ask_erasure(uow, case, body.reason)
    await second_person.ask(uow, second_person.ERASURE, case, erasure_id, body.reason)
    return Made(id=str(erasure_id))


@routes.post("/erasures/{erasure_id}/decision")
async def decide_erasure(_: Eraser, uow: Work, case_id: Id, erasure_id: Id, body: Decision) -> Made:
    """Erase the case, or refuse to, on somebody else's asking. What was said and who said it is gone for good."""
    await cases.locked(uow, case_id)
    await second_person.decide(uow, second_person.ERASURE, case_id, erasure_id, agree=body.decision == "approved")
    return Made(id=str(erasure_id))
