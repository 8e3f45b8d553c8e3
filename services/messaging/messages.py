"""Messages: asked for once, judged, told of [MS1, MS2]."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from chassis import rows
from chassis.clock import business_date
from chassis.errors import FieldError
from chassis.personal.keys import Value
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.messaging import MessageChanged, message_id
from services.messaging import contacts
from services.messaging.judging import judge_many
from services.messaging.policy import Policies, Template, Templates
from services.messaging.rules import Verdict
from services.messaging.tables import MessageRow, message_columns

FINAL = ("delivered", "undelivered", "unknown", "suppressed", "expired", "cancelled")
LOOPS = contacts.LOOPS
"""What the loops of this service wait for."""
FIELDS = "fields"
"""The name under which a message's fields are encrypted."""


def mailbox_of(client_id: str) -> str:
    """What those who follow a client's mailbox are notified about."""
    return f"mailbox:{client_id}"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A message somebody asks for."""

    client_id: str | None = None
    staff_id: str | None = None
    kind: str
    cause: str
    fields: Mapping[str, str]
    asked_by: str
    asked_at: datetime
    not_before: datetime | None = None
    not_after: datetime | None = None
    request_id: UUID | None = None
    required: bool = False
    shock: bool = False
    channels: Sequence[str] = ()
    by_event: bool = False

    @property
    def recipient(self) -> str:
        """Whom it is for, as ids and keys name them."""
        return self.client_id or f"staff:{self.staff_id}"

    @property
    def message_id(self) -> UUID:
        """Its id: the same whenever it is asked for again [MS1]."""
        return message_id(self.kind, self.recipient, self.cause)


def wrong_fields(template: Template, fields: Mapping[str, str]) -> list[FieldError]:
    """What is missing, not known, too long, or of another type."""
    found = [FieldError(f"body#/fields/{name}", "is missing") for name in template.fields if name not in fields]
    for name, value in fields.items():
        variable = template.fields.get(name)
        if variable is None:
            found.append(FieldError(f"body#/fields/{name}", "is no variable of this template"))
        elif not 0 < len(value) <= variable.longest:
            found.append(FieldError(f"body#/fields/{name}", f"should have 1 to {variable.longest} characters"))
        elif any(ord(character) < 32 and character != "\n" for character in value):
            found.append(FieldError(f"body#/fields/{name}", "has control characters"))
    return found


def forbidden(book: Templates, template: Template, fields: Mapping[str, str]) -> list[str]:
    """Words in the fields that no message says [MS16], but for those passed for this template."""
    return [word for word in book.words.forbidden.hits("\n".join(fields.values())) if word not in template.passed]


async def ask(uow: UnitOfWork, wanted: Sequence[Wanted], now: datetime) -> list[Verdict]:
    """Keep messages that were not asked for before, and judge them for now: what is never to go says so at once.

    Returns the verdicts on those that are new.
    """
    policies = await uow.policies(Policies)
    book, sending = policies.templates.on(business_date(now)).body, policies.sending.on(business_date(now)).body
    first: dict[UUID, Wanted] = {}
    for one in wanted:
        first.setdefault(one.message_id, one)
    places = await uow.sql.fetch(
        "SELECT client_id, branch_id FROM clients WHERE client_id = ANY($1::text[])",
        sorted({one.client_id for one in first.values() if one.client_id}),
    )
    branches: dict[str | None, str | None] = dict(map(tuple, places))
    ordered = sorted(first.items())
    sealed = await uow.database.keyring.seal(
        [Value(one.recipient, FIELDS, msgspec.json.encode(dict(one.fields))) for _, one in ordered]
    )
    simulated = await uow.cached(timeline) is Timeline.SIMULATED
    made, against = [], dict[UUID, str]()
    for (key, one), fields in zip(ordered, sealed, strict=True):
        template = book.kinds.get(one.kind)
        message_class = template.message_class if template else "NOTICE"
        begins = max(one.asked_at, one.not_before or one.asked_at)
        if simulated:
            against[key] = "simulated_home"
        elif one.by_event and message_class == "VERIFY":
            against[key] = "code_by_event"  # codes are asked for over REST alone: events are kept
        elif template and not template.ordered and wrong_fields(template, one.fields):
            against[key] = "wrong_fields"
        elif template and not template.ordered and forbidden(book, template, one.fields):
            against[key] = "forbidden_word"
        lifetime = timedelta(minutes=sending.classes[message_class].lifetime_minutes)
        made.append(
            _new(
                one, key, message_class, branches.get(one.client_id), fields.encode() if fields else None,
                one.not_after or begins + lifetime, now,
            )
        )  # fmt: skip
    new = await insert(uow, made)
    return await settle(uow, new, against, now)


def _new(
    one: Wanted, key: UUID, message_class: str, branch_id: str | None, fields: bytes | None, not_after: datetime,
    now: datetime,
) -> MessageRow:  # fmt: skip
    return MessageRow(
        message_id=key, client_id=one.client_id, staff_id=one.staff_id, branch_id=branch_id, kind=one.kind,
        cause=one.cause, message_class=message_class, asked_by=one.asked_by, request_id=one.request_id,
        asked_at=one.asked_at, asked_on=business_date(one.asked_at), fields=fields, required=one.required, shock=one.shock,
        not_before=one.not_before, not_after=not_after, due_at=now, state="planned", reason="", way=None, channel=None,
        channels=",".join(one.channels), language=None, template=None, parts=None, body_sha256=None, address=None, address_token=None, tries=0,
        batch_id=None, merged_into=None, handed_at=None, provider_ref=None, ended_at=None, read_at=None, words=None,
    )  # fmt: skip


async def insert(uow: UnitOfWork, made: Sequence[MessageRow]) -> list[MessageRow]:
    """Keep messages; those that were not there before, in order."""
    if not made:
        return []
    fresh = await uow.sql.fetch(
        f"""INSERT INTO messages ({message_columns()}) SELECT * FROM unnest({_ARRAYS})
            ON CONFLICT DO NOTHING RETURNING message_id""",
        *rows.lists(made),
    )
    new = {key for (key,) in fresh}
    return [row for row in made if row.message_id in new]


async def settle(
    uow: UnitOfWork, new: Sequence[MessageRow], against: Mapping[UUID, str], now: datetime
) -> list[Verdict]:
    """Judge fresh messages: `against` says of some why they never go, the rule judges the rest."""
    verdicts = await judge_many(uow, [row for row in new if row.message_id not in against], now)
    verdicts |= {key: Verdict("suppressed", why) for key, why in against.items()}
    verdicts = {row.message_id: verdicts[row.message_id] for row in new}
    await write(uow, new, verdicts, now)
    return list(verdicts.values())


async def write(uow: UnitOfWork, judged: Sequence[MessageRow], verdicts: Mapping[UUID, Verdict], now: datetime) -> None:
    """Write what was judged, in one statement, and tell of what has come to its end.

    A message that may go keeps its place in the queue of its way; one that waits is judged again when its time has come.
    """
    if not judged:
        return
    policies = await uow.policies(Policies)
    sending, book = policies.sending.on(business_date(now)).body, policies.templates.on(business_date(now)).body
    window = timedelta(minutes=sending.merge_minutes)
    by_id, given = {row.message_id: row for row in judged}, list(verdicts.values())
    due = []
    for key, one in verdicts.items():
        kind = book.kinds.get(by_id[key].kind)
        merges = one.outcome == "go" and kind is not None and kind.mergeable
        due.append(_window_end(now, window) if merges else one.until or now)
    await uow.sql.execute(
        """UPDATE messages m SET state = n.state, reason = n.reason, way = n.way, channel = n.channel, due_at = n.due_at,
                  ended_at = CASE WHEN n.state IN ('suppressed', 'expired') THEN $7::timestamptz END
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
                AS n(message_id, state, reason, way, channel, due_at)
           WHERE m.message_id = n.message_id""",
        list(verdicts),
        [_STATE[one.outcome] for one in given],
        [one.reason for one in given],
        [one.way for one in given],
        [sending.ways[one.way].channel if one.way else None for one in given],
        due,
        now,
    )
    if any(one.outcome == "go" for one in verdicts.values()):
        uow.notify(LOOPS)
    still = [by_id[key] for key, one in verdicts.items() if one.outcome in ("go", "wait") and one.reason in _MAY_GO]
    await contacts.ask_for(
        uow, [row for row in still if sending.classes[row.message_class].optional and not row.required], now
    )
    tell(
        uow,
        [
            (by_id[key], _STATE[one.outcome], one.reason, by_id[key].channel)
            for key, one in verdicts.items()
            if one.outcome in ("suppressed", "expired")
        ],
        now,
    )


_MAY_GO = ("", "cap", "contact_asked")
"""A contact is asked for when nothing else holds the message back: it would be another month's otherwise."""
_STATE = {"go": "queued", "wait": "planned", "suppressed": "suppressed", "expired": "expired"}


