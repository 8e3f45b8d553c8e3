"""Sending: one row, one id; `handed` is written before anything leaves, so that nothing is ever sent twice blindly [MS2, MS13].

A turn holds a session lock under its own id, and every message it has in hand names that id. If the turn dies, at any
point, its lock goes: the next one finds what it had in hand and asks the provider where that can be asked, else notes
`unknown`. A code (VERIFY) alone is sent again. Bookkeeping that fails sends nothing again: the message stays in hand.

Each way has a loop of its own, so that a slow provider delays nobody else's.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from time import monotonic
from uuid import UUID

import asyncpg
import msgspec
import structlog
from uuid_utils import uuid7

from chassis import rows
from chassis.clock import business_date
from chassis.database import Database, connect
from chassis.outages import is_outage
from chassis.personal.keys import Value
from chassis.staff import roster
from chassis.timeline import Timeline
from chassis.uow import UnitOfWork
from contracts.classification import TIERS
from contracts.messaging import AddressFailed
from services.messaging import receipts, registrations
from services.messaging.addresses import fail_address
from services.messaging.hand_over import COMPLETE
from services.messaging.judging import Known, judge_many, recipients
from services.messaging.messages import FIELDS, tell, write, wrong_fields
from services.messaging.policy import Policies, Sending, Template, WayTerms, Wording
from services.messaging.ports.adapters import ports
from services.messaging.ports.html import framed
from services.messaging.ports.port import Answer, Handed, Letter, Port, Result, kept_open, plain
from services.messaging.rules import Verdict, sms_parts
from services.messaging.settings import MessageSettings
from services.messaging.tables import MessageRow, message_columns
from services.messaging.texts import sms_text

log = structlog.get_logger()
JUDGED_AT_ONCE = 2_000
BATCHES_A_TURN = 20
CLAIMED_AT_ONCE = 500
"""A second's worth of messages is claimed by the same few questions, and not more than this."""
SLOW_SECONDS = 2.0
"""What a slow provider answered is noted so often."""
WAYS = ("own", "cloud", "email", "wecom", "app")
FIRST_LOOK = timedelta(minutes=1)
"""So long after handing over a provider that brings no receipts is first asked for one."""
AWAITING = "awaiting_member"
"""Why a message that was handed over has not gone: its member has to confirm it [MS15]."""
NOT_CONFIRMED = "member_did_not_confirm"
"""Why one that was taken back before its member confirmed it did not go."""
NOBODY = {"zh-CN": "客户", "en": "client"}


# --- judging what is due ---------------------------------------------------------------------------------------------


async def judge_due(database: Database, at: datetime | None = None) -> bool:
    """Judge planned messages whose time has come; True when there may be more."""
    if not await _anything(database, "state = 'planned'", at):
        return False
    async with database.unit_of_work() as uow:
        now = at or uow.now
        due = await _due(uow, "state = 'planned'", now, JUDGED_AT_ONCE)
        await write(uow, due, await judge_many(uow, due, now), now)
    return len(due) == JUDGED_AT_ONCE


async def _anything(database: Database, condition: str, at: datetime | None) -> bool:
    """Whether a real home has something due; one that is simulated, that nobody has named, or that waits for what callbacks
    hands over, sends nothing."""
    async with database.reading() as sql:
        found: bool = await sql.fetchval(
            f"""SELECT EXISTS (SELECT FROM timeline WHERE timeline = $1) AND {COMPLETE} AND EXISTS (
                   SELECT FROM messages WHERE {condition} AND due_at <= coalesce($2, clock_timestamp()))""",
            Timeline.REAL.value,
            at,
        )
    return found


async def _due(uow: UnitOfWork, condition: str, now: datetime, limit: int) -> list[MessageRow]:
    return await rows.fetch(
        uow.sql,
        MessageRow,
        f"""SELECT {message_columns()} FROM messages WHERE {condition} AND due_at <= $1
            ORDER BY due_at, message_id LIMIT $2 FOR UPDATE SKIP LOCKED""",
        now,
        limit,
    )


# --- a turn of one way -----------------------------------------------------------------------------------------------


