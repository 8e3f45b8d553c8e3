"""What people fill in to do something to a case: field types and the body of each act of the table."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chassis.http.persons import PersonId
from chassis.personal import mask_text
from contracts.fields import BusinessDate, Code, Id, Instant, Label, Money, number_of, text_of

Name = Code
Spoken = Annotated[str, text_of(20_000, 1)]
Words = Annotated[Spoken, AfterValidator(mask_text)]
"""Free text, masked before anything sees it; `Spoken` is what intake keeps encrypted beside the masked form [C29]."""
Day = BusinessDate


class Body(BaseModel):
    """A request's body: unknown fields are refused. `at`: when it happened, where it is recorded later."""

    model_config = ConfigDict(extra="forbid")


class Entered(Body):
    """An act; `at` is when it happened, where a rule lets it be entered later (or the home is a replayed one)."""

    at: Instant | None = None


class Noted(Entered):
    """An act with a reason."""

    reason: Words


class HandOver(Entered):
    """To whom the case is offered: they own it once they accept [C8]."""

    to: PersonId


class Assignment(Noted):
    """Who owns the case from now on, and why [C8]."""

    to: PersonId


class PhoneNotice(Entered):
    """The call to the branch's general manager [C4]."""

    to: PersonId
    recording: Label


class Solution(Entered):
    """What centre and branch talked through [C10]."""

    words: Words


class Feedback(Entered):
    """What the branch found and did; nothing of it may be missing [C10]."""

    facts: Words
    responsible: Words
    responsible_ids: Annotated[list[PersonId], Field(max_length=20)] = Field(
        default_factory=list, description="those of the staff who are responsible", examples=[["m-1"]]
    )
    action: Words
    reaction: Words
    upheld: bool


class Waiting(Noted):
    """For whom the case waits, and about until when [C23, C27]."""

    waits_for: Literal["customer", "third_party"]
    expected_end: Instant | None = None


class PromiseGiven(Entered):
    """The time by which the complainant was promised a result [C6]."""

    due: Instant
    reason: Annotated[str, text_of(20_000), AfterValidator(mask_text)] = ""


class Rejection(Noted):
    """Why the case is not taken on, and how the complainant can go further: 12386, mediation [C23]."""

    further: Words


class CameToLight(Noted):
    """What is known now and was not at intake; whether it makes the case major, the rules decide."""

    allegations: Annotated[list[Label], Field(max_length=20)] = Field(default_factory=list)
    claim: Money | None = None
    complainants: Annotated[int, number_of(1, 100000)] = 1
    public_risk: bool = Field(False, description="media or stability risk")


class Correction(Noted):
    """What is right: the branch, the category or the client; what is left out stays."""

    client_id: Code | None = None
    branch_id: Code | None = None
    category: Label | None = None


class Demand(Entered):
    """What the complainant wants [C13]."""

    what: Annotated[Label, AfterValidator(mask_text)]
    amount: Money | None = None


class Link(Entered):
    """Another case and how they belong together; nothing is merged."""

    other_id: Id
    relation: Literal["same_matter", "member_of"]


class Contact(Entered):
    """A contact with the complainant [C25]."""

    channel: Name
    about: Words
    recording: Label | None = None


class About(BaseModel):
    """What an act of a case is about: one of its demands, suggestions or links, and what was entered."""

    id: str
    reason: str = ""
    at: Instant | None = None


class Conclusion(Entered):
    """What a conduct case comes to: upheld or not, the measure, the circular (通报) [C28]."""

    upheld: bool
    measure: Words
    circular: Words


class CarriedOut(Entered):
    """How a plan or a corrective action was carried out."""

    evidence: Words
