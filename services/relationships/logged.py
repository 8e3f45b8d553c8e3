"""Entering a contact in the service log: checked as it is typed; grumbles and words that are for others are passed on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import asyncpg
from uuid_utils import uuid7

from chassis import staff
from chassis.clock import business_date, start_of
from chassis.errors import FieldError
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from chassis.wording import found_in
from contracts.relationships import FindingRaised, GrumbleHeard
from services.relationships import assignments, contacts, prospects
from services.relationships.contacts import Contact
from services.relationships.errors import WrongValue
from services.relationships.policy import Policies, ServiceLog
from services.relationships.system import SUPPLEMENTARY

_FINDINGS = UUID("2f0b6c64-0f0b-5a55-8a53-7c1b7a0a5a21")
FINDINGS = {"forbidden": "forbidden_word", "order": "order_wording"}
"""Flags that are for compliance, and the kind of the finding each raises."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A contact as it is entered."""

    channel: str
    direction: str
    at: datetime
    two_way: bool
    valid: bool
    outcome: str | None
    mood: str | None
    grumble: bool
    topics: Sequence[str]
    words: str | None
    person: str | None = None
    ref: str = ""
    source: str = contacts.STAFF


def flags_of(words: str, style: str | None, terms: ServiceLog) -> list[str]:
    """What in an entry is for others to look at: phrases nobody says [A17], promises, and orders for a client who depends on us."""
    ordered = found_in(words, terms.order_words) if terms.order_style in (style or "").split() else []
    return [
        *(f"banned:{word}" for word in found_in(words, terms.banned)),
        *(f"forbidden:{word}" for word in found_in(words, terms.forbidden)),
        *(f"order:{word}" for word in ordered),
    ]


async def enter(uow: UnitOfWork, client_id: str, entry: Entry) -> Contact:
    """Keep a contact of the caller's, or of somebody they lead.

    Raises: WrongValue for one of the future, of before the client was opened, too long ago, or of somebody who was not here.
    """
    now = await effective_now(uow.sql, uow.now)
    terms = (await uow.policies(Policies)).service_log.on(business_date(now)).body
    person = entry.person or uow.actor.person
    await _require_possible(uow, client_id, entry.at, now, terms, person)
    if entry.grumble and prospects.is_prospect(client_id):
        raise WrongValue(errors=(FieldError("/grumble", "is a client's: a prospect's is a complaint"),))
    contact_id = UUID(bytes=uuid7().bytes)
    style = await style_of(uow.sql, client_id, entry.at)
    one = made(client_id, entry, contact_id, person, uow.actor.person, now, terms, style)
    await keep(uow, [one])
    uow.audit("log contact", f"contact/{contact_id}", key=client_id, channel=entry.channel, flags=one.flags)
    return one


def made(
    client_id: str, entry: Entry, contact_id: UUID, person: str, entered_by: str, now: datetime, terms: ServiceLog,
    style: str | None,
) -> Contact:  # fmt: skip
    """The contact of an entry, with its flags."""
    late = ["late"] if now - entry.at > timedelta(hours=terms.late_hours) else []
    return Contact(
        contact_id=contact_id, client_id=client_id, source=entry.source, ref=entry.ref or str(contact_id), person=person,
        channel=entry.channel, direction=entry.direction, two_way=entry.two_way, valid=entry.valid, at=entry.at,
        day=business_date(entry.at), outcome=entry.outcome, mood=entry.mood, grumble=entry.grumble,
        topics=list(entry.topics), words=entry.words, flags=[*late, *flags_of(entry.words or "", style, terms)],
        entered_by=entered_by, entered_at=now,
    )  # fmt: skip


async def keep(uow: UnitOfWork, entered: Sequence[Contact]) -> None:
    """Keep contacts that people entered, and pass on what is for others: grumbles to complaints, findings to compliance."""
    await contacts.keep(uow, entered)
    await prospects.note_contacts(uow, [(one.client_id, one.at, one.two_way) for one in entered])
    for one in entered:
        if one.grumble:
            uow.emit(
                GrumbleHeard(
                    client_id=one.client_id, contact_id=one.contact_id, mood=one.mood or "annoyed", heard_at=one.at
                ),
                at=one.at,
            )  # fmt: skip
        _raise(uow, one)


def _raise(uow: UnitOfWork, one: Contact) -> None:
    """One finding of each kind: the words themselves stay here."""
    for flag in sorted({flag.partition(":")[0] for flag in one.flags} & set(FINDINGS)):
        uow.emit(
            FindingRaised(
                finding_id=uuid5(_FINDINGS, f"{one.contact_id}/{flag}"), client_id=one.client_id, staff_id=one.person,
                kind=FINDINGS[flag], subject=f"contact/{one.contact_id}", raised_at=one.entered_at,
            )
        )  # fmt: skip


async def _require_possible(
    uow: UnitOfWork, client_id: str, at: datetime, now: datetime, terms: ServiceLog, person: str
) -> None:
    opened = await uow.sql.fetchval("SELECT opened_on FROM clients WHERE client_id = $1", client_id)
    wrong = ""
    if at > now:
        wrong = "lies in the future"
    elif opened is not None and at < start_of(opened):
        wrong = "lies before the client was opened"
    elif at < now - timedelta(days=terms.entry_days):
        wrong = f"lies more than {terms.entry_days} days back"
    if wrong:
        raise WrongValue(errors=(FieldError("/at", wrong),))
    if person != uow.actor.person and not assignments.works_here(await staff.roster(uow.sql), person, at):
        raise WrongValue(errors=(FieldError("/person", "did not work here then"),))


async def style_of(sql: asyncpg.Connection, client_id: str, at: datetime) -> str | None:
    """The client's decision style as managers entered it by then [A5]."""
    found: str | None = await sql.fetchval(
        """SELECT value FROM information_values WHERE client_id = $1 AND code = $2 AND day <= $3
           ORDER BY day DESC, own DESC, at DESC, fact_id DESC LIMIT 1""",
        client_id,
        SUPPLEMENTARY["STYLE"],
        business_date(at),
    )
    return found
