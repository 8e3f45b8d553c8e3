"""Whether settled buys were to be had on their day, by anybody and by this client: shelf and trading permission [Q4].

The day of a buy is known, not its minute: what was on the shelf, or permitted, at any time of the day covers it. Most
products never leave the shelf and most kinds ask for no permission: only the others are read.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import asyncpg

from chassis.clock import business_date
from services.suitability.policy import Policies, Policy
from services.suitability.situations import Bought

Change = tuple[date, bool]
"""From a day on it is so, or no more."""


def was_so(changes: Iterable[Change], day: date) -> bool:
    """Whether it was so at any time of a day, of changes in their order."""
    at_dawn, meanwhile = False, False
    for since, so in changes:
        if since < day:
            at_dawn = so
        elif since == day:
            meanwhile = meanwhile or so
    return at_dawn or meanwhile


@dataclass(frozen=True, slots=True)
class Access:
    """The products that were ever off the shelf, and the permissions of those clients whose buys ask for one."""

    shelves: Mapping[str, Sequence[Change]]
    permissions: Mapping[tuple[str, str], Sequence[Change]]

    def on_shelf(self, row: Bought) -> bool:
        """Whether both the firm and its library had the product of a buy on the shelf."""
        states, library = self.shelves.get(row.symbol, ()), row.library
        if library is not None and library[0] != "on_shelf":
            return False
        known = any(since <= row.trade_date for since, _ in states)
        return not known or was_so(states, row.trade_date)

    def permitted(self, row: Bought, policy: Policy) -> bool:
        """Whether the client held the permissions that a buy asked for."""
        return all(
            was_so(self.permissions.get((row.client_id, permission), ()), row.trade_date)
            for permission in asked_of(row, policy)
        )


def asked_of(row: Bought, policy: Policy) -> set[str]:
    """The permissions that a buy asks for: its product's kind as the trade said it, and as staff had entered it."""
    kinds = {row.kind, row.entered[0] if row.entered else None}
    return {permission for kind in kinds if (permission := policy.permission_of(kind))}


async def read(sql: asyncpg.Connection, buys: Sequence[Bought], policies: Policies) -> Access:
    """What these buys (`BOUGHT`) are judged by."""
    shelves: defaultdict[str, list[Change]] = defaultdict(list)
    for code, since, on_shelf in await sql.fetch(
        """SELECT code, since, state = 'on_shelf' FROM product_states WHERE code = ANY($1::text[])
             AND code IN (SELECT code FROM product_states WHERE state <> 'on_shelf') ORDER BY since, id""",
        list({row.symbol for row in buys}),
    ):
        shelves[code].append((since, on_shelf))
    asking = {row.client_id for row in buys if asked_of(row, policies.on(row.trade_date))}
    permissions: defaultdict[tuple[str, str], list[Change]] = defaultdict(list)
    if asking:
        for client, permission, at, held in await sql.fetch(
            "SELECT client_id, permission, at, held FROM permissions WHERE client_id = ANY($1::text[]) ORDER BY at, held DESC",
            list(asking),
        ):
            permissions[client, permission].append((business_date(at), held))
    return Access(shelves, permissions)
