"""WeCom's server interface on this machine, as far as messages to clients go: tokens that end, members who confirm."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.messaging.serving import serving_on


class WeComServer:
    """What was asked; `confirm` says what members did (0 not yet, 1 sent, 2 no friend, 3 others came first)."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens = 0
        self.messages: dict[str, dict[str, Any]] = {}
        self.confirm: dict[str, int] = {}
        self.cancelled: list[str] = []
        self.staff: list[dict[str, Any]] = []
        self.nobody: set[str] = set()
        self.behave: dict[str, str] = {}
        """How a client's message is answered: busy, too_fast, no_friend, refused, html, hang_up."""

    def end_tokens(self) -> None:
        """Every token given so far is refused from now on."""
        self.tokens += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            line, *headers = head.decode().split("\r\n")
            length = next((int(h.split(":")[1]) for h in headers if h.lower().startswith("content-length")), 0)
            body = json.loads(await reader.readexactly(length) or b"{}")
            place = urlsplit(line.split()[1])
            asked = {name: values[0] for name, values in parse_qs(place.query).items()}
            said = self._answer(place.path.removeprefix("/cgi-bin/"), asked, body)
            if said is None:
                return
            data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
            await writer.drain()

    def _answer(self, path: str, asked: dict[str, str], body: dict[str, Any]) -> Any:
        if path == "gettoken":
            if asked != {"corpid": "corp", "corpsecret": "secret"}:
                return {"errcode": 40001, "errmsg": "invalid credential"}
            return {"errcode": 0, "errmsg": "ok", "access_token": f"t-{self.tokens}", "expires_in": 7200}
        if asked.get("access_token") != f"t-{self.tokens}":
            return {"errcode": 42001, "errmsg": "access_token expired"}
        if path == "message/send":
            self.staff.append(body)
            gone = body["touser"] if body["touser"] in self.nobody else ""
            return {"errcode": 0, "errmsg": "ok", "invaliduser": gone, "msgid": f"staff-{len(self.staff)}"}
        if path == "externalcontact/add_msg_template":
            return self._add(body)
        message = self.messages[body["msgid"]]
        if path == "externalcontact/cancel_groupmsg_send":
            self.cancelled.append(body["msgid"])
            return {"errcode": 0, "errmsg": "ok"}
        client = message["external_userid"][0]
        status = {"external_userid": client, "userid": body["userid"], "status": self.confirm.get(client, 0)}
        if body["userid"] != message["sender"]:
            return {"errcode": 40058, "errmsg": "invalid Request Parameter"}  # it is nothing of this member's
        return {"errcode": 0, "errmsg": "ok", "send_list": [status]}

    def _add(self, body: dict[str, Any]) -> Any:
        [client] = body["external_userid"]
        match self.behave.get(client):
            case "busy":
                return {"errcode": -1, "errmsg": "system busy"}
            case "too_fast":
                return {"errcode": 45009, "errmsg": "api freq out of limit"}
            case "refused":
                return {"errcode": 41048, "errmsg": "no license"}
            case "html":
                return "<html>maintenance</html>"
            case "hang_up":
                return None
            case "no_friend":
                return {"errcode": 0, "errmsg": "ok", "fail_list": [client], "msgid": ""}
        key = f"msg-{len(self.messages) + 1}"
        self.messages[key] = body
        return {"errcode": 0, "errmsg": "ok", "fail_list": [], "msgid": key}


@asynccontextmanager
async def serving_wecom() -> AsyncIterator[WeComServer]:
    """The server for the length of a block."""
    made = WeComServer()
    async with serving_on(made.serve) as address:
        made.url = f"http://{address}"
        yield made
