"""The service log over HTTP: contacts of every service, entering one, what is flagged [A12, A17, A33]."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import FieldError
from chassis.http import Listing, Once, Page, Reading, Work, object_scope, permits, router
from chassis.personal import mask_text
from chassis.timeline import today
from contracts.fields import BusinessDate, Code, Identifier, Instant, text_of
from services.relationships import contacts, logged
from services.relationships.api.shapes import DESK, STAFF, Body, see_client, see_person
from services.relationships.contacts import Contact
from services.relationships.errors import WrongValue
from services.relationships.policy import Policies

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.log:read", *STAFF)]
Enterer = Annotated[Actor, permits("relationships.log:enter", *DESK, Role.HQ, centre=True)]
Checker = Annotated[Actor, permits("relationships.log:flags", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]
Words = Annotated[str, text_of(4000, 1), AfterValidator(mask_text)]
Mood = Literal["calm", "annoyed", "angry"]


class NewContact(Body):
    """A contact that no service saw. `valid`: identity was verified and they talked; `person`: who it was, where somebody enters
    it who leads them."""

    channel: Literal["phone", "on_site", "wecom", "online", "email", "letter", "event", "counter"]
    direction: Literal["in", "out"]
    at: Instant
    two_way: bool = True
    valid: bool = True
    outcome: Code | None = None
    mood: Mood | None = None
    grumble: bool = False
    topics: Annotated[list[Code], Field(max_length=20, default_factory=list)]
    words: Words | None = None
    person: Identifier | None = None


class ContactView(BaseModel):
    """A contact as it is known. `evidence`: the same contact as another service saw it, where an entry lies beside it."""

    contact_id: UUID
    client_id: str
    source: str
    person: str | None
    channel: str
    direction: str
    two_way: bool
    valid: bool
    at: datetime
    outcome: str | None
    mood: Mood | None
    grumble: bool
    topics: list[str]
    words: str | None
    flags: list[str]
    entered_by: str | None
    entered_at: datetime
    evidence: UUID | None = None


def shown(actor: Actor, one: Contact, evidence: UUID | None = None) -> ContactView:
    """A contact as it is shown: flags that open a case of compliance's are for compliance, never for who is concerned [B5, C28]."""
    told = {name: getattr(one, name) for name in Contact.__struct_fields__ if name not in ("ref", "day")}
    if actor.role is not Role.COMPLIANCE or one.person == actor.person:
        told["flags"] = [flag for flag in one.flags if flag.partition(":")[0] not in logged.FINDINGS]
    return ContactView(**told, evidence=evidence)


@routes.get("/clients/{client_id}/contacts")
async def list_contacts(actor: Reader, sql: Reading, client_id: Identifier, page: Page) -> Listing[ContactView]:
    """Every contact with a client, newest first: of this service and of all others."""
    await see_client(sql, actor, client_id)
    terms = (await Policies.read(sql)).service_log.on(await today(sql)).body
    found = await contacts.listed(sql, client_id, terms.same_minutes, page.after, page.limit + 1)
    views = [shown(actor, one, beside) for one, beside in found]
    return Listing[ContactView].model_validate(
        page.result(views, lambda one: (one.at.isoformat(), str(one.contact_id)))
    )


@routes.post("/clients/{client_id}/contacts", status_code=201)
async def log_contact(actor: Enterer, uow: Work, _: Once, client_id: Identifier, body: NewContact) -> ContactView:
    """Enter a contact: within 24 hours, else it is marked as late. Grumbles go to complaints, findings to compliance."""
    await see_client(uow.sql, actor, client_id)
    if body.person not in (None, actor.person) and actor.role not in (Role.BRANCH_MANAGER, Role.HQ):
        raise WrongValue(errors=(FieldError("/person", "is entered by who leads them"),))
    if body.person is not None:
        await see_person(uow.sql, actor, body.person)
    return shown(actor, await logged.enter(uow, client_id, logged.Entry(**body.model_dump())))


@routes.get("/contacts/flagged")
async def list_flagged(
    actor: Checker, sql: Reading, page: Page, since: BusinessDate, until: BusinessDate
) -> Listing[ContactView]:
    """Entries that came late or hold words nobody should say, in the order in which they were entered."""
    first: date = since
    scope, arguments = object_scope(actor, 6)
    after = page.after[0] if page.after else None
    hidden = () if actor.role is Role.COMPLIANCE else tuple(logged.FINDINGS)
    found = await contacts.flagged(sql, first, until, scope, arguments, after, page.limit + 1, hidden)
    return Listing[ContactView].model_validate(
        page.result([shown(actor, one) for one in found], lambda one: (str(one.contact_id),))
    )
