"""The gateway's store of client keys over HTTP, for services in processes of their own.

A service says who it is by a token made with the field key, which the platform's own processes have and nobody else;
the internal key that signs callers' tokens is the gateway's alone.
"""

import asyncio
import base64
import hmac
import time
from collections.abc import Sequence

import httpx
import msgspec

from chassis.errors import Text, Unauthenticated
from chassis.personal.keys import ClientKey, KeysUnavailable
from chassis.secrets import key_ring
from chassis.settings import Settings

HEADER = "careline-service"
TOKEN_SECONDS = 60
PATH = "/v1/client-keys"
SECONDS = 5.0
MOST = 5000
"""Owners in one question."""
KEPT = httpx.Limits(max_connections=20, max_keepalive_connections=4, keepalive_expiry=2.0)
"""Connections that nobody used for so long are given up before the gateway gives them up."""


class Wanted(msgspec.Struct):
    """A question for keys; `make`: those who have none get one."""

    owners: list[str]
    make: bool = False


class Found(msgspec.Struct):
    """One key as it travels: to a service, over the internal network, never further."""

    owner: str
    generation: int
    key: str
    blocked: bool = False

    @classmethod
    def of(cls, key: ClientKey) -> "Found":
        """As it is answered."""
        return cls(key.owner, key.generation, base64.b64encode(key.secret).decode(), key.blocked)


def service_token(settings: Settings, service: str, now: float | None = None) -> str:
    """`SERVICE.EXPIRES.MAC`, good for a minute."""
    said = f"{service}.{int(time.time() if now is None else now) + TOKEN_SECONDS}"
    return f"{said}.{_mac(key_ring(settings, 'field')[0], said)}"


def check_service_token(settings: Settings, token: str) -> str:
    """The service a token names. Raises: Unauthenticated."""
    said, _, mac = token.rpartition(".")
    service, _, expires = said.rpartition(".")
    good = any(hmac.compare_digest(_mac(key, said).encode(), mac.encode()) for key in key_ring(settings, "field"))
    if not (good and service and expires.isascii() and expires.isdecimal() and int(expires) > time.time()):
        raise Unauthenticated(Text("not one of our services", "并非本平台服务"))
    return service


def _mac(key: bytes, said: str) -> str:
    return hmac.digest(key, f"careline service identity\n{said}".encode(), "sha256").hex()


class RemoteKeys:
    """Asks as one service, with a token made for this alone. Its connections are kept: making ready to speak TLS, for a client whose
    key is not known yet, took longer than everything else of a read."""

    def __init__(self, settings: Settings, service: str) -> None:
        self.settings = settings
        self.service = service
        self._http: tuple[asyncio.AbstractEventLoop, httpx.AsyncClient] | None = None

    async def fetch(self, owners: Sequence[str], *, make: bool) -> list[ClientKey]:
        """As `KeySource` says."""
        if self.settings.gateway_url is None:
            raise KeysUnavailable("set CARELINE_GATEWAY_URL: the keys of clients are the gateway's")
        headers = {HEADER: service_token(self.settings, self.service)}
        found: list[ClientKey] = []
        for first in range(0, len(owners), MOST):
            body = msgspec.json.encode(Wanted(list(owners[first : first + MOST]), make))
            try:
                answer = await self._post(self._client(self.settings.gateway_url), body, headers)
            except httpx.HTTPError as error:
                raise KeysUnavailable(f"the gateway's keys: {error!r}") from error
            if answer.status_code != httpx.codes.OK:
                raise KeysUnavailable(f"the gateway's keys: status {answer.status_code}")
            found += [
                ClientKey(one.owner, one.generation, base64.b64decode(one.key), blocked=one.blocked)
                for one in msgspec.json.decode(answer.content, type=list[Found])
            ]
        return found

    async def close(self) -> None:
        """Give the connections back."""
        if self._http is not None:
            _, http = self._http
            self._http = None
            await http.aclose()

    def _client(self, url: str) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._http is None or self._http[0] is not loop:  # those of a loop that has ended are of no use
            self._http = loop, httpx.AsyncClient(base_url=url, timeout=SECONDS, limits=KEPT)
        return self._http[1]

    async def _post(self, http: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> httpx.Response:
        try:
            return await http.post(PATH, content=body, headers=headers)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # A kept connection that the gateway gave up meanwhile; asking again changes nothing.
            return await http.post(PATH, content=body, headers=headers)