class Pace:
    """Not faster than a provider takes: how long to wait before the next."""

    def __init__(self) -> None:
        self._free = 0.0

    def wait_seconds(self, count: int, per_second: int) -> float:
        """Take the time of so many messages; how long until they may go."""
        now = monotonic()
        begin = max(now, self._free)
        self._free = begin + count / per_second
        return begin - now


async def send_by_itself(database: Database, way: str, pace: Pace, by: Mapping[str, Port] | None = None) -> bool:
    """One turn of a way's loop: what dead turns had in hand, then what is due. True when there may be more."""
    waiting = await _anything(database, f"state = 'queued' AND way = '{way}'", None)
    if not waiting and not await _in_hand(database, way):
        return False
    port = (by or ports(MessageSettings(), database.settings.home)).get(way)
    return port is not None and await send_due(database, way, port, pace=pace) > 0


async def send_due(
    database: Database, way: str, port: Port, at: datetime | None = None, pace: Pace | None = None
) -> int:
    """Send what is due by a way. Returns how many messages were in hand; `at` is the moment it counts as done."""
    count = 0
    async with _turn(database) as (turn, alone), kept_open(port):
        await resolve_left(database, way, port, alone, turn, at)
        for _ in range(BATCHES_A_TURN):
            async with database.unit_of_work() as uow:
                letters, terms = await _claim(uow, way, turn, at or uow.now)
            if not letters:
                break
            count += len(letters)
            await _send_all(database, port, letters, terms.ways[way], turn, at, pace)
    return count


async def _send_all(
    database: Database, port: Port, letters: Sequence[Letter], terms: WayTerms, turn: UUID, at: datetime | None,
    pace: Pace | None,
) -> None:  # fmt: skip
    """Hand over what was claimed, as fast as the provider takes it; its answers are noted together, or when it is slow as
    they come."""
    answers, noted = dict[str, Answer](), monotonic()
    for first in range(0, len(letters), terms.at_once):
        part = letters[first : first + terms.at_once]
        if pace is not None and (wait := pace.wait_seconds(len(part), terms.per_second)):
            await asyncio.sleep(wait)
        answers |= await _handed_over(port, part, at)
        if monotonic() - noted > SLOW_SECONDS:
            await _note_all(database, answers, turn, at)
            answers, noted = {}, monotonic()
    if answers:
        await _note_all(database, answers, turn, at)


@asynccontextmanager
async def _turn(database: Database) -> AsyncIterator[tuple[UUID, asyncpg.Connection]]:
    """A turn's id, locked for as long as the turn lives."""
    turn = UUID(bytes=uuid7().bytes)
    alone = await connect(database.url)
    try:
        await alone.execute("SELECT pg_advisory_lock(hashtextextended($1, 17))", str(turn))
        yield turn, alone
    finally:
        await alone.close()


async def _handed_over(port: Port, letters: Sequence[Letter], at: datetime | None) -> dict[str, Answer]:
    """What the adapter says, in plain values; an adapter that fails says nothing about any of them."""
    try:
        said = await port.send(letters)
    except Exception as error:  # a fault of ours: shown, and no message is sent again because of it
        log.exception("an adapter failed", adapter=type(port).__name__)
        said, why = {}, plain(repr(error))
    else:
        why = "no answer"
    answers = {one.message_id: said.get(one.message_id, Answer(Result.UNCLEAR, reason=why)) for one in letters}
    open_ones = [one for one in letters if answers[one.message_id].result is Result.UNCLEAR]
    if open_ones:
        answers |= await port.ask([Handed(one.message_id, one.address, at) for one in open_ones])
    return answers


