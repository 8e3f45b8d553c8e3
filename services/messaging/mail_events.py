"""What a mail provider's webhook says of our mails: delivered, not delivered, complained about [MS13].

The form is Mailgun's: `{"signature": {"timestamp", "token", "signature"}, "event-data": {"event", ...}}`, the signature being the
HMAC-SHA256 of timestamp and token under the account's signing key. A mail is known by its Message-ID, which is ours.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from chassis.errors import Forbidden, Invalid, Text
from chassis.uow import UnitOfWork
from services.messaging import preferences, receipts
from services.messaging.bounces import DEAD, OURS
from services.messaging.ports.port import plain
from services.messaging.settings import MessageSettings

SECONDS = 300
DEAD_CODES = (550, 551, 553)
"""Without an enhanced status code: no such mailbox, not here, no such name."""
_ENHANCED = re.compile(r"\b5\.\d{1,3}\.\d{1,3}\b")
Number = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,12}$")]


class NotSigned(Forbidden):
    """The signature is missing, wrong, older than five minutes, or was another event's; or no key is agreed (`CARELINE_MESSAGES_EMAIL_WEBHOOK_KEY`)."""

    title = Text("Not signed by our mail provider", "邮件服务商签名无效")


class Signature(msgspec.Struct, frozen=True):
    """Who says so, and when."""

    timestamp: Number
    token: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    signature: Annotated[str, msgspec.Meta(min_length=64, max_length=64)]


class Headers(msgspec.Struct, frozen=True, rename="kebab"):
    """Of a mail, as it went."""

    message_id: str = ""


class Mail(msgspec.Struct, frozen=True):
    """The mail an event is about."""

    headers: Headers = Headers()


class Status(msgspec.Struct, frozen=True):
    """What the other server said."""

    code: int | str | None = None
    message: str | None = None
    description: str | None = None


class Said(msgspec.Struct, frozen=True, rename="kebab"):
    """An event; those of other kinds (opened, clicked, ...) are taken and change nothing."""

    event: str
    timestamp: Annotated[float, msgspec.Meta(ge=0, le=9e9)] = 0.0
    severity: Literal["permanent", "temporary"] | str = ""
    reason: str | None = None
    message: Mail = Mail()
    delivery_status: Status = Status()


class Webhook(msgspec.Struct, frozen=True, rename="kebab"):
    """What a provider brings."""

    signature: Signature
    event_data: Said


def read(body: dict[str, Any], now: datetime) -> Webhook:
    """A webhook, once its signature is found to hold. Raises: NotSigned, Invalid."""
    key = MessageSettings().email_webhook_key.get_secret_value()
    try:
        found = msgspec.convert(body, Webhook)
    except msgspec.ValidationError as error:
        raise Invalid(Text(str(error), str(error))) from None
    given = found.signature
    made = hmac.new(key.encode(), f"{given.timestamp}{given.token}".encode(), hashlib.sha256).hexdigest()
    fresh = abs(now.timestamp() - int(given.timestamp)) <= SECONDS
    if not key or not fresh or not hmac.compare_digest(made.encode(), given.signature.encode()):
        raise NotSigned
    return found


async def once(uow: UnitOfWork, found: Webhook) -> None:
    """What a token has signed: its signature says nothing of the event, so that it holds for one alone, however often brought.

    Raises: NotSigned.
    """
    digest = hashlib.sha256(msgspec.json.encode(found.event_data)).hexdigest()
    before = timedelta(seconds=2 * SECONDS)
    await uow.sql.execute("DELETE FROM webhook_tokens WHERE at < $1", uow.now - before)
    await uow.sql.execute(
        "INSERT INTO webhook_tokens (token, digest, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        found.signature.token,
        digest,
        uow.now,
    )
    known = await uow.sql.fetchval("SELECT digest FROM webhook_tokens WHERE token = $1", found.signature.token)
    if known != digest:
        raise NotSigned


def receipt_of(said: Said, now: datetime) -> receipts.Receipt | None:
    """The receipt an event is; None: it ends nothing, or is not about a mail of ours."""
    named = OURS.fullmatch(f"<{said.message.headers.message_id.strip('<> ')}>")
    permanent = said.event == "failed" and said.severity == "permanent"
    if named is None or not (permanent or said.event == "delivered"):
        return None
    status = said.delivery_status
    words = status.message or status.description or ""
    enhanced = _ENHANCED.search(words)
    dead = bool(DEAD.match(enhanced[0])) if enhanced else str(status.code) in map(str, DEAD_CODES)
    at = min(datetime.fromtimestamp(said.timestamp, UTC), now) if said.timestamp else now
    return receipts.Receipt(
        message_id=UUID(named[1]), state="undelivered" if permanent else "delivered",
        reason=plain(f"{status.code or ''} {words or said.reason or ''}") if permanent else "", bounced=permanent and dead, at=at,
    )  # fmt: skip


async def take(uow: UnitOfWork, found: Webhook) -> receipts.Counts:
    """Apply an event, once however often it is brought. A complaint stops marketing mails [MS7]."""
    said = found.event_data
    if said.event == "complained":
        await _stop(uow, said)
    receipt = receipt_of(said, uow.now)
    return await receipts.take(uow, [receipt] if receipt else [], "email")


async def _stop(uow: UnitOfWork, said: Said) -> None:
    named = OURS.fullmatch(f"<{said.message.headers.message_id.strip('<> ')}>")
    if named is None:
        return
    evidence = f"complaint/{named[1]}"
    client_id = await uow.sql.fetchval(
        """SELECT client_id FROM messages m WHERE message_id = $1 AND channel = 'email' AND client_id IS NOT NULL
             AND NOT EXISTS (SELECT FROM consents k WHERE k.client_id = m.client_id AND k.evidence = $2)""",
        UUID(named[1]),
        evidence,
    )
    if client_id is None:
        return
    at = min(datetime.fromtimestamp(said.timestamp, UTC), uow.now) if said.timestamp else uow.now
    no = preferences.Choice(message_class="MARKETING", allowed=False, channel="email")
    await preferences.note_choices(uow, client_id, [no], how=preferences.REPLY, evidence=evidence, since=at)
    uow.audit("opted_out", f"message/{named[1]}", key=client_id, since=at, why="complained")
