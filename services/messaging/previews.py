"""Templates as they would read, and trials sent to registered addresses of staff [MS6, MS12, MS14]."""

from collections.abc import Mapping
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils import uuid7

from chassis.errors import FieldError, Invalid, NotFound
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from services.messaging import messages, registrations
from services.messaging.messages import Wanted, forbidden, wrong_fields
from services.messaging.policy import OWN_RECORD, Policies, Template
from services.messaging.rules import sms_parts
from services.messaging.texts import sms_text


class Preview(msgspec.Struct, frozen=True):
    """A message as it would read; `text` is that of an SMS with its signature, `parts` how many SMS it counts as, `words` the
    forbidden ones in the fields: it would not go."""

    kind: str
    message_class: str
    template: str
    subject: str
    text: str
    parts: int
    words: list[str]


async def preview(sql: asyncpg.Connection, kind: str, fields: Mapping[str, str], language: str) -> Preview:
    """The words of a template in force, filled in; what comes from a client's record is given, or shown by its name.

    Raises: NotFound, Invalid.
    """
    policies, day = await Policies.read(sql), await today(sql)
    version = policies.templates.on(day)
    template = version.body.kinds.get(kind)
    if template is None:
        raise NotFound
    own = {name: value for name, value in fields.items() if name not in OWN_RECORD}
    _check(template, own)
    record = {name: fields.get(name, f"[{name}]")[: version.body.lengths[name]] for name in OWN_RECORD}
    subject, body = template.in_language(language).filled(record | own)
    signature = policies.filings.on(day).body.signature("own") or ""
    text = sms_text(signature, body, marketing=template.message_class == "MARKETING", language=language)
    hits = forbidden(version.body, template, own)
    return Preview(kind, template.message_class, version.name, subject, text, sms_parts(text), hits)


async def trial(uow: UnitOfWork, kind: str, staff_id: str, channel: str, fields: Mapping[str, str]) -> UUID:
    """Send a template to a member of staff, by a channel for which they have an address registered; the message's id.

    Raises: NotFound, Invalid: wrong fields, nothing registered.
    """
    policies = await uow.policies(Policies)
    template = policies.templates.on(await today(uow.sql)).body.kinds.get(kind)
    if template is None:
        raise NotFound
    _check(template, fields)
    if not any(one.channel == channel for one in await registrations.of_staff(uow.sql, [staff_id])):
        raise Invalid(errors=(FieldError("body#/staff_id", f"has no address for {channel} registered [MS14]"),))
    now = await effective_now(uow.sql, uow.now)
    one = Wanted(
        staff_id=staff_id, kind=kind, cause=f"trial/{uuid7()}", fields=fields, asked_by=uow.actor.person, asked_at=now,
        required=True, channels=[channel],
    )  # fmt: skip
    await messages.ask(uow, [one], now)
    uow.audit("trial_asked", f"message/{one.message_id}", kind=kind, staff=staff_id, channel=channel)
    return one.message_id


def _check(template: Template, fields: Mapping[str, str]) -> None:
    if errors := wrong_fields(template, fields):
        raise Invalid(errors=tuple(FieldError(one.pointer, one.detail) for one in errors))