def _window_end(now: datetime, window: timedelta) -> datetime:
    """The end of the window `now` lies in: what may be merged waits for the others of it [MS11]."""
    seconds = int(window.total_seconds())
    return now + timedelta(seconds=seconds - now.timestamp() % seconds)


def tell(uow: UnitOfWork, changed: Sequence[tuple[MessageRow, str, str, str | None]], now: datetime) -> None:
    """Tell what became of messages: each with its state, why, and the channel; whoever follows a mailbox sees what came."""
    for row, state, _, channel in changed:
        if channel == "app" and state == "delivered" and row.client_id:
            uow.notify(mailbox_of(row.client_id))
    uow.emit_all(
        [
            MessageChanged(
                message_id=row.message_id, client_id=row.client_id, staff_id=row.staff_id, request_id=row.request_id,
                kind=row.kind, message_class=row.message_class, channel=channel, state=state,  # type: ignore[arg-type]
                reason=reason or None, at=now,
            )
            for row, state, reason, channel in changed
        ],
        at=now,
    )  # fmt: skip


def _arrays() -> str:
    from sqlalchemy.dialects import postgresql

    from services.messaging.tables import messages

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    kinds = [messages.c[name].type.compile(dialect=dialect) for name in MessageRow.__struct_fields__]
    return ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(kinds, 1))


