"""Providers sign what they bring: `Signature: t=SECONDS,v1=HEX`, HMAC-SHA256 of `SECONDS.BODY` under the shared secret."""

import hashlib
import hmac
import re
from typing import Annotated

from fastapi import Depends, Header, Request

from chassis.errors import Forbidden, Text
from chassis.http import Work
from chassis.http.declared import declares
from contracts.fields import text_of
from services.messaging.settings import MessageSettings

SECONDS = 300
_FORM = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


class NotSigned(Forbidden):
    """The signature is missing, wrong or older than five minutes; or no secret is agreed (`CARELINE_MESSAGES_INBOUND_SECRET`)."""

    title = Text("Not signed by a provider of ours", "签名无效")


@declares(NotSigned)
async def signed(
    request: Request,
    uow: Work,
    signature: Annotated[
        Annotated[str, text_of(200, 1, "t=SECONDS,v1=HEX of the body", "t=1767225600,v1=00")] | None, Header()
    ] = None,
) -> None:
    """Refuse what no provider signed. Raises: NotSigned."""
    secret = MessageSettings().inbound_secret.get_secret_value()
    given = _FORM.fullmatch(signature or "")
    if not secret or given is None or abs(uow.now.timestamp() - int(given[1])) > SECONDS:
        raise NotSigned
    made = hmac.new(secret.encode(), given[1].encode() + b"." + await request.body(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(made, given[2]):
        raise NotSigned


Signed = Annotated[None, Depends(signed, scope="function")]
