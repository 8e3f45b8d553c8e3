"""The SMTP adapter (e-mail). One message a connection: volumes are small, and a hanging server blocks nobody else."""

import asyncio
import smtplib
from email.message import EmailMessage

from services.callbacks.messages.port import Handed, Result
from services.callbacks.messages.templates import Words

SECONDS = 10.0


class Smtp:
    """Sends over SMTP. 4xx answers and lost connections are tried again, 5xx answers are final."""

    channel = "email"

    def __init__(self, host: str, port: int, sender: str, seconds: float = SECONDS) -> None:
        self.host = host
        self.port = port
        self.sender = sender
        self.seconds = seconds

    async def send(self, message_id: str, address: str, words: Words) -> Handed:
        """Hand a mail over. Its Message-ID is the message's own, so that a repeat can be told."""
        mail = EmailMessage()
        try:
            mail["From"], mail["To"], mail["Subject"] = self.sender, address, words.subject
            mail["Message-ID"] = f"<{message_id}@careline>"
            mail.set_content(words.body)
        except ValueError as error:  # an address with a line break in it, say
            return Handed(Result.REFUSED, reason=str(error))
        try:
            await asyncio.to_thread(self._send, mail)
        except smtplib.SMTPRecipientsRefused as refused:
            [(code, text)] = refused.recipients.values()
            return Handed(Result.REFUSED if code >= 500 else Result.LATER, reason=f"{code} {_plain(text)}")
        except smtplib.SMTPResponseException as answer:
            final = 500 <= answer.smtp_code < 600
            reason = f"{answer.smtp_code} {_plain(answer.smtp_error)}"
            return Handed(Result.REFUSED if final else Result.LATER, reason=reason)
        except (OSError, smtplib.SMTPException) as error:
            return Handed(Result.LATER, reason=str(error) or type(error).__name__)
        return Handed(Result.SENT, receipt=mail["Message-ID"])

    def _send(self, mail: EmailMessage) -> None:
        with smtplib.SMTP(self.host, self.port, timeout=self.seconds) as server:
            server.send_message(mail)


def _plain(text: bytes | str) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text)[:300]
