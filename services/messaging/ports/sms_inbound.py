"""A gateway that brings nothing is asked: GET for what came after the last time, receipts and replies in the form of `/inbound`.

`{"receipts": [...], "replies": [...], "next": "CURSOR"}`; the cursor goes with the next question (`?after=CURSOR`).
"""

import json
from typing import Any

import aiohttp

from services.messaging.ports.sms import OK, read_body


class NotUnderstood(Exception):
    """The gateway is away, or says nothing that can be understood: nothing is taken, and it is asked again later."""


async def fetch(url: str, token: str, after: str, seconds: float) -> dict[str, Any]:
    """What came in after a cursor. Raises: NotUnderstood."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=seconds * 2, sock_connect=seconds, sock_read=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.get(url, params={"after": after} if after else {}, headers=headers, allow_redirects=False) as got,
        ):
            status, text = got.status, await read_body(got)
        said = json.loads(text) if status == OK else None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NotUnderstood(str(error) or type(error).__name__) from error
    if not isinstance(said, dict):
        raise NotUnderstood(f"HTTP {status}, and no object")
    return said
