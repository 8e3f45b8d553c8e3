"""WeCom (企业微信) over its server interface: a mass message to one client, sent when its member confirms it [MS15].

`add_msg_template` makes the message, the member confirms it in their app, `get_groupmsg_send_result` says what became of it. It takes
no id of ours, so what is unclear stays so. The access token is kept until shortly before its end; a token that is refused is
fetched anew, once.
"""

import json
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import httpx

from services.messaging.ports.port import LONGEST_REF, Answer, Handed, Letter, Result, later, plain, unclear

SECONDS, EARLY_SECONDS = 10.0, 300.0
LONGEST_TEXT_BYTES = 2048
TOKEN_REFUSED = frozenset((40014, 41001, 42001))
TOO_FAST = frozenset((45009, 45033, 40058))
NOT_SENT, SENT, NO_FRIEND, OTHERS_CAME_FIRST = range(4)


class NoToken(Exception):
    """No access token can be had: nothing was sent."""


class WeCom:
    """Hands messages to members to confirm. One for a process: it keeps the token."""

    def __init__(self, url: str, corp_id: str, secret: str, seconds: float = SECONDS, agent_id: int = 0) -> None:
        self.url, self.corp_id, self.secret, self.seconds = url.rstrip("/"), corp_id, secret, seconds
        self.agent_id = agent_id
        self._token, self._until = "", 0.0

    async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
        """Make a message of each letter; taken means that its member is asked to confirm it."""
        answers: dict[str, Answer] = {}
        async with self._client() as http:
            for letter in letters:
                answers |= await self._send(http, letter)
        return answers

    async def ask(self, _: Sequence[Handed], /) -> Mapping[str, Answer]:
        """It knows no id of ours."""
        return {}

    async def became(self, ref: str, member: str, address: str) -> Answer | None:
        """What became of a message that a member was to confirm; None while they have not, or nobody can say.

        `address` is the client's external id.
        """
        body = {"msgid": ref, "userid": member, "limit": 500}
        async with self._client() as http:
            try:
                said = await self._call(http, "externalcontact/get_groupmsg_send_result", body)
            except (httpx.HTTPError, ValueError, NoToken):
                return None
        if said.get("errcode") != 0 or not isinstance(said.get("send_list"), list):
            return None
        own = [one for one in said["send_list"] if isinstance(one, dict) and one.get("external_userid") == address]
        match own[0].get("status") if own else None:
            case 1:
                return Answer(Result.DELIVERED, ref)
            case 2:
                return Answer(Result.REFUSED, ref, "no friend of the member", of_address=True)
            case 3:
                return Answer(Result.REFUSED, ref, "other mass messages came first")
        return None

    async def take_back(self, ref: str) -> bool:
        """Stop a message that its member has not confirmed; whether it is stopped."""
        async with self._client() as http:
            try:
                said = await self._call(http, "externalcontact/cancel_groupmsg_send", {"msgid": ref})
            except (httpx.HTTPError, ValueError, NoToken):
                return False
        return said.get("errcode") == 0

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=self.seconds, follow_redirects=False, trust_env=False)

    async def _send(self, http: httpx.AsyncClient, letter: Letter) -> dict[str, Answer]:
        if len(letter.text.encode()) > LONGEST_TEXT_BYTES:
            return {letter.message_id: Answer(Result.REFUSED, reason="longer than WeCom takes")}
        if letter.to_staff:
            return {letter.message_id: await self._to_staff(http, letter)}
        body = {
            "chat_type": "single", "external_userid": [letter.address], "sender": letter.sender,
            "text": {"content": letter.text},
        }  # fmt: skip
        try:
            said = await self._call(http, "externalcontact/add_msg_template", body)
        except (NoToken, httpx.ConnectError, httpx.ConnectTimeout) as error:
            return later([letter], str(error) or type(error).__name__)
        except (httpx.HTTPError, ValueError) as error:
            return unclear([letter], str(error) or type(error).__name__)
        return {letter.message_id: _understood(said, letter.address)}

    async def _to_staff(self, http: httpx.AsyncClient, letter: Letter) -> Answer:
        """A message of the firm's app to a member of staff: it needs nobody's confirmation."""
        if not self.agent_id:
            return Answer(Result.REFUSED, reason="no app of ours writes to staff: CARELINE_MESSAGES_WECOM_AGENT_ID")
        body = {
            "touser": letter.address, "msgtype": "text", "agentid": self.agent_id, "text": {"content": letter.text},
            "enable_duplicate_check": 1,
        }  # fmt: skip
        try:
            said = await self._call(http, "message/send", body)
        except (NoToken, httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Answer(Result.LATER, reason=plain(str(error) or type(error).__name__))
        except (httpx.HTTPError, ValueError) as error:
            return Answer(Result.UNCLEAR, reason=plain(str(error) or type(error).__name__))
        if said["errcode"] == 0 and letter.address.lower() in str(said.get("invaliduser", "")).lower().split("|"):
            return Answer(Result.REFUSED, reason="nobody of that id", of_address=True)
        made = _understood(said, letter.address)
        return Answer(Result.DELIVERED, made.ref) if made.result is Result.TAKEN else made

    async def _call(self, http: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Call with a token, once more with a fresh one when it is refused: nothing was taken then.

        Raises: NoToken; httpx.HTTPError, ValueError: whatever the server says instead of an answer.
        """
        for fresh in (False, True):
            token = await self._access(http, fresh=fresh)
            answer = await http.post(f"{self.url}/cgi-bin/{path}", params={"access_token": token}, json=body)
            if answer.status_code != 200:
                raise ValueError(f"HTTP {answer.status_code}")
            said = json.loads(answer.content)
            if not isinstance(said, dict) or not isinstance(said.get("errcode"), int):
                raise ValueError("the answer has no errcode")
            if said["errcode"] not in TOKEN_REFUSED:
                return said
        raise NoToken("the access token is refused")

    async def _access(self, http: httpx.AsyncClient, *, fresh: bool) -> str:
        if self._token and not fresh and monotonic() < self._until:
            return self._token
        given = {"corpid": self.corp_id, "corpsecret": self.secret}
        try:
            said = json.loads((await http.get(f"{self.url}/cgi-bin/gettoken", params=given)).content)
            self._token, seconds = str(said["access_token"]), float(said["expires_in"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise NoToken(f"no access token: {type(error).__name__}") from error
        self._until = monotonic() + max(seconds - EARLY_SECONDS, seconds / 2)
        return self._token


def _understood(said: Mapping[str, Any], address: str) -> Answer:
    code, why = said["errcode"], plain(f"{said['errcode']} {said.get('errmsg', '')}")
    if code in TOO_FAST:
        return Answer(Result.LATER, reason=why)
    if code == -1:  # the system is busy: it does not say whether it was busy with this
        return Answer(Result.UNCLEAR, reason=why)
    if code != 0:
        return Answer(Result.REFUSED, reason=why)
    failed, ref = said.get("fail_list"), said.get("msgid")
    if isinstance(failed, list) and address in failed:
        return Answer(Result.REFUSED, reason="no friend of the member", of_address=True)
    if not isinstance(ref, str) or not 0 < len(ref) <= LONGEST_REF or not ref.isprintable():
        return Answer(Result.UNCLEAR, reason="the answer names no message")
    return Answer(Result.TAKEN, ref)
