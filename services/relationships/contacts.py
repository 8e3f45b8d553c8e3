"""The service log (服务日志): every contact of every service with a client, once, as it was heard or entered [A12].

What another service or system saw is evidence; what somebody enters fills the gaps. An entry beside which evidence lies
(the same client, person and channel, minutes apart) is the same contact: it adds its words, and is not counted again.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

import asyncpg
import msgspec
from sqlalchemy import Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from chassis.clock import business_date
from chassis.rows import Column, Row, columns, fetch, lists, table
from chassis.uow import UnitOfWork
from contracts.broker import ContactRecorded
from contracts.callbacks import TaskAttempted
from contracts.complaints import CaseOpened
from contracts.messaging import MessageChanged, ReplyReceived
from services.relationships.tables import metadata

_NAMES = UUID("b4a6a2a4-53f5-5c0f-9d53-4b8a6f1f0c12")
STAFF, VISITS = "staff", "visits"
WRITTEN = ("sms", "email", "letter", "app")
"""Channels on which nobody talks: a contact there is two-way only where its source says that it was valid."""
TALKED = ("identity_failed", "not_convenient", "deceased")
"""Results of calls in which somebody answered without a valid contact [B20]."""
BOOKED = "booking:"
"""Who booked an opening is a prospect; other ids with a colon are of calls and enquiries of nobody known."""
QUIET_RULES = ("manager_left", "surveillance", "abnormal")
"""Callbacks whose reason is not for the people of a branch to read [B5, B6]."""


class Contact(Row, frozen=True):
    """A contact with a client: who, how, when, and what came of it."""

    contact_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    client_id: str
    source: Annotated[str, Column(comment="the service that tells, broker, visits, or staff: entered by hand")]
    ref: Annotated[str, Column(comment="its id there")]
    person: Annotated[str | None, Column(comment="who was in contact; none: a system")]
    channel: str
    direction: Annotated[str, Column(comment="in, out")]
    two_way: bool
    valid: Annotated[bool, Column(comment="identity was verified and they talked [B3]")]
    at: datetime
    day: date
    outcome: str | None
    mood: Annotated[str | None, Column(comment="calm, annoyed, angry")]
    grumble: Annotated[bool, Column(comment="they grumbled without complaining [A33]")]
    topics: Annotated[list[str], Column(ARRAY(Text))]
    words: Annotated[str | None, Column(comment="masked")]
    flags: Annotated[list[str], Column(ARRAY(Text), comment="late, banned:PHRASE, forbidden:WORD, order:WORD")]
    entered_by: str | None
    entered_at: Annotated[datetime, Column(comment="when it was entered, or heard")]


contacts = table(
    "contacts",
    metadata,
    Contact,
    Index(None, "client_id", text("at DESC"), text("contact_id DESC")),
    Index(None, "person", "day"),
    Index("ix_contacts_valid", "client_id", text("at DESC"), postgresql_where=text("valid AND two_way")),
    Index("ix_contacts_flagged", "day", postgresql_where=text("flags <> '{}'")),
)
COLUMNS = columns(Contact, "c")


def evidence(minutes: str, found: str = "e.contact_id") -> str:
    """SQL: the evidence beside an entry `c` made by hand, at most so many minutes apart, the nearest."""
    return f"""(SELECT {found} FROM contacts e
        WHERE c.source = '{STAFF}' AND e.client_id = c.client_id AND e.source <> '{STAFF}' AND e.person = c.person
          AND e.channel = c.channel AND e.at BETWEEN c.at - make_interval(mins => {minutes})
                                                 AND c.at + make_interval(mins => {minutes})
        ORDER BY abs(extract(epoch FROM e.at - c.at)), e.contact_id LIMIT 1)"""


def named(source: str, ref: str) -> UUID:
    """The id of the contact that a source tells under an id of its own."""
    return uuid5(_NAMES, f"{source}/{ref}")


def heard(
    uow: UnitOfWork, source: str, ref: str, client_id: str, person: str | None, channel: str, direction: str,
    at: datetime, *, two_way: bool, valid: bool = False, outcome: str | None = None, topics: Iterable[str] = (),
) -> Contact:  # fmt: skip
    """A contact as a source tells it."""
    return Contact(
        contact_id=named(source, ref), client_id=client_id, source=source, ref=ref, person=person, channel=channel,
        direction=direction, two_way=two_way, valid=valid, at=at, day=business_date(at), outcome=outcome, mood=None,
        grumble=False, topics=list(topics), words=None, flags=[], entered_by=None, entered_at=uow.now,
    )  # fmt: skip


async def keep(uow: UnitOfWork, found: Iterable[Contact]) -> None:
    """Keep contacts, each once. Of a message the first time it went out counts, and the last state."""
    first: dict[UUID, Contact] = {}
    for one in found:
        known = first.get(one.contact_id)
        first[one.contact_id] = one if known is None else _merged(known, one)
    if not first:
        return
    # Lists as one text each: an array of lists would have two dimensions.
    rows = [
        msgspec.structs.replace(one, topics="\n".join(one.topics), flags="\n".join(one.flags))
        for _, one in sorted(first.items())
    ]
    await uow.sql.execute(
        f"""INSERT INTO contacts AS c ({columns(Contact)})
            SELECT contact_id, client_id, source, ref, person, channel, direction, two_way, valid, at, day, outcome, mood,
                   grumble, string_to_array(topics, E'\\n'), words, string_to_array(flags, E'\\n'), entered_by, entered_at
            FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[],
                        $9::bool[], $10::timestamptz[], $11::date[], $12::text[], $13::text[], $14::bool[], $15::text[],
                        $16::text[], $17::text[], $18::text[], $19::timestamptz[]) AS n({columns(Contact)})
            ON CONFLICT (contact_id) DO UPDATE SET at = least(c.at, excluded.at), day = least(c.day, excluded.day),
                outcome = CASE WHEN c.outcome = 'delivered' THEN c.outcome ELSE excluded.outcome END
            WHERE c.source = 'messaging'""",
        *lists(rows),
    )


def _merged(known: Contact, other: Contact) -> Contact:
    earlier = min(known, other, key=lambda one: one.at)
    states = {known.outcome, other.outcome}
    return Contact(
        **{name: getattr(earlier, name) for name in Contact.__struct_fields__}
        | {"outcome": "delivered" if "delivered" in states else other.outcome}
    )


async def hear_attempts(events: Sequence[TaskAttempted], uow: UnitOfWork) -> None:
    """Calls, visits and letters of callbacks: an internal review is no contact with the client."""
    await keep(
        uow,
        [
            heard(
                uow, "callbacks", str(one.attempt_id), one.client_id, one.agent, one.channel, "out", one.attempted_at,
                two_way=one.valid_contact or one.outcome in TALKED, valid=one.valid_contact, outcome=one.outcome,
                topics=() if one.rule in QUIET_RULES else (one.rule,),
            )
            for one in events
            if one.channel != "internal" and (":" not in one.client_id or one.client_id.startswith(BOOKED))
        ],
    )  # fmt: skip


async def hear_recorded(events: Sequence[ContactRecorded], uow: UnitOfWork) -> None:
    """Contacts that other systems saw."""
    await keep(
        uow,
        [
            heard(
                uow, "broker", one.contact_id, one.client_id, one.staff_id, one.channel, one.direction, one.at,
                two_way=one.valid or one.channel not in WRITTEN, valid=one.valid, topics=one.topics,
            )
            for one in events
            if one.client_id is not None
        ],
    )  # fmt: skip


async def hear_cases(events: Sequence[CaseOpened], uow: UnitOfWork) -> None:
    """Clients who came with a case of their own: a regulator's letter, or what compliance keeps, is no contact."""
    await keep(
        uow,
        [
            heard(
                uow, "complaints", one.case_id, one.client_id, None, one.channel, "in", one.received_at,
                two_way=one.channel not in WRITTEN, topics=(one.kind,),
            )
            for one in events
            if one.client_id is not None and not one.restricted and one.source == "client"
        ],
    )  # fmt: skip


