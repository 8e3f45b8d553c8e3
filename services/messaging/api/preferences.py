"""A client's choice over HTTP."""

from datetime import datetime, time
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from chassis.actor import Role
from chassis.errors import FieldError, Invalid
from chassis.http import Reading, Tagged, Work, etag, router
from chassis.timeline import effective_now, today
from contracts.fields import Code, Identifier, form_of, text_of
from contracts.messaging import Channel, MessageClass
from services.messaging import preferences
from services.messaging.api.access import Chooser, Reader, require_client
from services.messaging.policy import Policies
from services.messaging.preferences import SELF, STAFF, Choice
from services.messaging.tables import ConsentRow, PreferenceRow

routes = router("/v1/messaging", "messaging")
Clock = Annotated[str, form_of("([01][0-9]|2[0-3]):[0-5][0-9]", 5, "a time of day in Shanghai", "09:00")]


class Hours(BaseModel, extra="forbid"):
    """From when until when of a day messages are welcome."""

    since: Clock
    until: Clock


class Consent(BaseModel):
    """One word on a class of messages, as it stands in the file."""

    consent_id: UUID
    message_class: str
    channel: str | None
    allowed: bool
    since: datetime
    recorded_by: str
    how: str
    wording: str
    evidence: str


class Preferences(BaseModel):
    """What a client chose, and every consent and opt-out, oldest first."""

    client_id: str
    language: str
    refused: list[str]
    hours: Hours | None
    consents: list[Consent]


class ConsentGiven(BaseModel, extra="forbid"):
    """A consent (or an opt-out) to a class, by a channel or by all; `wording`: the version of the words agreed to."""

    message_class: MessageClass
    channel: Channel | None = None
    allowed: bool
    wording: Code = "1"


class Wishes(BaseModel, extra="forbid"):
    """What a client wishes; what is not given stays. Staff say by what evidence they know."""

    language: Literal["zh-CN", "en"] | None = None
    refused: Annotated[list[Channel] | None, Field(description="channels the client does not want")] = None
    hours: Hours | None = None
    any_hour: Annotated[bool, Field(description="true takes hours back")] = False
    consents: list[ConsentGiven] = Field(default_factory=list, max_length=20)
    evidence: Annotated[str, text_of(200)] = ""


@routes.get("/clients/{client_id}/preferences")
async def read_preferences(actor: Reader, sql: Reading, client_id: Identifier, response: Tagged) -> Preferences:
    """A client's language, channels, hours, consents and opt-outs."""
    await require_client(sql, actor, client_id)
    chosen = await preferences.read(sql, client_id, await effective_now(sql))
    response.headers["etag"] = etag(chosen.revision)
    return _shown(chosen, await preferences.consents(sql, client_id))


@routes.put("/clients/{client_id}/preferences")
async def set_preferences(actor: Chooser, uow: Work, client_id: Identifier, given: Wishes) -> Preferences:
    """Set what a client wishes, from now on. Codes and notices cannot be stopped: without a wanted channel they take
    another."""
    await require_client(uow.sql, actor, client_id)
    if actor.role is not Role.CLIENT and not given.evidence:
        raise Invalid(errors=(FieldError("body#/evidence", "by what do you know? A recording, a form, a letter"),))
    classes = (await uow.policies(Policies)).sending.on(await today(uow.sql)).body.classes
    errors = [
        FieldError(f"body#/consents/{number}/message_class", "cannot be stopped, and needs no consent")
        for number, one in enumerate(given.consents)
        if not classes[one.message_class].stoppable
    ]
    if errors:
        raise Invalid(errors=tuple(errors))
    span = given.hours
    hours = (time.fromisoformat(span.since), time.fromisoformat(span.until)) if span else None
    now = await effective_now(uow.sql, uow.now)
    await preferences.choose(
        uow, client_id, language=given.language, refused=given.refused, hours=hours, any_hour=given.any_hour, at=now
    )
    if given.consents:
        await preferences.note_choices(
            uow,
            client_id,
            [
                Choice(message_class=one.message_class, channel=one.channel, allowed=one.allowed, wording=one.wording)
                for one in given.consents
            ],
            how=SELF if actor.role is Role.CLIENT else STAFF,
            evidence=given.evidence,
            since=now,
        )
    uow.audit(
        "preferences_set", f"client/{client_id}", key=client_id, **given.model_dump(mode="json", exclude_unset=True)
    )
    return _shown(await preferences.read(uow.sql, client_id, now), await preferences.consents(uow.sql, client_id))


def _shown(chosen: PreferenceRow, words: list[ConsentRow]) -> Preferences:
    begin, end = chosen.hours_from, chosen.hours_until
    return Preferences(
        client_id=chosen.client_id,
        language=chosen.language or "zh-CN",
        refused=chosen.refused,
        hours=Hours(since=f"{begin:%H:%M}", until=f"{end:%H:%M}") if begin is not None and end is not None else None,
        consents=[
            Consent(
                consent_id=one.consent_id, message_class=one.message_class, channel=one.channel, allowed=one.allowed,
                since=one.since, recorded_by=one.recorded_by, how=one.how, wording=one.wording, evidence=one.evidence,
            )
            for one in words
        ],
    )  # fmt: skip