async def _claim(uow: UnitOfWork, way: str, turn: UUID, now: datetime) -> tuple[list[Letter], Sending]:
    """Judge the next messages of a way once more, and take in hand those that go: from here on they count as handed."""
    # One after the other: caps are exact however many workers there are.
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('messaging claims', 17))")
    policies, day = await uow.policies(Policies), business_date(now)
    sending, book = policies.sending.on(day).body, policies.templates.on(day).body
    terms = sending.ways[way]
    limit = max(terms.at_once, min(terms.per_second, CLAIMED_AT_ONCE))
    due = await _due(uow, f"state = 'queued' AND way = '{way}'", now, limit)
    verdicts = await judge_many(uow, due, now)
    going = [row for row in due if verdicts[row.message_id].way == way]
    words = await _composed(uow, going, way, now)
    ready = {key: one for key, one in words.items() if isinstance(one, Words)}
    verdicts |= {key: Verdict("suppressed", one) for key, one in words.items() if isinstance(one, str)}
    others = [row for row in due if row.message_id not in ready]
    await write(uow, others, {row.message_id: verdicts[row.message_id] for row in others}, now)
    signature = policies.filings.on(day).body.signature(way) or ""
    members = await _members(uow, going) if way == "wecom" else {}
    letters, taken = list[Letter](), list[tuple[MessageRow, Words, Letter, UUID | None]]()
    filings = policies.filings.on(day).body
    mergeable = (
        {} if way in filings.templates_filed else book.kinds
    )  # a provider that fills templates fills one at a time
    for group in _merged([row for row in going if row.message_id in ready], mergeable):
        code = filings.code(group[0].kind, way) or ""
        letter = _letter(group[0], [ready[row.message_id] for row in group], signature, members, code)
        letters.append(letter)
        for row in group:
            into = group[0].message_id if row is not group[0] else None
            taken.append((row, ready[row.message_id], letter, into))
    await _take(uow, taken, turn, policies.templates.on(day).name, way, now)
    await _flag_shared(uow, [row for row, *_ in taken], sending, now)
    return letters, sending


class Words(msgspec.Struct, frozen=True):
    """A message's words, where it goes, and what is kept of that."""

    subject: str
    body: str
    address: str
    sealed: bytes | None
    kept: bytes | None
    token: str
    language: str
    channel: str
    html: str = ""
    fields: dict[str, str] = {}


