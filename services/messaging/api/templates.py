"""Templates: which are in force and where each is filed, how they would read, and trials to staff [MS6, MS12, MS14]."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.http import Once, Reading, Work, permits, router
from chassis.timeline import today
from contracts.fields import Code, Identifier, Text500
from services.messaging import messages, previews
from services.messaging.api.asking import Asked
from services.messaging.policy import Policies

routes = router("/v1/messaging", "messaging")
Writer = Annotated[Actor, permits("messaging:preview", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)]


class Trial(BaseModel, extra="forbid"):
    """What to fill a template with: its variables, and what would come from a client's record (name, branch, ...)."""

    fields: dict[Code, Text500] = Field(default_factory=dict, description="the template's variables")
    language: Literal["zh-CN", "en"] = "zh-CN"


class Preview(BaseModel):
    """A message as it would read; `text` is that of an SMS with its signature, `parts` how many SMS it counts as."""

    kind: str
    message_class: str
    template: str
    subject: str
    text: str
    parts: int
    words: Annotated[list[str], Field(description="forbidden words in the fields: it would not go")]


class ToStaff(BaseModel, extra="forbid"):
    """A trial: to whom of the staff, by which channel, with what in the blanks."""

    staff_id: Identifier
    channel: Literal["sms", "email"]
    fields: dict[Code, Text500] = Field(default_factory=dict, description="the template's variables")


class Listed(BaseModel):
    """A template in force; `filed`: of each way that files templates what is registered, and its state. `longest_parts`: the SMS
    of the longest message it makes, by language; of one whose words are those of a mailing nothing [MS12]."""

    kind: str
    message_class: str
    ways: Annotated[
        list[str], Field(description="by which ways it may go, the best first", examples=[["own", "email"]])
    ]
    fields: Annotated[
        dict[str, dict[str, str | int]],
        Field(
            description="its variables, each with type and longest value",
            examples=[{"text": {"type": "text", "longest": 120}}],
        ),
    ]
    words: dict[str, dict[str, str]]
    longest_parts: Annotated[
        dict[str, int],
        Field(description="how many SMS its longest message counts as, by language", examples=[{"zh-CN": 3, "en": 2}]),
    ]
    filed: Annotated[
        dict[str, dict[str, str]],
        Field(
            description="its code and state with each provider",
            examples=[{"cloud": {"code": "T-1", "state": "approved"}}],
        ),
    ]


@routes.get("/templates")
async def list_templates(_: Writer, sql: Reading) -> list[Listed]:
    """Every template in force, with its words and where it is filed."""
    policies, day = await Policies.read(sql), await today(sql)
    filings, book = policies.filings.on(day).body.templates, policies.templates.on(day).body
    return [
        Listed(
            kind=kind, message_class=one.message_class, ways=list(one.ways),
            fields={name: {"type": field.type, "longest": field.longest} for name, field in one.fields.items()},
            words={
                language: {"subject": words.subject, "body": words.body}
                for language, words in (("zh-CN", one.zh), ("en", one.en))
            },
            longest_parts={
                language: book.parts(one, language) for language in ("zh-CN", "en") if one.goes_by_sms and not one.ordered
            },
            filed={filing.way: {"code": filing.code, "state": filing.state} for filing in filings if filing.kind == kind},
        )
        for kind, one in sorted(book.kinds.items())
    ]  # fmt: skip


@routes.post("/templates/{kind}/preview")
async def preview(_: Writer, sql: Reading, kind: Code, given: Trial) -> Preview:
    """The words of a template in force, filled in. Nothing is sent."""
    found = await previews.preview(sql, kind, given.fields, given.language)
    return Preview.model_validate(found, from_attributes=True)


@routes.post("/templates/{kind}/trial", status_code=201)
async def send_trial(_: Writer, uow: Work, once: Once, kind: Code, given: ToStaff) -> Asked:
    """Send a template to a registered address of a member of staff, and to nobody else [MS14]."""
    key: UUID = await previews.trial(uow, kind, given.staff_id, given.channel, given.fields)
    row = await messages.find(uow, key)
    assert row is not None
    return Asked.model_validate(messages.told(row))
