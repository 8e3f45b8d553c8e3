"""The HTTP SMS adapter: POST JSON, get a receipt. Gateways answer late, twice, in HTML, in halves, or not at all.

One message a call: `{"id", "to", "text"}` is answered by `{"receipt"}` or `{"error", "final"?}`. With `batch` above 1 several a
call: `{"messages": [...]}` is answered by `{"results": [{"id", "receipt"} or {"id", "error", "final"?}]}`. A status URL is asked
by GET with the id in it: `{"state": "accepted" | "delivered" | "undelivered" | "unknown", "receipt"?}`.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from services.messaging.ports.connections import SECONDS, Connections
from services.messaging.ports.port import LONGEST_REF, Answer, Handed, Letter, Result, later, plain, unclear

OK, MISSING = 200, 404
LONGEST_ANSWER_BYTES = 1_000_000
NOT_TAKEN = frozenset((401, 403, 404, 405, 408, 413, 415, 425, 429, 503))
"""Nothing was taken, and it is not the message's fault."""
DEAD = ("空号", "停机", "黑名单", "invalid_number", "invalid number", "no such number", "blacklist", "unsubscribed")
"""What providers say of an address that does not work [MS13]."""


class HttpSms(Connections):
    """Sends over HTTP. `Idempotency-Key` is the message's id, or the first one's of a call."""

    def __init__(self, url: str, token: str = "", batch: int = 1, status: str = "", seconds: float = SECONDS) -> None:
        super().__init__(seconds)
        self.url, self.token, self.batch, self.status = url, token, batch, status

    async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
        """Hand SMS over: calls side by side, each with its part."""
        parts = [letters[n : n + self.batch] for n in range(0, len(letters), self.batch)]
        async with self._client() as http:
            answers = await asyncio.gather(*(self._call(http, part) for part in parts))
        return {key: answer for part in answers for key, answer in part.items()}

    @property
    def polls(self) -> bool:
        """Whether it can be asked for receipts."""
        return bool(self.status)

    async def ask(self, handed: Sequence[Handed], /) -> Mapping[str, Answer]:
        """What the gateway knows of messages, where it can be asked."""
        if not self.status:
            return {}
        found: dict[str, Answer] = {}
        async with self._client() as http:
            for key in (one.message_id for one in handed):
                url = self.status.replace("{id}", key)
                try:
                    async with http.get(url, headers=self._headers(), allow_redirects=False) as got:
                        status, text = got.status, await read_body(got)
                    said = json.loads(text) if status == OK else {}
                except (aiohttp.ClientError, TimeoutError, ValueError):
                    continue
                known = _known(said, missing=status == MISSING)
                if known is not None:
                    found[key] = known
        return found

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def _call(self, http: aiohttp.ClientSession, letters: Sequence[Letter]) -> dict[str, Answer]:
        bodies = [{"id": one.message_id, "to": one.address, "text": one.text} for one in letters]
        body: Any = {"messages": bodies} if self.batch > 1 else bodies[0]
        headers = self._headers() | {"Idempotency-Key": letters[0].message_id}
        try:
            made = aiohttp.BytesPayload(msgspec.json.encode(body), content_type="application/json")
            async with http.post(self.url, data=made, headers=headers, allow_redirects=False) as got:
                status, text = got.status, await read_body(got)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return later(letters, str(error) or type(error).__name__)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return unclear(letters, str(error) or type(error).__name__)
        if status in NOT_TAKEN or 300 <= status < 400:
            return later(letters, f"HTTP {status}")
        if status >= 500:
            return unclear(letters, f"HTTP {status}")
        if status >= 400:
            why = plain(b"HTTP %d: " % status + text)
            return {one.message_id: Answer(Result.REFUSED, reason=why, of_address=is_dead(why)) for one in letters}
        return self._understood(letters, text)

    def _understood(self, letters: Sequence[Letter], text: bytes) -> dict[str, Answer]:
        try:
            said = json.loads(text)
        except ValueError:
            return unclear(letters, "the answer is no JSON")
        if self.batch <= 1:
            return {letters[0].message_id: _answer(said)}
        results = said.get("results") if isinstance(said, dict) else None
        if not isinstance(results, list):
            refused = _answer(said)  # of the whole call: an error inside, or nothing that can be understood
            return {one.message_id: refused for one in letters}
        by_id = {str(one.get("id")): _answer(one) for one in results if isinstance(one, dict)}
        return {
            one.message_id: by_id.get(one.message_id, Answer(Result.UNCLEAR, reason="the answer leaves it out"))
            for one in letters
        }


def _answer(said: Any) -> Answer:
    """One message's answer: a receipt, an error inside, or nothing that says either."""
    if not isinstance(said, dict):
        return Answer(Result.UNCLEAR, reason="the answer is no object")
    if error := said.get("error"):
        why = plain(error if isinstance(error, str) else json.dumps(error, ensure_ascii=False))
        final = said.get("final") is True or is_dead(why)
        return Answer(Result.REFUSED if final else Result.LATER, reason=why, of_address=is_dead(why))
    receipt = said.get("receipt")
    if not isinstance(receipt, str) or not 0 < len(receipt) <= LONGEST_REF or not receipt.isprintable():
        return Answer(Result.UNCLEAR, reason="the answer carries no receipt")
    return Answer(Result.TAKEN, receipt)


def is_dead(why: str) -> bool:
    """Whether a provider's words say that the address does not work."""
    return any(word in why.lower() for word in DEAD)


def _known(said: Any, *, missing: bool) -> Answer | None:
    """What a status answer says; None where it says nothing."""
    state = "unknown" if missing else said.get("state") if isinstance(said, dict) else None
    receipt = said.get("receipt") if isinstance(said, dict) else None
    ref = receipt if isinstance(receipt, str) and 0 < len(receipt) <= LONGEST_REF and receipt.isprintable() else None
    match state:
        case "unknown":
            return Answer(Result.LATER, reason="the gateway never had it")
        case "accepted":
            return Answer(Result.TAKEN, ref)
        case "delivered":
            return Answer(Result.DELIVERED, ref)
        case "undelivered":
            return Answer(Result.REFUSED, ref, plain(said.get("error", "undelivered")))
    return None


async def read_body(answer: aiohttp.ClientResponse) -> bytes:
    """The body, as far as it is of a sane size."""
    found = b""
    async for part in answer.content.iter_any():
        found += part
        if len(found) > LONGEST_ANSWER_BYTES:
            break
    return found
