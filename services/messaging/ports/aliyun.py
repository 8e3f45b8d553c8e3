"""Alibaba Cloud's SMS service (阿里云短信服务), API 2017-05-25: SendSms with a filed template, QuerySendDetails by our own id.

Calls are signed as its RPC style asks: the parameters percent-encoded and sorted, HMAC-SHA1 under the secret and `&`. `OutId` is the
message's id: what is unclear is looked for under it, by number and day. A message that is not listed says nothing, as lists lag.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp

from chassis.clock import SHANGHAI, utc_now
from services.messaging.ports.connections import SECONDS, Connections
from services.messaging.ports.port import LONGEST_REF, Answer, Handed, Letter, Result, later, plain, unclear
from services.messaging.ports.sms import is_dead, read_body

VERSION, REGION = "2017-05-25", "cn-hangzhou"
PAGE, PAGES = 50, 20
WAITING, FAILED, DELIVERED = 1, 2, 3
"""SendStatus of QuerySendDetails."""
OF_ADDRESS = frozenset(("isv.MOBILE_NUMBER_ILLEGAL", "isv.MOBILE_COUNT_OVER_LIMIT"))
DEAD_CODES = frozenset(("MOBILE_NOT_ON_SERVICE", "MOBILE_IN_BLACK", "MOBILE_ACCOUNT_ABNORMAL"))
"""ErrCode of a receipt that says the number does not work (空号, 停机, 黑名单)."""
MESSAGES_FAULT = frozenset((
    "isv.SMS_TEMPLATE_ILLEGAL", "isv.SMS_SIGNATURE_ILLEGAL", "isv.SMS_SIGN_ILLEGAL", "isv.TEMPLATE_MISSING_PARAMETERS",
    "isv.TEMPLATE_PARAMS_ILLEGAL", "isv.INVALID_PARAMETERS", "isv.INVALID_JSON_PARAM", "isv.PARAM_LENGTH_LIMIT",
    "isv.PARAM_NOT_SUPPORT_URL", "isv.BLACK_KEY_CONTROL_LIMIT", "isv.SMS_CONTENT_ILLEGAL", *OF_ADDRESS,
))  # fmt: skip
"""Codes that another try would meet again; all others but those of `isp.` were not taken, and may be tried later."""


def signature(parameters: Mapping[str, str], secret: str, method: str = "POST") -> str:
    """The signature of a call's parameters."""
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(parameters.items()))
    text = f"{method}&{_encoded('/')}&{_encoded(query)}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()).decode()


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


class Aliyun(Connections):
    """Sends filed templates one by one, side by side."""

    polls = True

    def __init__(self, url: str, key_id: str, secret: str, seconds: float = SECONDS) -> None:
        super().__init__(seconds)
        self.url, self.key_id, self.secret = url.rstrip("/") + "/", key_id, secret

    async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
        """Hand SMS over; one without a filed template never goes this way."""
        async with self._client() as http:
            answers = await asyncio.gather(*(self._send(http, letter) for letter in letters))
        return {letter.message_id: answer for letter, answer in zip(letters, answers, strict=True)}

    async def ask(self, handed: Sequence[Handed], /) -> Mapping[str, Answer]:
        """What the provider lists under our ids."""
        found: dict[str, Answer] = {}
        async with self._client() as http:
            for one in handed:
                try:
                    answer = await self._asked(http, one)
                except (aiohttp.ClientError, TimeoutError, ValueError):
                    continue
                if answer is not None:
                    found[one.message_id] = answer
        return found

    async def _send(self, http: aiohttp.ClientSession, letter: Letter) -> Answer:
        if not letter.template:
            return Answer(Result.REFUSED, reason="no filed template of this provider")
        given = {
            "PhoneNumbers": letter.address.lstrip("+"), "SignName": letter.signature, "TemplateCode": letter.template,
            "TemplateParam": json.dumps(dict(letter.fields), ensure_ascii=False), "OutId": letter.message_id,
        }  # fmt: skip
        try:
            status, said = await self._call(http, "SendSms", given)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return later([letter], str(error) or type(error).__name__)[letter.message_id]
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return unclear([letter], str(error) or type(error).__name__)[letter.message_id]
        return _understood(status, said)

    async def _asked(self, http: aiohttp.ClientSession, one: Handed) -> Answer | None:
        day = (one.at or utc_now()).astimezone(SHANGHAI)
        for page in range(1, PAGES + 1):
            given = {
                "PhoneNumber": one.address.lstrip("+"), "SendDate": f"{day:%Y%m%d}", "PageSize": str(PAGE),
                "CurrentPage": str(page),
            }  # fmt: skip
            _, said = await self._call(http, "QuerySendDetails", given)
            listed = said.get("SmsSendDetailDTOs", {})
            rows = listed.get("SmsSendDetailDTO") if isinstance(listed, dict) else None
            if said.get("Code") != "OK" or not isinstance(rows, list):
                return None
            for row in rows:
                if isinstance(row, dict) and row.get("OutId") == one.message_id:
                    return _listed(row)
            if len(rows) < PAGE:
                return None
        return None

    async def _call(
        self, http: aiohttp.ClientSession, action: str, given: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """A signed call. Raises: aiohttp.ClientError, TimeoutError, ValueError: whatever is no answer of the service's."""
        parameters = {
            "AccessKeyId": self.key_id, "Action": action, "Format": "JSON", "RegionId": REGION,
            "SignatureMethod": "HMAC-SHA1", "SignatureNonce": uuid4().hex, "SignatureVersion": "1.0",
            "Timestamp": f"{utc_now():%Y-%m-%dT%H:%M:%SZ}", "Version": VERSION, **given,
        }  # fmt: skip
        body = parameters | {"Signature": signature(parameters, self.secret)}
        async with http.post(self.url, data=body, allow_redirects=False) as got:
            status, text = got.status, await read_body(got)
        said = json.loads(text)
        if not isinstance(said, dict) or not isinstance(said.get("Code"), str):
            raise ValueError(f"HTTP {status}: the answer has no Code")
        return status, said


def _understood(status: int, said: Mapping[str, Any]) -> Answer:
    """What SendSms answered."""
    code, why = said["Code"], plain(f"{said['Code']} {said.get('Message', '')}")
    if code == "OK":
        ref = said.get("BizId")
        if not isinstance(ref, str) or not 0 < len(ref) <= LONGEST_REF or not ref.isprintable():
            return Answer(Result.UNCLEAR, reason="the answer carries no BizId")
        return Answer(Result.TAKEN, ref)
    if code in MESSAGES_FAULT:
        return Answer(Result.REFUSED, reason=why, of_address=code in OF_ADDRESS)
    if status >= 500 or code.startswith("isp."):  # its own fault: it may have gone on
        return Answer(Result.UNCLEAR, reason=why)
    return Answer(Result.LATER, reason=why)


def _listed(row: Mapping[str, Any]) -> Answer | None:
    """What QuerySendDetails lists of a message."""
    code = str(row.get("ErrCode") or "")
    match row.get("SendStatus"):
        case 1:
            return Answer(Result.TAKEN)
        case 2:
            return Answer(
                Result.REFUSED, reason=plain(code) or "refused", of_address=code in DEAD_CODES or is_dead(code)
            )
        case 3:
            return Answer(Result.DELIVERED)
    return None
