"""A carrier's gateway on this machine, over real HTTP: it takes, counts, and misbehaves as told."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.messaging.serving import serving_on

TEXTS: dict[str, tuple[str, str | bytes]] = {
    "html": ("200 OK", "<html>maintenance</html>"),
    "nothing": ("200 OK", '{"ok": true}'),
    "number": ("200 OK", '{"receipt": 7}'),
    "nul": ("200 OK", '{"receipt": "a\\u0000b"}'),
    "error_inside": ("200 OK", '{"error": "isp.BUSINESS_LIMIT\\u0000"}'),
    "dead_inside": ("200 OK", '{"error": "空号"}'),
    "refused": ("400 Bad Request", "no such number"),
    "throttled": ("429 Too Many Requests", ""),
    "away": ("503 Service Unavailable", ""),
    "broken": ("500 Internal Server Error", "oops"),
    "elsewhere": ("302 Found", ""),
    "locked_out": ("401 Unauthorized", ""),
}


class Gateway:
    """What came in, by id and by number; `behave` says how each number is answered, `default` all others."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[dict[str, Any]] = []
        self.accepted: Counter[str] = Counter()
        self.behave: dict[str, str] = {}
        self.default = "fine"
        self.calls = 0

    @property
    def status_url(self) -> str:
        return self.url.replace("/sms", "/status/{id}")

    def sent(self, number: str) -> list[str]:
        """The texts that came for a number, repeats included."""
        return [one["text"] for one in self.taken if one["to"] == number]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            line, *headers = head.split(b"\r\n")
            length = next((int(one.split(b":")[1]) for one in headers if one.lower().startswith(b"content-length")), 0)
            body = await reader.readexactly(length)
            self.calls += 1
            if line.startswith(b"GET"):
                key = line.split()[1].decode().rpartition("/")[2]
                known = {"state": "accepted", "receipt": f"r-{key}"} if self.accepted[key] else {"state": "unknown"}
                await self._answer(writer, "200 OK", json.dumps(known))
            elif not await self._post(writer, json.loads(body)):
                return

    async def _post(self, writer: asyncio.StreamWriter, said: dict[str, Any]) -> bool:
        many = said.get("messages")
        results = []
        for one in many or [said]:
            self.taken.append(one)
            how = self.behave.get(one["to"], self.default)
            if how in ("fine", "silent", "cut", "hang_up"):
                self.accepted[one["id"]] += 1
            if many is not None:
                error = (
                    {"error": "空号", "final": True}
                    if how == "dead_inside"
                    else {"error": "busy"}
                    if how == "error_inside"
                    else None
                )
                results += [] if how == "left_out" else [{"id": one["id"], **(error or {"receipt": f"r-{one['id']}"})}]
                continue
            if how == "silent":
                await asyncio.Event().wait()
            if how == "hang_up":
                return False
            if how == "garbage":
                writer.write(b"\x00\x01 not http at all\r\n\r\n")
                await writer.drain()
                return False
            if how == "cut":
                writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{"receipt": "r-')
                await writer.drain()
                return False
            status, text = TEXTS.get(how, ("200 OK", json.dumps({"receipt": f"r-{one['id']}"})))
            await self._answer(writer, status, text)
        if many is not None:
            await self._answer(writer, "200 OK", json.dumps({"results": results}))
        return True

    async def _answer(self, writer: asyncio.StreamWriter, status: str, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()


@asynccontextmanager
async def serving() -> AsyncIterator[Gateway]:
    """A gateway for the length of a block."""
    gateway = Gateway()
    async with serving_on(gateway._serve) as address:
        gateway.url = f"http://{address}/sms"
        yield gateway
