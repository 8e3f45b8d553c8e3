"""Whom of the staff a client is a friend of in WeCom, over HTTP [MS15]."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.http import Work, permits, router
from contracts.fields import Identifier
from services.messaging import wecom_contacts
from services.messaging.api.access import require_client

routes = router("/v1/messaging", "messaging")
Linker = Annotated[Actor, permits("messaging:wecom", Role.SYSTEM)]


class Friend(BaseModel, extra="forbid"):
    """The client's external id, and the member (userid) whose friend they are."""

    external_id: Annotated[Identifier, Field(description="the client's id in WeCom")]
    member: Annotated[Identifier, Field(description="the member's userid in WeCom")]


class Linked(BaseModel):
    """The member whose friend a client is."""

    client_id: str
    member: Annotated[str, Field(description="the member's userid in WeCom", examples=["zhang.san"])]
    since: datetime


@routes.put("/clients/{client_id}/wecom")
async def link(actor: Linker, uow: Work, client_id: Identifier, given: Friend) -> Linked:
    """Note how a client is reached in WeCom; a later word replaces it."""
    await require_client(uow.sql, actor, client_id)
    await wecom_contacts.link(uow, client_id, given.external_id, given.member)
    return Linked(client_id=client_id, member=given.member, since=uow.now)