async def _composed(uow: UnitOfWork, going: Sequence[MessageRow], way: str, now: datetime) -> dict[UUID, Words | str]:
    """The words of messages, or why there are none: everything encrypted is opened in one question."""
    policies, day = await uow.policies(Policies), business_date(now)
    sending, book = policies.sending.on(day).body, policies.templates.on(day).body
    channel = sending.ways[way].channel
    column = {"email": "email", "sms": "phone", "wecom": "wecom"}.get(channel)
    stored_as = {"email": "email", "sms": "phone", "wecom": "external_id"}.get(channel, "NULL::bytea")
    stored = {
        client_id: (name, address, manager_id, branch_id)
        for client_id, name, address, manager_id, branch_id in await uow.sql.fetch(
            f"""SELECT client_id, name, {stored_as}, manager_id, branch_id FROM clients
                LEFT JOIN wecom_contacts USING (client_id) WHERE client_id = ANY($1::text[])""",
            sorted({row.client_id for row in going if row.client_id}),
        )
    }
    for own_address in await registrations.of_staff(uow.sql, sorted({row.staff_id for row in going if row.staff_id})):
        if own_address.channel == channel:
            stored[f"staff:{own_address.staff_id}"] = (None, own_address.address, None, None)
    owners = [row.client_id or f"staff:{row.staff_id}" for row in going]
    values = []
    for owner, row in zip(owners, going, strict=True):
        name, address, *_ = stored.get(owner, _NOTHING)
        values += [Value(owner, "name", name), Value(owner, column or "", address), Value(owner, FIELDS, row.fields)]
    opened = await uow.database.keyring.open(values)
    known, people, found = await recipients(uow, going, now), await roster(uow.sql), dict[UUID, Words | str]()
    ranks = await _ranks(uow, stored, day)
    ordered = await _ordered(uow, [row.cause for row in going if book.kinds[row.kind].ordered])
    for place, (owner, row) in enumerate(zip(owners, going, strict=True)):
        name, address, fields = opened[3 * place : 3 * place + 3]
        if fields is None or (column and address is None):
            found[row.message_id] = "erased"  # the client is, or is about to be
            continue
        template, own, html = book.kinds[row.kind], msgspec.json.decode(fields, type=dict[str, str]), ""
        language = known.languages.get(owner, "zh-CN")
        if template.ordered and not own:
            own = dict(ordered.get(row.cause, {}).get(language, {}))
            html = own.pop("html", "")
        if wrong_fields(template, own):
            found[row.message_id] = "wrong_fields"
            continue
        _, _, manager_id, branch_id = stored.get(owner, _NOTHING)
        manager = people.person(manager_id, now) if manager_id else None
        branch = people.branch(branch_id, now) if branch_id else None
        record = _record(
            name, language, (manager.name if manager else "") or manager_id or "",
            (branch.name if branch else "") or branch_id or "",
            (branch.phone if branch else "") or sending.hotline, sending.hotline,
            sending.packages[TIERS[ranks.get(owner, 0)]][language],
        )  # fmt: skip
        cut = {field: value[: book.lengths[field]] for field, value in record.items()}
        subject, body = template.in_language(language).filled(cut | own)
        if template.ordered and channel == "sms" and _too_long(policies, row, way, body, language, day):
            found[row.message_id] = "too_long"
            continue
        token = known.recipients[owner].addresses.get(channel, "")
        page = _page(template.in_language(language), cut | own, html) if html and channel == "email" else ""
        wording = template.in_language(language)
        blanks = {blank: (cut | own)[blank] for blank in sorted(wording.blanks_of_body)}
        found[row.message_id] = Words(
            subject, body, address or owner, None, None, token, language, channel, page, blanks
        )
    ready = [
        (key, owner, one) for owner, (key, one) in zip(owners, found.items(), strict=True) if isinstance(one, Words)
    ]
    secret = {row.message_id for row in going if row.message_class == "VERIFY"}
    sealed = await uow.database.keyring.seal(
        [Value(owner, "address", one.address) for _, owner, one in ready]
        + [Value(owner, "words", None if key in secret else _kept(one)) for key, owner, one in ready]
    )
    texts = [text.encode() if text else None for text in sealed]
    for (key, _, one), address, kept in zip(ready, texts, texts[len(ready) :], strict=False):
        found[key] = msgspec.structs.replace(one, sealed=address, kept=kept)
    return found


def _page(wording: Wording, fields: Mapping[str, str], inner: str) -> str:
    """The page of a mailing: the template's own words around the cleaned HTML in place of the text."""
    _, whole = wording.filled(dict(fields) | {"text": _PLACE})
    before, _, after = whole.partition(_PLACE)
    return framed(before, inner, after)


_PLACE = "\ue000"


def _too_long(policies: Policies, row: MessageRow, way: str, body: str, language: str, day: date) -> bool:
    """Whether an SMS with somebody's own words has more parts than one may have [MS12]."""
    signature = policies.filings.on(day).body.signature(way) or ""
    text = sms_text(signature, body, marketing=row.message_class == "MARKETING", language=language)
    return sms_parts(text) > policies.templates.on(day).body.max_parts


async def _ranks(uow: UnitOfWork, clients: Collection[str], day: date) -> dict[str, int]:
    """The tiers of clients on a day, counted from the lowest."""
    found = await uow.sql.fetch(
        """SELECT DISTINCT ON (client_id) client_id, rank FROM tiers
           WHERE client_id = ANY($1::text[]) AND since <= $2 ORDER BY client_id, since DESC""",
        sorted(clients),
        day,
    )
    return dict(map(tuple, found))


async def _ordered(uow: UnitOfWork, causes: Collection[str]) -> dict[str, dict[str, dict[str, str]]]:
    """The words of mailings by their ids, title and text by language."""
    if not causes:
        return {}
    found = await uow.sql.fetch(
        "SELECT mailing_id::text, words FROM mailings WHERE mailing_id::text = ANY($1::text[])", sorted(set(causes))
    )
    return dict(map(tuple, found))


def _kept(one: Words) -> bytes:
    """Subject and text as they are kept."""
    return msgspec.json.encode({"subject": one.subject, "text": one.body})


_NOTHING = (None, None, None, None)


