"""A mailbox over IMAP, read and marked: plain, STARTTLS or TLS. Its calls wait, and belong into a thread."""

import imaplib
import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import SplitResult, unquote

AT_ONCE, LONGEST_BYTES = 100, 200_000


class Mailbox:
    """One connection at a time to a mailbox; every call is made in a thread."""

    def __init__(self, url: SplitResult, ca: Path | None, seconds: float) -> None:
        self.url, self.ca, self.seconds = url, ca, seconds
        self._open: imaplib.IMAP4 | None = None

    def connect(self) -> None:
        """Sign in. Raises: OSError, imaplib.IMAP4.error."""
        host, tls = self.url.hostname or "127.0.0.1", ssl.create_default_context(cafile=self.ca)
        if self.url.scheme == "imaps":
            self._open = imaplib.IMAP4_SSL(host, self.url.port or 993, ssl_context=tls, timeout=self.seconds)
        else:
            self._open = imaplib.IMAP4(host, self.url.port or 143, timeout=self.seconds)
            if self.url.scheme == "imap+starttls":
                self._open.starttls(tls)
        self._open.login(unquote(self.url.username or ""), unquote(self.url.password or ""))
        self._open.select(self.url.path.strip("/") or "INBOX")

    def unseen(self) -> list[tuple[str, bytes]]:
        """The oldest notices nobody has seen, each with its uid; reading them marks none."""
        assert self._open is not None
        _, [found] = self._open.uid("SEARCH", "UNSEEN")
        read = []
        for uid in (found or b"").split()[:AT_ONCE]:
            _, parts = self._open.uid("FETCH", uid.decode(), f"(BODY.PEEK[]<0.{LONGEST_BYTES}>)")
            read += [(uid.decode(), part[1]) for part in parts if isinstance(part, tuple)]
        return read

    def mark(self, uids: Sequence[str]) -> None:
        """Mark them as seen."""
        assert self._open is not None
        if uids:
            self._open.uid("STORE", ",".join(uids), "+FLAGS.SILENT", r"(\Seen)")

    def close(self) -> None:
        """Leave."""
        if self._open is not None:
            self._open.shutdown()
            self._open = None
