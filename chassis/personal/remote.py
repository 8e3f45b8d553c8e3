"""The gateway's store of client keys over HTTP, for services in processes of their own."""

import base64
from collections.abc import Sequence

import httpx
import msgspec

from chassis.actor import Actor, Role
from chassis.http.identity import Tokens
from chassis.personal.keys import ClientKey, KeysUnavailable
from chassis.settings import Settings

AUDIENCE, HEADER = "careline-keys", "careline-service"
PATH = "/v1/client-keys"
SECONDS = 5.0
MOST = 5000
"""Owners in one question."""


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


class RemoteKeys:
    """Asks as one service, with a token signed for this alone."""

    def __init__(self, settings: Settings, service: str) -> None:
        self.settings = settings
        self.actor = Actor(f"service:{service}", Role.SYSTEM)

    async def fetch(self, owners: Sequence[str], *, make: bool) -> list[ClientKey]:
        """As `KeySource` says."""
        if self.settings.gateway_url is None:
            raise KeysUnavailable("set CARELINE_GATEWAY_URL: the keys of clients are the gateway's")
        headers = {HEADER: Tokens(self.settings, AUDIENCE).make(self.actor)}
        found: list[ClientKey] = []
        async with httpx.AsyncClient(base_url=self.settings.gateway_url, headers=headers, timeout=SECONDS) as http:
            for first in range(0, len(owners), MOST):
                body = msgspec.json.encode(Wanted(list(owners[first : first + MOST]), make))
                try:
                    answer = await http.post(PATH, content=body)
                except httpx.HTTPError as error:
                    raise KeysUnavailable(f"the gateway's keys: {error!r}") from error
                if answer.status_code != httpx.codes.OK:
                    raise KeysUnavailable(f"the gateway's keys: status {answer.status_code}")
                found += [
                    ClientKey(one.owner, one.generation, base64.b64decode(one.key), blocked=one.blocked)
                    for one in msgspec.json.decode(answer.content, type=list[Found])
                ]
        return found