def _record(
    name: str | None, language: str, manager: str, branch: str, phone: str, hotline: str, package: str
) -> dict[str, str]:
    """What is filled in from the client's own record; managers are reached through their branch's phone."""
    title = {"zh-CN": "客户经理", "en": "your manager "}[language]
    return {
        "name": name or NOBODY[language], "branch": branch, "manager": manager, "manager_phone": phone,
        "contact": title + manager if manager else branch, "hotline": hotline, "package": package,
    }  # fmt: skip


def _merged(ready: Sequence[MessageRow], kinds: Mapping[str, Template]) -> list[list[MessageRow]]:
    """Messages that go as one: to one person and of one class, where their templates say they may be [MS11]."""
    groups: defaultdict[object, list[MessageRow]] = defaultdict(list)
    for row in ready:
        mergeable = row.kind in kinds and kinds[row.kind].mergeable
        groups[(row.client_id or f"staff:{row.staff_id}", row.message_class) if mergeable else row.message_id].append(
            row
        )
    return list(groups.values())


async def _members(uow: UnitOfWork, going: Sequence[MessageRow]) -> dict[str | None, str]:
    """The members whose friends clients are in WeCom."""
    found = await uow.sql.fetch(
        "SELECT client_id, member FROM wecom_contacts WHERE client_id = ANY($1::text[])",
        sorted({row.client_id for row in going if row.client_id}),
    )
    return dict(map(tuple, found))


def _letter(
    row: MessageRow, made: Sequence[Words], signature: str, members: Mapping[str | None, str], template: str
) -> Letter:
    first = made[0]
    body = "\n".join(dict.fromkeys(one.body for one in made))
    if first.channel == "sms":
        marketing = row.message_class == "MARKETING"
        body = sms_text(signature, body, marketing=marketing, language=first.language)
    subject = " · ".join(dict.fromkeys(one.subject for one in made))
    html = first.html if len(made) == 1 else ""
    return Letter(
        str(row.message_id), first.address, subject, body, members.get(row.client_id, ""), html, row.client_id is None,
        signature, template, first.fields,
    )  # fmt: skip


async def _take(
    uow: UnitOfWork,
    taken: Sequence[tuple[MessageRow, Words, Letter, UUID | None]],
    turn: UUID,
    template: str,
    way: str,
    now: datetime,
) -> None:
    await uow.sql.execute(
        """UPDATE messages m SET state = 'handed', reason = '', handed_at = $1, batch_id = $2, template = $3, way = $4,
                  tries = m.tries + 1, language = n.language, channel = n.channel, parts = n.parts, body_sha256 = n.digest,
                  address = n.address, words = n.words, address_token = n.token, merged_into = n.merged_into,
                  member = n.member
           FROM unnest($5::uuid[], $6::text[], $7::text[], $8::smallint[], $9::text[], $10::bytea[], $11::text[], $12::uuid[],
                       $13::bytea[], $14::text[])
                AS n(message_id, language, channel, parts, digest, address, token, merged_into, words, member)
           WHERE m.message_id = n.message_id""",
        now,
        turn,
        template,
        way,
        [row.message_id for row, *_ in taken],
        [words.language for _, words, *_ in taken],
        [words.channel for _, words, *_ in taken],
        [sms_parts(letter.text) if words.channel == "sms" else 1 for _, words, letter, _ in taken],
        [hashlib.sha256(letter.text.encode()).hexdigest() for _, _, letter, _ in taken],
        [words.sealed for _, words, *_ in taken],
        [words.token for _, words, *_ in taken],
        [merged_into for *_, merged_into in taken],
        [words.kept for _, words, *_ in taken],
        [letter.sender or None for _, _, letter, _ in taken],
    )


