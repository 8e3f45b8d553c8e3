"""What callbacks kept of messages is told to messaging, each once, with an end mark that says how much it was.

Until version 1.1 callbacks sent messages itself. Messages (under their own ids), opt-outs, languages, subscriptions and clicks go by
`callbacks.message.handed_over`; messaging sends nothing before it has the end mark and all of them, or every client of the last
75 days would be welcomed once more. The tables stay until a later migration drops them.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import msgspec

from chassis.clock import start_of
from chassis.database import Database
from chassis.personal import mask_text
from chassis.uow import UnitOfWork
from contracts.callbacks import MessageHandedOver
from services.callbacks.asking import DONE, REMINDERS, WAITING, request_id
from services.callbacks.rules import CALLBACKS

AT_ONCE = 2_000
END = "end"
_STATES = {
    "planned": "planned", "sending": "unknown", "sent": "handed", "delivered": "delivered", "undeliverable": "undelivered",
    "skipped": "suppressed", "missed": "expired", "taken_back": "cancelled",
}  # fmt: skip
"""States as messaging has them. Nobody knows of what was in a sender's hand whether it went: it does not go again."""
_PARTS = {
    "opt_out": "SELECT client_id AS place, client_id FROM clients WHERE no_marketing",
    "language": "SELECT client_id AS place, client_id, language FROM clients WHERE language <> 'zh-CN'",
    "subscription": "SELECT client_id || '/' || column_code AS place, * FROM subscriptions",
    "feedback": "SELECT feedback_id AS place, * FROM feedback",
    "message": """SELECT m.message_id AS place, m.*, c.opened_on FROM messages m LEFT JOIN clients c USING (client_id)""",
}

_BY_ID = frozenset(("feedback", "message"))
"""Parts in the order of their ids, as the index has them."""


async def turn(database: Database) -> bool:
    """One turn of the loop: tell the next of what is kept; True while there is more."""
    async with database.reading() as sql:
        if await sql.fetchval("SELECT EXISTS (SELECT FROM handed_over WHERE part = $1)", END):
            return False
    async with database.unit_of_work() as uow:
        await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtext('callbacks hands over'))")
        done = dict(map(tuple, await uow.sql.fetch("SELECT part, after FROM handed_over")))
        for part, query in _PARTS.items():
            if done.get(part) is None and part in done:
                continue  # all of it is told
            await _tell(uow, part, query, done.get(part) or "")
            return True
        if END not in done:
            await _end(uow)
    return False


async def _tell(uow: UnitOfWork, part: str, query: str, after: str) -> None:
    place, first = ("uuid", UUID(int=0).hex) if part in _BY_ID else ("text", "")
    found = await uow.sql.fetch(
        f"SELECT * FROM ({query}) p WHERE place > $1::text::{place} ORDER BY place LIMIT $2", after or first, AT_ONCE
    )
    items = [dict(row) for row in found]
    if part == "message":
        taken_back = await _taken_back(uow, [item["message_id"] for item in items])
        items = [
            item | {"state": "taken_back", "reason": DONE} if item["message_id"] in taken_back else item
            for item in items
        ]
    uow.emit_all([_item(part, item, uow.now) for item in items])
    last = str(found[-1]["place"]) if len(found) == AT_ONCE else None
    await uow.sql.execute(
        """INSERT INTO handed_over AS h (part, after, count) VALUES ($1, $2, $3)
           ON CONFLICT (part) DO UPDATE SET after = excluded.after, count = h.count + excluded.count""",
        part,
        last,
        len(found),
    )


async def _taken_back(uow: UnitOfWork, keys: Sequence[UUID]) -> set[UUID]:
    """Of messages those that are wanted no more: they are cancelled here, and told so.

    Whoever takes one back later waits for this turn and tells it after.
    """
    locked = await uow.sql.fetch(
        "SELECT request_id, state, reason FROM requests WHERE request_id = ANY($1::uuid[]) ORDER BY request_id FOR UPDATE",
        keys,
    )
    found = {key for key, state, reason in locked if state in WAITING and reason == DONE}
    await uow.sql.execute("UPDATE requests SET state = 'cancelled' WHERE request_id = ANY($1::uuid[])", sorted(found))
    return found


async def _end(uow: UnitOfWork) -> None:
    count = await uow.sql.fetchval("SELECT coalesce(sum(count), 0)::int FROM handed_over")
    await uow.sql.execute("INSERT INTO handed_over (part, after, count) VALUES ($1, NULL, $2)", END, count)
    uow.emit(MessageHandedOver(what="end", item_id=uuid5(CALLBACKS, "handed_over/end"), count=count, at=uow.now))


def _item(part: str, row: Mapping[str, Any], now: datetime) -> MessageHandedOver:
    match part:
        case "message":
            return _message(row)
        case "subscription":
            at, more = start_of(row["since"]), {"channel": row["channel"], "recorded_by": row["recorded_by"]}
            return _of(part, row, at, column=row["column_code"], **more)
        case "feedback":
            return _of(
                part, row, row["at"], item_id=row["feedback_id"], column=row["column_code"], reason=row["kind"],
                recorded_by=row["recorded_by"], message_id=row["message_id"],
            )  # fmt: skip
        case "language":
            return _of(part, row, now, language=row["language"])
    return _of(part, row, now)


def _of(part: str, row: Mapping[str, Any], at: datetime, item_id: UUID | None = None, **more: Any) -> MessageHandedOver:
    key = item_id or uuid5(CALLBACKS, f"handed_over/{part}/{row['place']}")
    return MessageHandedOver(what=part, item_id=key, client_id=row["client_id"], at=at, **more)  # type: ignore[arg-type]


def _message(row: Mapping[str, Any]) -> MessageHandedOver:
    inputs = {name: str(value) for name, value in row["inputs"].items()}
    fields = {name: inputs[name] for name in ("title", "text", "valid_until", "reference") if name in inputs}
    state = _STATES[row["state"]]
    ended = row["sent_at"] or row["due_at"] if state not in ("planned", "handed") else None
    return _of(
        "message", row, row["planned_at"], item_id=row["message_id"], kind=row["kind"], cause=_cause(row, inputs),
        channel=row["channel"], language=row["language"], state=state,
        reason="sender_died" if row["state"] == "sending" else _line(mask_text(row["reason"]), 64),
        not_before=row["due_at"], not_after=row["limit_at"] or row["due_at"] + timedelta(days=3), tries=row["tries"],
        handed_at=row["sent_at"], ended_at=ended, receipt=_line(row["receipt"], 200), template=_line(row["template"], 64),
        body_sha256=row["body_sha256"], fields=msgspec.json.encode(fields).decode(),
    )  # fmt: skip


def _line(text: str | None, longest: int) -> str | None:
    """One printable line of what was kept raw, as events carry it: senders kept whatever a provider said."""
    printable = "".join(c if c.isprintable() else " " for c in text or "")
    return " ".join(printable.split())[:longest] or None


def _cause(row: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """What the message is about, found among what it can have been by its id; else the id itself."""
    opened: date | None = row["opened_on"]
    assessment = inputs.get("assessment", "")
    possible = [opened.isoformat() if opened else "", inputs.get("mailing", ""), inputs.get("reference", "")]
    possible += [f"{assessment}/{days}" for days in REMINDERS]
    key = row["message_id"]
    named = (one for one in possible if one and request_id(row["kind"], row["client_id"], one) == key)
    return next((one for one in named if len(one) <= 64), str(key))
