"""Alerts to staff by apprise, the extra `careline[alerts]`: Slack, DingTalk, WeCom robots, mail, a webhook, whatever its URLs name.

For staff alone, never for clients: nobody learns whether an alert was read. Each address fails alone.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

from services.messaging.ports.port import plain


class AlertsUnavailable(Exception):
    """Alerts are set up and the library is not installed: `pip install 'careline[alerts]'`."""


def name_of(url: str) -> str:
    """What an address is called where it is kept or shown: its kind, and which of these; the address itself holds secrets."""
    return f"{plain(url.partition(':')[0])}#{sha256(url.encode()).hexdigest()[:8]}"


async def send(urls: Sequence[str], title: str, body: str) -> list[str]:
    """Send an alert to every address; the names of those that did not take it. Raises: AlertsUnavailable."""
    return await asyncio.to_thread(_send, urls, title, body)


def _send(urls: Sequence[str], title: str, body: str) -> list[str]:
    try:
        import apprise
    except ImportError as error:
        raise AlertsUnavailable("pip install 'careline[alerts]'") from error
    failed = []
    for url in urls:
        one = apprise.Apprise()
        # One address at a time: together there is one answer for all of them.
        if not one.add(url) or not one.notify(title=title, body=body):
            failed.append(name_of(url))
    return failed