async def _flag_shared(uow: UnitOfWork, taken: Sequence[MessageRow], sending: Sending, now: datetime) -> None:
    """A number of more clients than the policy allows is asked about, once [MS11]."""
    shared = await uow.sql.fetch(
        """INSERT INTO flagged_numbers (token, flagged_at)
           SELECT phone_token, $3 FROM clients WHERE phone_token IN (
               SELECT phone_token FROM clients WHERE client_id = ANY($1::text[]) AND phone_token IS NOT NULL)
           GROUP BY phone_token HAVING count(*) > $2 ON CONFLICT DO NOTHING RETURNING token""",
        sorted({row.client_id for row in taken if row.client_id}),
        sending.shared_clients,
        now,
    )
    if not shared:
        return
    tokens = {token for (token,) in shared}
    owners = dict(
        map(tuple, await uow.sql.fetch(
            "SELECT client_id, phone_token FROM clients WHERE client_id = ANY($1::text[])",
            [row.client_id for row in taken if row.client_id],
        ))
    )  # fmt: skip
    for row in taken:
        if row.client_id and (token := owners.get(row.client_id)) in tokens:
            tokens.discard(token)
            uow.emit(
                AddressFailed(
                    client_id=row.client_id, channel="sms", message_id=row.message_id, reason="shared_number", at=now
                ),
                at=now,
            )


# --- what became of it -----------------------------------------------------------------------------------------------


async def _note_all(database: Database, answers: Mapping[str, Answer], turn: UUID, at: datetime | None) -> None:
    """Note the answers of a call together; should that fail, each alone: one that cannot be noted holds up no other."""
    try:
        async with database.unit_of_work() as uow:
            await note(uow, answers, turn, at or uow.now)
    except Exception as error:
        if is_outage(error):
            raise  # what is in hand is resolved by a later turn, which sends none of it blindly
        log.exception("answers could not be noted together", count=len(answers))
        for key, answer in answers.items():
            try:
                async with database.unit_of_work() as uow:
                    await note(uow, {key: answer}, turn, at or uow.now)
            except Exception as again:
                if is_outage(again):
                    raise
                log.exception("an answer could not be noted", message=key)


async def note(uow: UnitOfWork, answers: Mapping[str, Answer], turn: UUID | None, now: datetime) -> None:
    """Write what a provider answered on messages a turn has in hand, and on those merged into them; tell of it."""
    keys = [UUID(key) for key in answers]
    found = await rows.fetch(
        uow.sql,
        MessageRow,
        f"""SELECT {message_columns()} FROM messages
            WHERE (message_id = ANY($1::uuid[]) OR merged_into = ANY($1::uuid[])) AND state = 'handed'
              AND batch_id IS NOT DISTINCT FROM $2 ORDER BY message_id FOR UPDATE""",
        keys,
        turn,
    )
    sending = (await uow.policies(Policies)).sending.on(business_date(now)).body
    changed: list[tuple[MessageRow, str, str, datetime]] = []
    for row in found:
        answer = answers[str(row.merged_into or row.message_id)]
        state, reason, due = _became(row, answer, sending, now)
        stopped = row.withdrawn and (state == "queued" or reason == NOT_CONFIRMED)
        changed.append((row, "cancelled", "withdrawn", now) if stopped else (row, state, reason, due))
    final = ("delivered", "undelivered", "unknown", "expired", "cancelled")
    await uow.sql.execute(
        """UPDATE messages m SET state = n.state, reason = n.reason, due_at = n.due_at, batch_id = NULL,
                  provider_ref = coalesce(n.ref, m.provider_ref),
                  handed_at = CASE WHEN n.state IN ('queued', 'expired', 'cancelled') THEN NULL ELSE m.handed_at END,
                  merged_into = CASE WHEN n.state IN ('queued', 'cancelled') THEN NULL ELSE m.merged_into END,
                  ended_at = CASE WHEN n.state = ANY($6::text[]) THEN $7::timestamptz END
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
                AS n(message_id, state, reason, due_at, ref) WHERE m.message_id = n.message_id""",
        [row.message_id for row, *_ in changed],
        [state for _, state, *_ in changed],
        [reason for _, _, reason, _ in changed],
        [due for *_, due in changed],
        [answers[str(row.merged_into or row.message_id)].ref for row, *_ in changed],
        list(final),
        now,
    )
    tell(
        uow,
        [(row, state, reason[:64], row.channel) for row, state, reason, _ in changed if state != "queued"],
        now,
    )
    refs = {ref: row for row, *_ in changed if row.merged_into is None and (ref := answers[str(row.message_id)].ref)}
    await receipts.early(uow, refs)
    for row, *_ in changed:
        answer = answers[str(row.merged_into or row.message_id)]
        if answer.of_address and row.merged_into is None:
            await fail_address(uow, row, answer.reason, now)


