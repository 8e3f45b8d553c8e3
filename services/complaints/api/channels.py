"""How to complain at a branch, and where that is published [C2]."""

from typing import Annotated

from pydantic import BaseModel

from chassis import staff
from chassis.actor import Actor, Role
from chassis.http import Reading, permits, router
from chassis.timeline import effective_now
from services.complaints.api.shapes import READERS
from services.complaints.channels import channels

routes = router("/v1/complaints/channels", "complaints")
Anybody = Annotated[Actor, permits("complaints.channels:read", Role.CLIENT, *READERS)]


class PublishedChannel(BaseModel):
    """How to complain at a branch, where that is published, and what is missing [C2]."""

    branch_id: str
    phone: str
    mailbox: str
    published_at: list[str]
    missing: list[str]


@routes.get("")
async def read_channels(_: Anybody, sql: Reading) -> list[PublishedChannel]:
    """The complaint phone and mailbox of every branch, and in which of the four media they are published [C2]."""
    now = await effective_now(sql)
    return [PublishedChannel.model_validate(one._asdict()) for one in channels(await staff.roster(sql), now)]
