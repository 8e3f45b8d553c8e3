"""The SMTP adapter (e-mail): plain, STARTTLS or TLS; one connection a batch, each mail by itself.

Where a mail stands when the connection goes decides what may be said of it: before its text was sent it was not taken,
afterwards nobody knows.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote

from chassis.clock import utc_now
from services.messaging.numbers import mailbox
from services.messaging.ports.port import LONGEST_REASON, Answer, Handed, Letter, Result, later, one_line, plain

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Dkim:
    """What mails are signed with (RFC 6376): the key of a selector, for the domain of the sender."""

    selector: str
    key: Path

    def signed(self, mail: bytes, sender: str) -> bytes:
        """The mail with its signature in front."""
        import dkim

        domain = sender.rpartition("@")[2].rstrip(">")
        headers = [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Content-Type"]
        made: bytes = dkim.sign(
            mail, self.selector.encode(), domain.encode(), self.key.read_bytes(), include_headers=headers,
            canonicalize=(b"relaxed", b"relaxed"),
        )  # fmt: skip
        return made + mail


class Smtp:
    """Sends over SMTP. 4xx answers are for later, 5xx answers final; of an address only those to RCPT are."""

    def __init__(
        self, url: SplitResult, sender: str, ca: Path | None = None, seconds: float = SECONDS, dkim: Dkim | None = None
    ) -> None:
        self.url, self.sender, self.ca, self.seconds, self.dkim = url, sender, ca, seconds, dkim

    async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
        """Hand mails over, one after the other; a lost connection is made again for the next one."""
        from aiosmtplib import SMTPException

        answers: dict[str, Answer] = {}
        client: Any = None
        for place, letter in enumerate(letters):
            if mailbox(letter.address) is None:
                answers[letter.message_id] = Answer(Result.REFUSED, reason="not one address", of_address=True)
                continue
            if client is None or not client.is_connected:
                try:
                    client = await self._connected()
                except (SMTPException, OSError, TimeoutError) as error:
                    return answers | later(letters[place:], str(error) or type(error).__name__)
            answers[letter.message_id] = await self._send(client, letter)
        if client is not None and client.is_connected:
            client.close()
        return answers

    async def ask(self, _: Sequence[Handed], /) -> Mapping[str, Answer]:
        """A mail server cannot be asked."""
        return {}

    async def _connected(self) -> Any:
        from aiosmtplib import SMTP

        client = SMTP(
            hostname=self.url.hostname or "127.0.0.1",
            port=self.url.port or (465 if self.url.scheme == "smtps" else 25),
            timeout=self.seconds,
            use_tls=self.url.scheme == "smtps",
            start_tls=self.url.scheme == "smtp+starttls",
            tls_context=ssl.create_default_context(cafile=self.ca) if self.url.scheme != "smtp" else None,
            username=unquote(self.url.username) if self.url.username else None,
            password=unquote(self.url.password) if self.url.password else None,
        )
        await client.connect()
        return client

    async def _send(self, client: Any, letter: Letter) -> Answer:
        from aiosmtplib import SMTPException, SMTPResponseException

        mail = await asyncio.to_thread(self._written, letter)  # signing takes a while
        step = "MAIL"
        try:
            await client.mail(self.sender)
            step = "RCPT"
            await client.rcpt(letter.address)
            step = "DATA"
            await client.data(mail)
        except SMTPResponseException as answer:
            if answer.code <= 0:  # no answer that could be read
                client.close()
                return Answer(Result.UNCLEAR if step == "DATA" else Result.LATER, reason=plain(answer.message))
            # What a server says of our own address is not the client's fault.
            final = answer.code >= 500 and step != "MAIL"
            await self._reset(client)
            return Answer(
                Result.REFUSED if final else Result.LATER,
                reason=plain(f"{answer.code} {answer.message}"),
                of_address=final and step == "RCPT",
            )
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            return Answer(
                Result.UNCLEAR if step == "DATA" else Result.LATER, reason=plain(str(error) or type(error).__name__)
            )
        return Answer(Result.TAKEN, f"<{letter.message_id}@careline>")

    async def _reset(self, client: Any) -> None:
        from aiosmtplib import SMTPException

        try:
            await client.rset()
        except (SMTPException, OSError, TimeoutError):
            client.close()  # a fresh connection for the next mail

    def _written(self, letter: Letter) -> bytes:
        """The mail as it goes over the line, signed where there is a key."""
        mail = self._mail(letter).as_bytes(policy=SMTP_POLICY)
        return self.dkim.signed(mail, self.sender) if self.dkim is not None else mail

    def _mail(self, letter: Letter) -> EmailMessage:
        """The mail; its Message-ID is the message's own, so that a repeat, and what bounces, can be told."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = (
            self.sender,
            letter.address,
            one_line(letter.subject)[:LONGEST_REASON],
        )
        mail["Message-ID"] = f"<{letter.message_id}@careline>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["Date"] = utc_now()
        mail.set_content(letter.text, cte="base64")
        if letter.html:  # beside the plain part, which is always there
            mail.add_alternative(letter.html, subtype="html", cte="base64")
        return mail
