"""Where a client can complain: each branch's phone and mailbox, and in which of the four media they are published [C2]."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from chassis import staff
from chassis.clock import business_date
from chassis.staff import HQ, Roster
from chassis.timeline import Timeline, effective_now, timeline

MEDIA = ("website", "branch_premises", "customer_agreements", "promotional_material")
SHOWN = 20


class Channel(NamedTuple):
    """A branch's channels, and what is missing of them."""

    branch_id: str
    phone: str
    mailbox: str
    published_at: Sequence[str]
    missing: Sequence[str]

    @property
    def is_lacking(self) -> bool:
        """Whether there is no phone or no mailbox at all."""
        return not (self.phone and self.mailbox)


def channels(roster: Roster, at: datetime) -> list[Channel]:
    """The channels of every open branch."""
    found = []
    for branch_id in sorted(roster.places):
        place = roster.branch(branch_id, at)
        if place is None or (place.closed_on is not None and place.closed_on <= business_date(at)):
            continue
        missing = [name for name in ("phone", "mailbox") if not getattr(place, name)]
        missing += [medium for medium in MEDIA if medium not in place.published_at_places]
        found.append(Channel(branch_id, place.phone, place.mailbox, list(place.published_at_places), missing))
    return found


async def check(sql: asyncpg.Connection) -> dict[str, Any]:
    """Health: a branch without complaint phone or mailbox fails it, one that does not publish them everywhere warns.

    A simulated home's branches are made up of their names in the files: nobody can call them.
    """
    if await timeline(sql) is Timeline.SIMULATED:
        return {"status": "pass", "output": "a simulated home publishes no channels"}
    now = await effective_now(sql)
    known = [one for one in channels(await staff.roster(sql), now) if one.branch_id != HQ]
    lacking = [one.branch_id for one in known if one.is_lacking]
    unpublished = [one.branch_id for one in known if one.missing and not one.is_lacking]
    fix = "say phone, mailbox and media of each in broker.branch.changed; GET /v1/complaints/channels shows all"
    if lacking:
        return {"status": "fail", "output": f"no complaint phone or mailbox: {_listed(lacking)}", "fix": fix}
    if unpublished:
        return {"status": "warn", "output": f"not published in all four media: {_listed(unpublished)}", "fix": fix}
    return {"status": "pass", "output": f"{len(known)} branches publish how to complain"}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
