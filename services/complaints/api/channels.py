"""How to complain at a branch, and where that is published [C2]."""

from typing import Annotated

from pydantic import BaseModel

from chassis import staff
from chassis.actor import Actor, Role
from chassis.http import Reading, permits, router
from services.complaints.api.shapes import READERS

routes = router("/v1/complaints/channels", "complaints")
Anybody = Annotated[Actor, permits("complaints.channels:read", Role.CLIENT, *READERS)]


class PublishedChannel(BaseModel):
    """How to complain at a branch, where that is published, and what is missing [C2]."""

    branch_id: str
    phone: str
    mailbox: str
    published_at: list[str]
    missing: list[str]


MEDIA = ("website", "branch_premises", "customer_agreements", "promotional_material")


@routes.get("")
async def read_channels(_: Anybody, sql: Reading) -> list[PublishedChannel]:
    """The complaint phone and mailbox of every branch, and in which of the four media they are published [C2]."""
    now = await sql.fetchval("SELECT clock_timestamp()")
    found = await staff.roster(sql)
    shown = []
    for branch_id in sorted(found.places):
        place = found.branch(branch_id, now)
        if place is None or place.closed_on is not None:
            continue
        missing = [name for name in ("phone", "mailbox") if not getattr(place, name)]
        missing += [medium for medium in MEDIA if medium not in place.published_at_places]
        shown.append(
            PublishedChannel(
                branch_id=branch_id,
                phone=place.phone,
                mailbox=place.mailbox,
                published_at=list(place.published_at_places),
                missing=missing,
            )
        )
    return shown
