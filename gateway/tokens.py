"""Tokens the gateway itself takes: bearer tokens for trying out and scripts, and sessions of browsers."""

import hmac
from functools import cached_property

from chassis.actor import OF_A_BRANCH, Actor, Role
from chassis.http.identity import GATEWAY, INTERNAL, Tokens
from chassis.secrets import key_bytes
from chassis.settings import Settings
from gateway.access import new_id

SESSION = "careline-session"
HOURS = 12
PURPOSE = "trial and scripts"


class GatewayTokens:
    """The three kinds of token, with the one key."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bearer = Tokens(settings, GATEWAY)
        self.session = Tokens(settings, SESSION)
        self.internal = Tokens(settings, INTERNAL)

    @cached_property
    def _csrf_key(self) -> bytes:
        return hmac.digest(key_bytes(self.settings, "internal"), b"careline csrf", "sha256")

    def csrf(self, session: str) -> str:
        """What a page of this session sends back with every change, as proof that it is ours."""
        return hmac.digest(self._csrf_key, session.encode(), "sha256").hex()


def issue_token(
    settings: Settings,
    role: Role,
    *,
    branch_id: str | None = None,
    client_id: str | None = None,
    subject: str | None = None,
    person: str | None = None,
    hours: float = HOURS,
) -> str:
    """A bearer token for the gateway, as `careline token` prints it. It carries a purpose, so reads are recorded, and an
    id, by which it is listed from its first use on and can be revoked. `person` is the staff id it stands for.

    Raises: ValueError when the role needs a client or a branch and none is given.
    """
    if role is Role.CLIENT and not client_id:
        raise ValueError("a client's token names the client: --client ID")
    if role is Role.CLIENT and person not in (None, client_id):
        raise ValueError("a client's token stands for the client: --person is for staff")
    if role in OF_A_BRANCH and not branch_id:
        raise ValueError(f"a token of role {role} names the branch: --branch B")
    of_role = f"token:{role}" + (f"@{branch_id}" if branch_id else "")
    name = subject or (f"client:{client_id}" if role is Role.CLIENT else f"token:{person}" if person else of_role)
    actor = Actor(name, role, client_id, branch_id, PURPOSE, person or "")
    return Tokens(settings, GATEWAY).make(actor, hours * 3600, id=new_id())