def _became(row: MessageRow, answer: Answer, sending: Sending, now: datetime) -> tuple[str, str, datetime]:
    """The state an answer leads to, why, and when it is looked at again [MS13]."""
    match answer.result:
        case Result.TAKEN:
            return ("handed", AWAITING, now) if row.way == "wecom" else ("handed", "", now + FIRST_LOOK)
        case Result.DELIVERED:
            return "delivered", "", now
        case Result.REFUSED:
            return "undelivered", answer.reason or "refused", now
        case Result.UNCLEAR if row.message_class != "VERIFY":
            return "unknown", answer.reason or "unclear", now
    waits = sending.retry_minutes
    if row.tries > len(waits):
        return "undelivered", f"given up: {answer.reason}"[:200], now
    again = now + timedelta(minutes=waits[max(row.tries, 1) - 1])
    if again >= row.not_after:
        return "expired", answer.reason or "not_after", now
    return "queued", answer.reason, again


# --- what dead turns had in hand -------------------------------------------------------------------------------------


async def _in_hand(database: Database, way: str) -> bool:
    async with database.reading() as sql:
        found: bool = await sql.fetchval(
            f"SELECT {COMPLETE} AND EXISTS (SELECT FROM messages WHERE batch_id IS NOT NULL AND way = $1)", way
        )
    return found


async def resolve_left(
    database: Database, way: str, port: Port, alone: asyncpg.Connection, turn: UUID, at: datetime | None
) -> None:
    """Find the end of what turns that died had in hand: ask the provider, else it is unknown [MS13]."""
    async with database.reading() as sql:
        left = await sql.fetch(
            """SELECT batch_id, array_agg(message_id), array_agg(coalesce(client_id, 'staff:' || staff_id)), array_agg(address),
                      array_agg(handed_at)
               FROM messages
               WHERE batch_id IS NOT NULL AND batch_id <> $1 AND way = $2 AND merged_into IS NULL GROUP BY 1 LIMIT 20""",
            turn,
            way,
        )
    for dead, keys, owners, sealed, times in left:
        if not await alone.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 17))", str(dead)):
            continue  # its turn lives
        try:
            opened = await database.keyring.open(
                [Value(owner, "address", address) for owner, address in zip(owners, sealed, strict=True)]
            )
            said = await port.ask(
                [Handed(str(key), to or "", when) for key, to, when in zip(keys, opened, times, strict=True)]
            )
            answers = {str(key): said.get(str(key), Answer(Result.UNCLEAR, reason="sender died")) for key in keys}
            await _note_all(database, answers, dead, at)
        finally:
            await alone.execute("SELECT pg_advisory_unlock(hashtextextended($1, 17))", str(dead))


async def end_waits(database: Database, at: datetime | None = None) -> bool:
    """Handed long ago and no receipt: unknown [MS2]. A receipt that comes later still corrects it."""
    async with database.unit_of_work() as uow:
        now = at or uow.now
        hours = (await uow.policies(Policies)).sending.on(business_date(now)).body.receipt_hours
        ended = await rows.fetch(
            uow.sql,
            MessageRow,
            f"""UPDATE messages SET state = 'unknown', reason = 'no_receipt', ended_at = $1 WHERE message_id IN (
                    SELECT message_id FROM messages WHERE state = 'handed' AND batch_id IS NULL AND handed_at <= $2
                    ORDER BY handed_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING {message_columns()}""",
            now,
            now - timedelta(hours=hours),
            JUDGED_AT_ONCE,
        )
        tell(uow, [(row, "unknown", "no_receipt", row.channel) for row in ended], now)
    return len(ended) == JUDGED_AT_ONCE


__all__ = ["Known", "end_waits", "judge_due", "note", "send_due"]
