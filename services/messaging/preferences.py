"""A client's choice: language, channels, hours, consents and opt-outs, each with who, when and how [MS7, MS8]."""

from collections.abc import Sequence
from datetime import datetime, time
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils import uuid7

from chassis import rows
from chassis.clock import business_date
from chassis.errors import FieldError, Invalid
from chassis.uow import UnitOfWork
from contracts.messaging import ConsentChanged, ConsentStretch
from services.messaging.tables import ConsentRow, PreferenceRow

SELF, STAFF, REPLY = "self", "staff", "reply"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A word on a class of messages, by one channel or by all."""

    message_class: str
    allowed: bool
    channel: str | None = None
    wording: str = ""


async def read(sql: asyncpg.Connection, client_id: str, now: datetime) -> PreferenceRow:
    """What a client chose; of one who never said anything, that."""
    columns = rows.columns(PreferenceRow)
    found = await rows.fetch(sql, PreferenceRow, f"SELECT {columns} FROM preferences WHERE client_id = $1", client_id)
    return found[0] if found else PreferenceRow(client_id, None, [], None, None, 0, now)


async def consents(sql: asyncpg.Connection, client_id: str) -> list[ConsentRow]:
    """Every word of a client's on consents and opt-outs, and those of replies from their number, oldest first."""
    return await rows.fetch(
        sql,
        ConsentRow,
        f"""SELECT {rows.columns(ConsentRow, "k")} FROM consents k WHERE k.client_id = $1
              OR k.number = (SELECT phone_token FROM clients WHERE client_id = $1)
            ORDER BY k.since, k.consent_id""",
        client_id,
    )


async def choose(
    uow: UnitOfWork,
    client_id: str,
    *,
    language: str | None,
    refused: Sequence[str] | None,
    hours: tuple[time, time] | None,
    any_hour: bool,
    at: datetime,
) -> None:
    """Take over a client's wishes; what is not given stays."""
    if hours is not None and hours[0] == hours[1]:
        raise Invalid(errors=(FieldError("body#/hours", "ends when it begins"),))
    await uow.sql.execute(
        """INSERT INTO preferences AS p (client_id, language, refused, hours_from, hours_until, changed_at)
           VALUES ($1, $2, coalesce($3::text[], '{}'), $4, $5, $7)
           ON CONFLICT (client_id) DO UPDATE SET language = coalesce($2, p.language),
               refused = coalesce($3::text[], p.refused),
               hours_from = CASE WHEN $6 THEN $4 ELSE coalesce($4, p.hours_from) END,
               hours_until = CASE WHEN $6 THEN $5 ELSE coalesce($5, p.hours_until) END,
               revision = p.revision + 1, changed_at = $7""",
        client_id,
        language,
        None if refused is None else sorted(set(refused)),
        hours[0] if hours else None,
        hours[1] if hours else None,
        any_hour,
        at,
    )


async def note_choices(
    uow: UnitOfWork, client_id: str, choices: Sequence[Choice], *, how: str, evidence: str, since: datetime,
    number: str | None = None,
) -> None:  # fmt: skip
    """Keep words on consents, in order, and tell how the client's consents stand from then on."""
    made = [
        ConsentRow(
            UUID(bytes=uuid7().bytes), None if number else client_id, number, one.message_class, one.channel,
            one.allowed, since, uow.now, uow.actor.person, how, one.wording, evidence,
        )
        for one in choices
    ]  # fmt: skip
    await keep(uow, made)
    await tell(uow, client_id, since)


async def keep(uow: UnitOfWork, made: Sequence[ConsentRow]) -> None:
    """Keep words as they are given."""
    await uow.sql.copy_records_to_table(
        "consents",
        records=[msgspec.structs.astuple(one) for one in made],
        columns=ConsentRow.__struct_fields__,
    )


async def tell(uow: UnitOfWork, client_id: str, since: datetime) -> None:
    """Tell a client's consents from an instant on, under the next revision."""
    revision: int = await uow.sql.fetchval(
        """INSERT INTO consent_revisions AS r (client_id, revision) VALUES ($1, 1)
           ON CONFLICT (client_id) DO UPDATE SET revision = r.revision + 1 RETURNING revision""",
        client_id,
    )
    known = await consents(uow.sql, client_id)
    uow.emit(
        ConsentChanged(
            client_id=client_id,
            revision=revision,
            changed_from=business_date(since),
            stretches=[
                ConsentStretch(
                    since=one.since, message_class=one.message_class, channel=one.channel,  # type: ignore[arg-type]
                    allowed=one.allowed,
                )
                for one in known
                if business_date(one.since) >= business_date(since)
            ],
        ),
        at=uow.now,
    )  # fmt: skip