async def hear_messages(events: Sequence[MessageChanged], uow: UnitOfWork) -> None:
    """Messages that went out: one-way [RE4]."""
    await keep(
        uow,
        [
            heard(
                uow, "messaging", str(one.message_id), one.client_id, None, one.channel, "out", one.at, two_way=False,
                outcome=one.state, topics=(one.kind,),
            )
            for one in events
            if one.client_id is not None and one.channel is not None and one.state in ("handed", "delivered")
        ],
    )  # fmt: skip


async def hear_replies(events: Sequence[ReplyReceived], uow: UnitOfWork) -> None:
    """Replies that came in: what they say stays in messaging."""
    await keep(
        uow,
        [
            heard(
                uow, "messaging", one.inbound_id, one.client_id, None, "sms", "in", one.at, two_way=False,
                outcome=one.command,
            )
            for one in events
            if one.client_id is not None
        ],
    )  # fmt: skip


async def listed(
    sql: asyncpg.Connection, client_id: str, minutes: int, after: Sequence[Any] | None, limit: int
) -> list[tuple[Contact, UUID | None]]:
    """A client's contacts, newest first, each with the evidence beside it."""
    rows = await sql.fetch(
        f"""SELECT {COLUMNS}, {evidence("$3::int")} FROM contacts c
            WHERE c.client_id = $1 AND ($4::text IS NULL OR (c.at, c.contact_id) < ($4::text::timestamptz, $5::uuid))
            ORDER BY c.at DESC, c.contact_id DESC LIMIT $2""",
        client_id,
        limit,
        minutes,
        *(after or (None, None)),
    )
    return [(Contact(*row[:-1]), row[-1]) for row in map(tuple, rows)]


async def flagged(
    sql: asyncpg.Connection,
    first: date,
    last: date,
    scope: str,
    arguments: Sequence[Any],
    after: str | None,
    limit: int,
    hidden: Sequence[str],
) -> list[Contact]:
    """Entries of these days in which something is for somebody to look at, oldest first [A14, A17]. `hidden`: flags that are not
    for who asks."""
    return await fetch(
        sql,
        Contact,
        f"""SELECT {COLUMNS} FROM contacts c JOIN clients k USING (client_id)
            WHERE c.flags <> '{{}}' AND EXISTS (SELECT FROM unnest(c.flags) f WHERE split_part(f, ':', 1) <> ALL($5::text[])) AND c.day BETWEEN $1 AND $2 AND ($3::uuid IS NULL OR c.contact_id > $3)
              AND {scope.replace("branch_id", "k.branch_id")}
            ORDER BY c.contact_id LIMIT $4""",
        first,
        last,
        after,
        limit,
        list(hidden),
        *arguments,
    )
