"""Hand-overs (客户移交): of each client who changed hands, until when they are offered to somebody and first spoken to [A9].

Nothing is kept of its own: both clocks follow from the owners' stretches, contacts and the calendar, whatever came late.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import asyncpg

from chassis.calendar import Calendar
from chassis.clock import business_date, end_of
from chassis.policy import Versions
from chassis.rows import Row
from services.relationships.ownership import LEFT
from services.relationships.policy import HandOver

State = Literal["to_offer", "to_contact", "contacted"]


class Change(Row, frozen=True):
    """A client passed from one owner to another: the present one since when, and their first valid contact since."""

    client_id: str
    branch_id: str | None
    core: bool
    previous: str
    person: str
    role: str
    reason: str
    since: datetime
    contact_at: datetime | None


class Handed(Row, frozen=True):
    """A hand-over as it stands. `due`: of the offer while the pool's lead stands in, else of the first contact."""

    change: Change
    state: State
    due: datetime
    late: bool


CHANGES = (
    """
    SELECT o.client_id, c.branch_id,
           coalesce((SELECT h.core FROM cores h WHERE h.client_id = o.client_id AND h.since <= $1::date
                     ORDER BY h.since DESC LIMIT 1), false) AS core,
           p.person AS previous, o.person, o.role, o.reason, o.since,
           (SELECT min(k.at) FROM contacts k WHERE k.client_id = o.client_id AND k.valid AND k.two_way AND k.at >= o.since
               AND (k.person = o.person OR k.person IN (SELECT m.person FROM team_members m WHERE m.client_id = o.client_id)))
    FROM owners o JOIN clients c USING (client_id)
    JOIN owners p ON p.client_id = o.client_id AND p.until = o.since
    WHERE o.until IS NULL AND o.since >= $2 AND o.since <= $3 AND c.closed_on IS NULL AND ($4::text IS NULL OR o.person = $4)
      AND (o.role = 'primary' OR o.reason = '"""
    + LEFT
    + """') AND {scope}
    ORDER BY o.since, o.client_id LIMIT $5"""
)
"""$1: today, $2 and $3: changes between, $4: whose, $5: how many. Who begins with their first owner is no hand-over."""


def judge(change: Change, terms: HandOver, calendar: Calendar, now: datetime) -> Handed:
    """Where a hand-over stands: offered within a working day, first contact within one (core) or five [A9]."""
    day = business_date(change.since)
    if change.role != "primary":
        due = end_of(calendar.add_days(day, terms.offer_days))
        return Handed(change, "to_offer", due, now >= due)
    due = end_of(calendar.add_days(day, terms.core_contact_days if change.core else terms.contact_days))
    if change.contact_at is not None:
        return Handed(change, "contacted", due, change.contact_at >= due)
    return Handed(change, "to_contact", due, now >= due)


async def listed(
    sql: asyncpg.Connection, since: datetime, now: datetime, person: str | None, scope: str, arguments: Sequence[str],
    terms: Versions[HandOver], calendar: Calendar, limit: int,
) -> list[Handed]:  # fmt: skip
    """Hand-overs since an instant, the oldest first."""
    rows = await sql.fetch(
        CHANGES.format(scope=scope.replace("branch_id", "c.branch_id")), business_date(now), since, now, person, limit,
        *arguments,
    )  # fmt: skip
    found = [Change(*row) for row in rows]
    return [judge(one, terms.on(business_date(one.since)).body, calendar, now) for one in found]
