"""Bounces read from the mailbox our mails come from (IMAP): what a server says later of a mail that it took [MS13].

Read are notices of delivery status (RFC 3464) about our own mails, known by their Message-ID; anything else in the mailbox is
left as it is. A notice is marked as seen when what it says is kept; one that is read twice says nothing new.
"""

import asyncio
import email
import email.policy
import re
from dataclasses import dataclass
from email.message import EmailMessage
from time import monotonic
from urllib.parse import urlsplit
from uuid import UUID

from chassis.clock import utc_now
from chassis.database import Database
from services.messaging import receipts
from services.messaging.ports.imap import AT_ONCE, LONGEST_BYTES, Mailbox
from services.messaging.ports.port import plain
from services.messaging.settings import MessageSettings

EVERY_SECONDS = 60.0
OURS = re.compile(r"<([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@careline>", re.I)
"""The Message-ID of a mail of ours, which names the message."""
DEAD = re.compile(r"5\.(?:1\.(?:1|2|3|6|10)|2\.1)$")
"""Status codes that say the address does not work: no such mailbox or host, moved, disabled (RFC 3463)."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """A mail that was not delivered; `dead`: its address does not work."""

    message_id: UUID
    reason: str
    dead: bool


def bounce_of(raw: bytes) -> Bounce | None:
    """What a notice says; None: it is none, not about a mail of ours, or about a delay only."""
    mail = email.message_from_bytes(raw[:LONGEST_BYTES], policy=email.policy.default)
    status, words, action = "", "", ""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status":
            for block in part.get_payload():
                if isinstance(block, EmailMessage):
                    action = str(block.get("Action", action)).strip().lower()
                    status = str(block.get("Status", status)).strip().partition(" ")[0]
                    words = str(block.get("Diagnostic-Code", words))
    if action != "failed" or not status.startswith("5"):
        return None
    named = OURS.findall(raw[:LONGEST_BYTES].decode("utf-8", "replace"))
    if len(set(named)) != 1:
        return None
    return Bounce(UUID(named[0]), plain(f"{status} {words.partition(';')[2] or words}"), DEAD.match(status) is not None)


async def read(database: Database, mailbox: Mailbox) -> int:
    """Take in what bounced, each with its receipt; how many notices were read. Raises: OSError, imaplib.IMAP4.error."""
    try:
        await asyncio.to_thread(mailbox.connect)
        found = await asyncio.to_thread(mailbox.unseen)
        bounces = [one for _, raw in found if (one := bounce_of(raw)) is not None]
        if bounces:
            async with database.unit_of_work() as uow:
                await receipts.take(
                    uow,
                    [
                        receipts.Receipt(
                            message_id=one.message_id, state="undelivered", reason=one.reason, bounced=one.dead, at=utc_now()
                        )
                        for one in bounces
                    ],
                    "email",
                )  # fmt: skip
        await asyncio.to_thread(mailbox.mark, [uid for uid, _ in found])
    finally:
        await asyncio.to_thread(mailbox.close)
    return len(found)


class Reading:
    """The loop: a mailbox is looked into once a minute, and at once where there was more."""

    def __init__(self) -> None:
        self._next = 0.0

    async def turn(self, database: Database) -> bool:
        """One turn, where there is a mailbox. A server that is away is looked for again in a minute."""
        settings = MessageSettings()
        if not settings.email_imap or monotonic() < self._next:
            return False
        self._next = monotonic() + EVERY_SECONDS
        url = urlsplit(settings.email_imap.get_secret_value())
        more = await read(database, Mailbox(url, settings.email_ca, settings.seconds)) == AT_ONCE
        if more:
            self._next = 0.0
        return more
