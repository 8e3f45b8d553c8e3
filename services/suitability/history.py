"""Levels in force as a dated history: of the assessments made by an instant the newest counts, by when the client was
assessed, until it ends [Q5].

`situations.in_force` says the same of many clients on a day, in SQL; a test holds the two equal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

import asyncpg

from chassis.clock import end_of, start_of
from chassis.rows import Row
from services.suitability.levels import held_in

ONE_DAY = timedelta(days=1)


def counts(a: str, known_at: str = "NULL::timestamptz") -> str:
    """SQL: whether an assessment counts: no review has rejected it, and none is open of a rise that only later facts showed
    [Q5]; as known at an instant, null being now."""
    return f"""NOT EXISTS (SELECT FROM reviews r WHERE r.assessment_id = {a}.assessment_id
                   AND (r.state = 'rejected' AND ({known_at} IS NULL OR r.decided_at <= {known_at})
                        OR r.late_rise_at IS NOT NULL AND ({known_at} IS NULL OR r.late_rise_at <= {known_at})
                           AND (r.state = 'open' OR r.decided_at > {known_at})))"""


class Made(Row, frozen=True):
    """An assessment that counts, `assessed_at` being when the answers were given; days are both included."""

    client_id: str
    assessment_id: str
    scheme: str
    level: str
    rank: int
    valid_from: date
    valid_until: date
    source: str
    submission_id: str | None
    assessed_at: datetime
    recorded_at: datetime

    @property
    def begins(self) -> datetime:
        """From when on it counts: the answers, or the first day if a review let them count later."""
        return max(self.assessed_at, start_of(self.valid_from))


@dataclass(frozen=True, slots=True)
class Stretch:
    """The level in force from a day through another, both included."""

    since: date
    until: date
    made: Made


async def read(
    sql: asyncpg.Connection, clients: Sequence[str], known_at: datetime | None = None
) -> Mapping[str, Sequence[Made]]:
    """The assessments of clients that count, oldest first, as known at an instant (None: now)."""
    rows = await sql.fetch(
        f"""SELECT {", ".join(f"a.{name}" for name in Made.__struct_fields__)} FROM assessments a
            WHERE a.client_id = ANY($1::text[]) AND ($2::timestamptz IS NULL OR a.recorded_at <= $2)
              AND {counts("a", "$2::timestamptz")}
            ORDER BY a.client_id, a.assessed_at, a.number""",
        list(clients),
        known_at,
    )
    found: dict[str, list[Made]] = {client: [] for client in clients}
    for row in rows:
        found[row["client_id"]].append(Made(*row))
    return found


def on(made: Iterable[Made], day: date) -> Made | None:
    """The assessment in force at the end of a day, of a client's oldest first."""
    newest = None
    for one in made:
        if one.valid_from <= day:
            newest = one
    return newest if newest is not None and newest.valid_until >= day else None


def at(made: Iterable[Made], instant: datetime) -> Made | None:
    """The assessment in force at an instant."""
    newest = None
    for one in made:
        if one.begins <= instant:
            newest = one
    return newest if newest is not None and instant < end_of(newest.valid_until) else None


def stretches(made: Sequence[Made]) -> list[Stretch]:
    """A client's levels in force, day by day, oldest first; days between without a level are in none of them."""
    days = sorted({day for one in made for day in (one.valid_from, one.valid_until + ONE_DAY)})
    found: list[Stretch] = []
    for day, following in pairwise(days):
        held = on(made, day)
        if held is not None and found and found[-1].made == held:
            found[-1] = Stretch(found[-1].since, following - ONE_DAY, held)
        elif held is not None:
            found.append(Stretch(day, following - ONE_DAY, held))
    return found


def lowest(made: Sequence[Made], since: datetime, until: datetime, scheme: str) -> int | None:
    """The lowest rank, in a scheme, of the levels in force between two instants, both included; None when none was.

    Of several that begin at one instant (a replayed day has one) each was in force.
    """
    first = at(made, since)
    held = [] if first is None else [first]
    for place, one in enumerate(made):
        newer = (later for later in made[place + 1 :] if later.assessed_at > one.assessed_at)
        if since < one.begins <= until and not any(later.begins <= one.begins for later in newer):
            held.append(one)
    return min((held_in(one.scheme, one.rank, scheme) for one in held), default=None)