_ARRAYS = _arrays()


async def find(uow: UnitOfWork, key: UUID) -> MessageRow | None:
    """One message."""
    found = await rows.fetch(
        uow.sql, MessageRow, f"SELECT {message_columns()} FROM messages WHERE message_id = $1", key
    )
    return found[0] if found else None


async def cancel(
    uow: UnitOfWork, clients: Sequence[str], reason: str, now: datetime, state: str = "suppressed"
) -> None:
    """End what waits for these clients and is in nobody's hand."""
    ended = await rows.fetch(
        uow.sql,
        MessageRow,
        f"""UPDATE messages SET state = $3, reason = $2, ended_at = $4
            WHERE client_id = ANY($1::text[]) AND state IN ('planned', 'queued') RETURNING {message_columns()}""",
        list(clients),
        reason,
        state,
        now,
    )
    tell(uow, [(row, state, reason, row.channel) for row in ended], now)


async def end_waiting(uow: UnitOfWork, condition: str, reason: str, *arguments: Any) -> None:
    """End what waits and fits a condition ($4 and on) and is in nobody's hand: it is suppressed, and says why."""
    ended = await rows.fetch(
        uow.sql,
        MessageRow,
        f"""UPDATE messages SET state = $1, reason = $2, ended_at = $3 WHERE message_id IN (
                SELECT message_id FROM messages WHERE state IN ('planned', 'queued') AND {condition}
                ORDER BY message_id FOR UPDATE)
            RETURNING {message_columns()}""",
        "suppressed",
        reason,
        uow.now,
        *arguments,
    )
    tell(uow, [(row, "suppressed", reason, row.channel) for row in ended], uow.now)


async def cancel_cause(uow: UnitOfWork, causes: Sequence[str], client_id: str | None, reason: str) -> int:
    """Cancel what waits of some causes, of one client or of all; how many messages that is. What is in somebody's hand is
    not tried again."""
    ended = await rows.fetch(
        uow.sql,
        MessageRow,
        f"""{_CANCEL} AND cause = ANY($3::text[]) AND ($4::text IS NULL OR client_id = $4) ORDER BY message_id FOR UPDATE)
            RETURNING {message_columns()}""",
        reason,
        uow.now,
        list(causes),
        client_id,
    )
    return _tell_cancelled(uow, ended)


async def withdraw(uow: UnitOfWork, keys: Sequence[UUID]) -> None:
    """Cancel messages that nobody wants any more; one that is in somebody's hand is not tried again."""
    if not keys:
        return
    ended = await rows.fetch(
        uow.sql,
        MessageRow,
        f"""{_CANCEL} AND message_id = ANY($3::uuid[]) ORDER BY message_id FOR UPDATE) RETURNING {message_columns()}""",
        "withdrawn",
        uow.now,
        list(keys),
    )
    _tell_cancelled(uow, ended)


_CANCEL = """UPDATE messages SET withdrawn = true, state = CASE state WHEN 'handed' THEN state ELSE 'cancelled' END,
                 reason = CASE state WHEN 'handed' THEN reason ELSE $1 END,
                 ended_at = CASE state WHEN 'handed' THEN ended_at ELSE $2 END,
                 due_at = CASE reason WHEN 'awaiting_member' THEN least(due_at, $2) ELSE due_at END
             WHERE message_id IN (SELECT message_id FROM messages
                 WHERE (state IN ('planned', 'queued')
                        OR state = 'handed' AND (batch_id IS NOT NULL OR reason = 'awaiting_member'))"""
"""SQL: messages that are not wanted any more: what waits ends; what a sender has in hand, or a member has to confirm, is
marked."""


def _tell_cancelled(uow: UnitOfWork, ended: Sequence[MessageRow]) -> int:
    """Tell of those that are cancelled; how many they are."""
    cancelled = [row for row in ended if row.state == "cancelled"]
    tell(uow, [(row, row.state, row.reason[:64], row.channel) for row in cancelled], uow.now)
    return len(cancelled)


async def cancel_one(uow: UnitOfWork, key: UUID, reason: str) -> bool:
    """Take back one message; False when it is too late. One that is in somebody's hand may still go: what its provider
    does not take is not tried again, and what a member has not confirmed is taken back."""
    ended = await rows.fetch(
        uow.sql,
        MessageRow,
        f"""{_CANCEL} AND message_id = $3::uuid ORDER BY message_id FOR UPDATE) RETURNING {message_columns()}""",
        reason,
        uow.now,
        key,
    )
    _tell_cancelled(uow, ended)
    for row in ended:
        uow.audit("message_cancelled", f"message/{key}", key=row.client_id, why=reason)
    return bool(ended)


def told(row: MessageRow) -> dict[str, Any]:
    """A message as the caller who asked for it sees it."""
    why = "withdrawn" if row.withdrawn and row.state == "handed" else row.reason or None
    return {"message_id": row.message_id, "state": row.state, "why": why}
