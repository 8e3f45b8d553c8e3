"""Alibaba Cloud's SMS service on this machine, as its documentation says it: signed calls, SendSms, QuerySendDetails."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, quote

from tests.messaging.serving import serving_on

KEY_ID, SECRET = "testId", "testSecret"
COMMON = {
    "AccessKeyId", "Action", "Format", "RegionId", "Signature", "SignatureMethod", "SignatureNonce", "SignatureVersion",
    "Timestamp", "Version",
}  # fmt: skip


class AliyunServer:
    """What was sent, by OutId; `behave` says how a number's message is answered, `listed` what became of each."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[dict[str, str]] = []
        self.accepted: Counter[str] = Counter()
        self.behave: dict[str, str] = {}
        self.listed: dict[str, tuple[int, str]] = {}
        """SendStatus and ErrCode of a message; 1 (no receipt yet) where nothing is said."""
        self.nonces: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
            )
            given = dict(parse_qsl((await reader.readexactly(length)).decode(), keep_blank_values=True))
            how, said = self._answer(given)
            if how == "hang_up":
                return
            if how == "silent":
                await asyncio.Event().wait()
            data = b"<html>busy</html>" if how == "html" else json.dumps(said).encode()
            status = "400 Bad Request" if how == "bad" else "503 Service Unavailable" if how == "away" else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
            await writer.drain()

    def _answer(self, given: dict[str, str]) -> tuple[str, dict[str, Any]]:
        if not given.keys() >= COMMON or given["Version"] != "2017-05-25" or given["SignatureNonce"] in self.nonces:
            return "bad", {"Code": "InvalidParameter", "Message": "common parameters"}
        self.nonces.add(given["SignatureNonce"])
        rest = sorted((name, value) for name, value in given.items() if name != "Signature")
        query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in rest)
        text = f"POST&%2F&{quote(query, safe='-_.~')}"
        made = base64.b64encode(hmac.new(f"{SECRET}&".encode(), text.encode(), hashlib.sha1).digest()).decode()
        if given["AccessKeyId"] != KEY_ID or made != given["Signature"]:
            return "bad", {
                "Code": "SignatureDoesNotMatch",
                "Message": "Specified signature does not match",
                "RequestId": "r",
            }
        return self._send(given) if given["Action"] == "SendSms" else ("fine", self._details(given))

    def _send(self, given: dict[str, str]) -> tuple[str, dict[str, Any]]:
        self.sent.append(given)
        how = self.behave.get(given["PhoneNumbers"], "OK")
        if how in ("OK", "hang_up", "silent", "html", "isp.SYSTEM_ERROR"):
            self.accepted[given["OutId"]] += 1
        if how == "OK":
            return how, {"Code": "OK", "Message": "OK", "BizId": f"b-{given['OutId']}^0", "RequestId": "r"}
        if how == "no_biz_id":
            return how, {"Code": "OK", "Message": "OK", "RequestId": "r"}
        return how, {"Code": how, "Message": "said the service", "RequestId": "r"}

    def _details(self, given: dict[str, str]) -> dict[str, Any]:
        rows = [
            {
                "OutId": one["OutId"], "PhoneNum": one["PhoneNumbers"], "TemplateCode": one["TemplateCode"],
                "SendStatus": self.listed.get(one["OutId"], (1, ""))[0], "ErrCode": self.listed.get(one["OutId"], (1, ""))[1],
            }
            for one in self.sent
            if one["PhoneNumbers"] == given["PhoneNumber"] and self.accepted[one["OutId"]]
        ]  # fmt: skip
        size, page = int(given["PageSize"]), int(given["CurrentPage"])
        shown = rows[size * (page - 1) : size * page] if len(given["SendDate"]) == 8 else []
        return {
            "Code": "OK",
            "Message": "OK",
            "TotalCount": len(rows),
            "SmsSendDetailDTOs": {"SmsSendDetailDTO": shown},
        }


@asynccontextmanager
async def serving_aliyun() -> AsyncIterator[AliyunServer]:
    """The service for the length of a block."""
    made = AliyunServer()
    async with serving_on(made.serve) as address:
        made.url = f"aliyun+http://{address}"
        yield made
