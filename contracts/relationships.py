"""What relationships (客户关系) tell: who looks after a client, what is known of them, who may contact them."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from contracts import platform
from contracts.base import DayClosed, Event
from contracts.fields import BusinessDate, Code, Count, Email, Id, Identifier, Instant, Phone, Text200, Text400
from contracts.personal import Personal, PersonalEvent

TOPIC = "careline.relationships"

AssignmentRole = Literal["primary", "secondary", "adviser", "pool_lead"]


class AssignmentStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Who looks after the client in a role from an instant on, until another (exclusive)."""

    since: Instant
    until: Instant | None = None
    person: Code
    role: AssignmentRole
    reason: Code
    run: Code | None = None


class AssignmentChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's owners and team (客户经理与团队) from `changed_from` on are now `stretches` [RE1]."""

    type: ClassVar[str] = "relationships.assignment.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    revision: Count
    changed_from: BusinessDate
    stretches: list[AssignmentStretch]

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.revision}"


class ProfileChanged(PersonalEvent, frozen=True, kw_only=True, gc=False):
    """Contact data of the client was entered (联系方式变更) [CI2]: members not given stay as they were.

    Of several words, the broker's included, the highest (ce_time, ce_id) is in force. `value_id`: the entry.
    """

    type: ClassVar[str] = "relationships.profile.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    value_id: Identifier
    phone: Personal[Phone] | None = None
    email: Personal[Email] | None = None
    address: Personal[Text400] | None = None
    said_at: Instant

    @property
    def identity(self) -> str:
        return self.value_id

    @property
    def happened_at(self) -> datetime:
        return self.said_at


class ObjectionStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """From an instant on the client objects to being viewed by `person` (everybody where not said), or no longer."""

    since: Instant
    person: Code | None = None
    objects: bool


class ObjectionChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's objections to viewing (异议) from `changed_from` on are now `stretches` [A16]."""

    type: ClassVar[str] = "relationships.objection.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    revision: Count
    changed_from: BusinessDate
    stretches: list[ObjectionStretch]

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.revision}"


class GrumbleHeard(Event, frozen=True, kw_only=True, gc=False):
    """A client grumbled in a contact without complaining (牢骚) [A33]: complaints watches for what grows from it."""

    type: ClassVar[str] = "relationships.grumble.heard"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    contact_id: Id
    mood: Code
    heard_at: Instant

    @property
    def identity(self) -> str:
        return str(self.contact_id)

    @property
    def happened_at(self) -> datetime:
        return self.heard_at


class FindingRaised(Event, frozen=True, kw_only=True, gc=False):
    """Something in the service log is for compliance: a forbidden word, an order taken for a client [A12]."""

    type: ClassVar[str] = "relationships.finding.raised"
    topic: ClassVar[str] = TOPIC

    finding_id: Id
    client_id: Identifier
    staff_id: Identifier | None = None
    kind: Code
    subject: Code
    raised_at: Instant

    @property
    def identity(self) -> str:
        return str(self.finding_id)

    @property
    def happened_at(self) -> datetime:
        return self.raised_at


class ContactMade(Event, frozen=True, kw_only=True, gc=False):
    """A service was in contact with a client; each publisher has a subclass with its own topic [A12, RE4]."""

    contact_id: Id
    client_id: Identifier
    person: Code
    channel: Code
    two_way: bool
    valid: bool
    required: bool = False
    restricted: bool = False
    at: Instant

    @property
    def identity(self) -> str:
        return str(self.contact_id)

    @property
    def happened_at(self) -> datetime:
        return self.at


class ContactRequested(Event, frozen=True, kw_only=True, gc=False):
    """A service asks for one of the contacts a client allows a month [RE4]; each publisher has a subclass."""

    request_id: Id
    client_id: Identifier
    not_after: Instant
    asked_at: Instant

    @property
    def identity(self) -> str:
        return str(self.request_id)

    @property
    def happened_at(self) -> datetime:
        return self.asked_at


class ContactDecided(Event, frozen=True, kw_only=True, gc=False):
    """Whether the contact asked for may take place; unused, it comes back at the request's `not_after` [RE4]."""

    type: ClassVar[str] = "relationships.contact.decided"
    topic: ClassVar[str] = TOPIC

    request_id: Id
    client_id: Identifier
    granted: bool
    reason: Text200 = ""
    at: Instant

    @property
    def identity(self) -> str:
        return str(self.request_id)

    @property
    def happened_at(self) -> datetime:
        return self.at


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """Relationships has closed the business date."""

    type: ClassVar[str] = "relationships.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


class ErasureAnswered(platform.ErasureAnswered, frozen=True, kw_only=True, gc=False):
    """Whether anything here still keeps a client from being erased."""

    type: ClassVar[str] = "relationships.erasure.answered"


class ProspectErased(Event, frozen=True, kw_only=True, gc=False):
    """A prospect (潜在客户) was erased: nobody talked to them for too long [CI12]. That there was one stays, what was known goes with
    the key."""

    type: ClassVar[str] = "relationships.prospect.erased"
    topic: ClassVar[str] = "careline.erasures"

    prospect_id: Identifier
    branch_id: Identifier
    erased_at: Instant

    @property
    def key(self) -> str:
        return self.prospect_id

    @property
    def identity(self) -> str:
        return self.prospect_id

    @property
    def happened_at(self) -> datetime:
        return self.erased_at


EVENTS: list[type[Event]] = [
    ErasureAnswered,
    ProspectErased,
    ProfileChanged,
    AssignmentChanged,
    ObjectionChanged,
    GrumbleHeard,
    FindingRaised,
    ContactDecided,
    DayCompleted,
]
