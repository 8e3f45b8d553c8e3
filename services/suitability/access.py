"""Whether settled buys were to be had when they were made, by anybody and by this client: shelf and trading permission [Q4].

Of a trade the day is known, not its minute: what was on the shelf, or permitted, at any time of the day covers it. Of a
product taken the instant is known. Most products never leave the shelf and most kinds ask for no permission: only the others
are read.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import asyncpg

from chassis.clock import end_of, start_of
from services.suitability.policy import Policies, Policy
from services.suitability.situations import Bought

Change = tuple[datetime, bool]
"""From an instant on it is so, or no more."""


def counts_from(day: date, said_at: datetime | None) -> datetime:
    """From when on counts what was said of a day: said ahead from its begin, said on it from then; said later, at what time
    of the day it began is not known, and it counts from its end. None: said before it was kept when."""
    if day == date.min:
        return datetime.min.replace(tzinfo=UTC)
    return start_of(day) if said_at is None else min(max(said_at, start_of(day)), end_of(day))


def was_so(changes: Iterable[Change], since: datetime, until: datetime) -> bool:
    """Whether it was so at an instant, or at any time before another (`until`), of changes in their order."""
    before, meanwhile = False, False
    for at, so in changes:
        if at <= since:
            before = so
        elif at < until:
            meanwhile = meanwhile or so
    return before or meanwhile


def _made(row: Bought) -> tuple[datetime, datetime]:
    """Between which instants a buy was made."""
    return (row.settled_at, row.settled_at) if row.at_known else (start_of(row.trade_date), end_of(row.trade_date))


@dataclass(frozen=True, slots=True)
class Access:
    """The products that were ever off a shelf, ours or the library's, and the permissions of those clients whose buys ask for
    one."""

    shelves: Mapping[str, Sequence[Change]]
    library: Mapping[str, Sequence[Change]]
    permissions: Mapping[tuple[str, str], Sequence[Change]]

    def on_shelf(self, row: Bought) -> bool:
        """Whether both the firm and its library had the product of a buy on the shelf."""
        since, until = _made(row)
        for shelf in (self.shelves.get(row.symbol, ()), self.library.get(row.symbol, ())):
            known = any(at <= since or at < until for at, _ in shelf)
            if known and not was_so(shelf, since, until):
                return False
        return True

    def permitted(self, row: Bought, policy: Policy) -> bool:
        """Whether the client held the permissions that a buy asked for."""
        return all(
            was_so(self.permissions.get((row.client_id, permission), ()), *_made(row))
            for permission in asked_of(row, policy)
        )


def asked_of(row: Bought, policy: Policy) -> set[str]:
    """The permissions that a buy asks for: its product's kind as the trade said it, and as staff had entered it."""
    kinds = {row.kind, row.entered[0] if row.entered else None}
    return {permission for kind in kinds if (permission := policy.permission_of(kind))}


async def read(sql: asyncpg.Connection, buys: Sequence[Bought], policies: Policies) -> Access:
    """What these buys (`BOUGHT`) are judged by."""
    codes = list({row.symbol for row in buys})
    shelves: defaultdict[str, list[Change]] = defaultdict(list)
    for code, since, recorded_at, on_shelf in await sql.fetch(
        """SELECT code, since, recorded_at, state = 'on_shelf' FROM product_states WHERE code = ANY($1::text[])
             AND code IN (SELECT code FROM product_states WHERE state <> 'on_shelf') ORDER BY since, id""",
        codes,
    ):
        shelves[code].append((counts_from(since, recorded_at), on_shelf))
    asking = {row.client_id for row in buys if asked_of(row, policies.on(row.trade_date))}
    permissions: defaultdict[tuple[str, str], list[Change]] = defaultdict(list)
    if asking:
        for client, permission, at, held in await sql.fetch(
            "SELECT client_id, permission, at, held FROM permissions WHERE client_id = ANY($1::text[]) ORDER BY at, held DESC",
            list(asking),
        ):
            permissions[client, permission].append((at, held))
    return Access(shelves, await _library(sql, codes), permissions)


async def _library(sql: asyncpg.Connection, codes: Sequence[str]) -> Mapping[str, Sequence[Change]]:
    """Where the library had products: what it told last of the time from an instant on takes the place of what it had told."""
    shelves: defaultdict[str, list[Change]] = defaultdict(list)
    for code, since, changed_from, told_at, on_shelf in await sql.fetch(
        """SELECT code, since, changed_from, told_at, shelf = 'on_shelf' FROM library_states WHERE code = ANY($1::text[])
             AND code IN (SELECT code FROM library_states WHERE shelf <> 'on_shelf') ORDER BY code, revision, since""",
        codes,
    ):
        begins = counts_from(changed_from, told_at) if since <= changed_from else start_of(since)
        shelves[code] = [*(one for one in shelves[code] if one[0] < begins), (begins, on_shelf)]
    return shelves
