"""Our own copy of clients' tiers, as classification told it: only stretches above NORMAL are kept for looking up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache, partial
from typing import cast

import asyncpg
import msgspec

from chassis.policy import Versions
from chassis.uow import UnitOfWork
from contracts.classification import TierChanged, TierCode
from services.points import rules
from services.points.policy import Policies, Terms
from services.points.rules import Rate, TierInterval


class Ranks:
    """The tiers of some clients, all known revisions applied, and what trades earn at them."""

    def __init__(
        self, revisions: Mapping[str, int], stretches: Mapping[str, list[TierInterval]], terms: Versions[Terms]
    ) -> None:
        self.revisions = revisions
        self.stretches = stretches
        self.first_end = date.max
        """The earliest end of a lot at the rates asked for so far."""
        self.rate_on = cache(partial(self._rate_on, terms))

    def _rate_on(self, terms: Versions[Terms], day: date, tier: TierCode) -> Rate:
        rate = rules.rate_on(terms, day, tier)
        self.first_end = min(self.first_end, rate.expires_on)
        return rate

    def rate(self, client_id: str, day: date) -> Rate:
        """What a trade of that date earns [P1], by the tier in force on it [T5]."""
        known = self.stretches.get(client_id)
        return self.rate_on(day, rules.tier_on(known, day) if known else "NORMAL")


async def of(uow: UnitOfWork, clients: Iterable[str], terms: Versions[Terms] | None = None) -> Ranks:
    """The tiers of these clients, and what they earn by the policies in force, or by `terms`."""
    revisions: dict[str, int] = {}
    stretches: defaultdict[str, list[TierInterval]] = defaultdict(list)
    for client, revision, since, until, tier in await uow.sql.fetch(
        "SELECT client_id, revision, since, until, tier FROM tiers WHERE client_id = ANY($1::text[])", list(clients)
    ):
        revisions[client] = revision
        stretches[client].append(TierInterval(since, until, cast(TierCode, tier)))
    return Ranks(revisions, stretches, terms or (await uow.policies(Policies)).points)


async def stretches_of(sql: asyncpg.Connection, client_id: str) -> list[TierInterval]:
    """One client's tiers above NORMAL."""
    return [
        TierInterval(since, until, cast(TierCode, tier))
        for since, until, tier in await sql.fetch(
            "SELECT since, until, tier FROM tiers WHERE client_id = $1", client_id
        )
    ]


async def learn(sql: asyncpg.Connection, changes: Sequence[TierChanged], told_at: object) -> dict[str, date]:
    """Take over changes not heard before: for each client concerned, from which date on tiers may differ.

    Every revision is kept and the timeline is built from all of them, so that one that comes late (a redriven dead
    letter) fills its place and disturbs nothing after it. The clients' balances must be locked.
    """
    new = await sql.fetch(
        """INSERT INTO tier_changes (client_id, revision, change, told_at)
           SELECT c, r, j, $4 FROM unnest($1::text[], $2::bigint[], $3::jsonb[]) AS n(c, r, j)
           ON CONFLICT DO NOTHING RETURNING client_id, (change->>'changed_from')::date""",
        [change.client_id for change in changes],
        [change.revision for change in changes],
        [msgspec.to_builtins(change) for change in changes],
        told_at,
    )
    since: dict[str, date] = {}
    for client, changed_from in new:
        since[client] = min(changed_from, since.get(client, changed_from))
    if since:
        await _rebuild(sql, sorted(since))
    return since


async def _rebuild(sql: asyncpg.Connection, clients: list[str]) -> None:
    heard: defaultdict[str, list[TierChanged]] = defaultdict(list)
    for client, change in await sql.fetch(
        "SELECT client_id, change FROM tier_changes WHERE client_id = ANY($1::text[])", clients
    ):
        heard[client].append(msgspec.convert(change, TierChanged))
    rows = [(client, stretch) for client in clients for stretch in rules.timeline(heard[client])]
    newest = {client: max(change.revision for change in heard[client]) for client in clients}
    ranked = {client for client, _ in rows}
    await sql.execute("DELETE FROM tiers WHERE client_id = ANY($1::text[])", clients)
    await sql.copy_records_to_table(
        "tiers",
        records=[(client, s.since, s.until, s.tier, newest[client]) for client, s in rows],
        columns=("client_id", "since", "until", "tier", "revision"),
    )
    await sql.execute(
        """UPDATE balances b SET ranked = n.ranked FROM unnest($1::text[], $2::bigint[]) AS n(client_id, ranked)
           WHERE b.client_id = n.client_id AND b.ranked IS DISTINCT FROM n.ranked""",
        clients,
        [newest[client] if client in ranked else 0 for client in clients],
    )
