"""Templates as they would read: the words with fields in them, and how long they are [MS6, MS12]."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import FieldError, Invalid, NotFound
from chassis.http import Reading, permits, router
from chassis.timeline import today
from contracts.fields import Code, Text500
from services.messaging.messages import forbidden, wrong_fields
from services.messaging.policy import OWN_RECORD, Policies
from services.messaging.rules import sms_parts
from services.messaging.texts import sms_text

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


@routes.post("/templates/{kind}/preview")
async def preview(_: Writer, sql: Reading, kind: Code, given: Trial) -> Preview:
    """The words of a template in force, filled in. Nothing is sent."""
    policies, day = await Policies.read(sql), await today(sql)
    version = policies.templates.on(day)
    template = version.body.kinds.get(kind)
    if template is None:
        raise NotFound
    own = {name: value for name, value in given.fields.items() if name not in OWN_RECORD}
    if errors := wrong_fields(template, own):
        raise Invalid(errors=tuple(FieldError(one.pointer, one.detail) for one in errors))
    record = {name: given.fields.get(name, f"[{name}]")[: version.body.lengths[name]] for name in OWN_RECORD}
    subject, body = template.in_language(given.language).filled(record | own)
    signature = policies.filings.on(day).body.signature("own") or ""
    text = sms_text(signature, body, marketing=template.message_class == "MARKETING", language=given.language)
    return Preview(
        kind=kind, message_class=template.message_class, template=version.name, subject=subject, text=text,
        parts=sms_parts(text), words=forbidden(version.body, template, own),
    )  # fmt: skip
