"""The SMTP adapter (e-mail). One message a connection: volumes are small, and a hanging server blocks nobody else."""

import asyncio
import re
import smtplib
import ssl
from email.message import EmailMessage

from services.callbacks.messages.port import Handed, Result
from services.callbacks.messages.templates import Words

SECONDS = 10.0
_ONE_ADDRESS = re.compile(r"[^@\s,;<>]{1,100}@[^@\s,;<>]{1,99}")

_NOT_TAKEN = (
    ConnectionRefusedError, ssl.SSLCertVerificationError, smtplib.SMTPNotSupportedError, smtplib.SMTPAuthenticationError,
)  # fmt: skip
"""Nothing was taken, and it is not the mail's fault."""


class Smtp:
    """Sends over SMTP, each mail to one address. 4xx answers and servers that cannot be reached are tried again, 5xx
    answers are final; a connection lost in the middle leaves open whether it went, and such a mail is not sent again."""

    channel = "email"

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        seconds: float = SECONDS,
        *,
        security: str = "smtp",
        login: tuple[str, str] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.sender = sender
        self.seconds = seconds
        self.security, self.login = security, login

    async def send(self, message_id: str, address: str, words: Words) -> Handed:
        """Hand a mail over. Its Message-ID is the message's own, so that a repeat can be told."""
        if not _ONE_ADDRESS.fullmatch(address):
            return Handed(Result.REFUSED, reason="not one address")
        mail, key = EmailMessage(), f"<{message_id}@careline>"
        try:
            mail["From"], mail["To"], mail["Subject"] = self.sender, address, words.subject
            mail["Message-ID"] = key
            mail.set_content(words.body)
        except ValueError as error:  # an address with a line break in it, say
            return Handed(Result.REFUSED, reason=str(error))
        try:
            await asyncio.to_thread(self._send, mail, address)
        except _NOT_TAKEN as error:
            return Handed(Result.LATER, reason=_plain(str(error)))
        except smtplib.SMTPRecipientsRefused as refused:
            code, text = refused.recipients[address]
            return Handed(Result.REFUSED if code >= 500 else Result.LATER, reason=f"{code} {_plain(text)}")
        except smtplib.SMTPResponseException as answer:
            final = 500 <= answer.smtp_code < 600
            reason = f"{answer.smtp_code} {_plain(answer.smtp_error)}"
            return Handed(Result.REFUSED if final else Result.LATER, reason=reason)
        except (OSError, smtplib.SMTPException) as error:
            return Handed(Result.REFUSED, reason=f"unclear: {error or type(error).__name__}"[:300])
        return Handed(Result.SENT, receipt=key)

    def _send(self, mail: EmailMessage, address: str) -> None:
        with self._connected() as server:
            if self.security == "smtp+starttls":
                server.starttls(context=ssl.create_default_context())
            if self.login:
                server.login(*self.login)
            server.send_message(mail, to_addrs=[address])

    def _connected(self) -> smtplib.SMTP:
        if self.security == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.seconds, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=self.seconds)


def _plain(text: bytes | str) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text)[:300]
