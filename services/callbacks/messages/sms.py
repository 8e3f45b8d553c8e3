"""The HTTP SMS adapter: POST JSON, get a receipt. Providers answer late, twice, in HTML, or not at all."""

import json

import httpx

from services.callbacks.messages.port import Handed, Result
from services.callbacks.messages.templates import Words

SECONDS = 10.0
LONGEST_ANSWER_BYTES = 64_000


class HttpSms:
    """Sends over HTTP. 2xx with a receipt is sent; 408, 425, 429, 5xx, time-outs and nonsense are tried again; other
    4xx are final. `Idempotency-Key` is the message's id, so that a retry after a lost answer is no second SMS."""

    channel = "sms"

    def __init__(self, url: str, token: str, seconds: float = SECONDS) -> None:
        self.url = url
        self.token = token
        self.seconds = seconds

    async def send(self, message_id: str, address: str, words: Words) -> Handed:
        """Hand an SMS over."""
        headers = {"Idempotency-Key": message_id} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        body = {"id": message_id, "to": address, "text": words.body}
        try:
            async with (
                httpx.AsyncClient(timeout=self.seconds, follow_redirects=False) as http,
                http.stream("POST", self.url, json=body, headers=headers) as answer,
            ):
                status, text = answer.status_code, await _read(answer)
        except httpx.HTTPError as error:
            return Handed(Result.LATER, reason=str(error) or type(error).__name__)
        if status in (408, 425, 429) or status >= 500:
            return Handed(Result.LATER, reason=f"HTTP {status}")
        if not 200 <= status < 300:
            return Handed(Result.REFUSED, reason=f"HTTP {status}: {text[:200].decode('utf-8', 'replace')}")
        try:
            receipt = json.loads(text)["receipt"]
        except (ValueError, KeyError, TypeError):
            return Handed(Result.LATER, reason="the answer carries no receipt")
        if not isinstance(receipt, str) or not 0 < len(receipt) <= 200:
            return Handed(Result.LATER, reason="the answer's receipt is no text")
        return Handed(Result.SENT, receipt=receipt)


async def _read(answer: httpx.Response) -> bytes:
    """The body, as far as it is of a sane size."""
    found = b""
    async for part in answer.aiter_bytes():
        found += part
        if len(found) > LONGEST_ANSWER_BYTES:
            break
    return found
