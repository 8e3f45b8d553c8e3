"""Rows of the command line's CSV exports, streamed."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg

from chassis.timeline import today

SUBSCRIPTIONS = ("client_id", "code", "since", "until", "state", "paid_by", "signed_on", "ended_by")
ENTITLEMENTS = ("client_id", "code", "source", "version", "since", "until")
CHARGES = (
    "client_id", "month", "kind", "code", "amount", "begins", "ends", "posted_on", "charge_id", "original",
)  # fmt: skip
CLUB = ("client_id", "state", "since", "until", "basis", "social_role", "invited_on", "ended_by")
CLUB_EVENTS = ("held_on", "event_id", "kind", "branch_id", "client_id", "guests", "state", "registered_at")
HOSPITALITY = ("given_on", "client_id", "kind", "amount", "event_id", "state", "asked_by", "decided_by", "entry_id")
ROWS_AT_ONCE = 2_000


async def subscriptions(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per subscription, of a day those held on it; sorted by client, first day and product."""
    query = """SELECT client_id, code, since, until, state, paid_by, signed_on, coalesce(ended_by, '') FROM subscriptions
               WHERE $1::date IS NULL OR since <= $1 AND (until IS NULL OR until > $1)
               ORDER BY client_id COLLATE "C", since, code, subscription_id"""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for client, code, since, until, state, paid_by, signed_on, ended_by in sql.cursor(
            query, as_of, prefetch=ROWS_AT_ONCE
        ):
            last = until.isoformat() if until else ""
            yield client, code, since.isoformat(), last, state, paid_by, signed_on.isoformat(), ended_by


async def entitlements(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per service a client may have on a day (today), by source; sorted by client, service and source."""
    day = as_of or await today(sql)
    query = """SELECT e.client_id, s->>'code', s->>'source', s->>'version', s->>'since', coalesce(s->>'until', '')
               FROM entitlements e CROSS JOIN LATERAL jsonb_array_elements(e.stretches) AS s
               WHERE (s->>'since')::date <= $1 AND coalesce((s->>'until')::date > $1, true)
               ORDER BY e.client_id COLLATE "C", s->>'code' COLLATE "C", s->>'source' COLLATE "C" """
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for client, code, source, version, since, until in sql.cursor(query, day, prefetch=ROWS_AT_ONCE):
            yield client, code, source, version, since, until


async def charges(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per line, of the month of a day where one is given; sorted by client, day posted and number."""
    query = """SELECT client_id, month, kind, code, (fen / 100.0)::numeric(18, 2)::text, begins, ends, posted_on, charge_id,
                      original FROM charges
               WHERE $1::date IS NULL OR month = to_char($1::date, 'YYYY-MM')
               ORDER BY client_id COLLATE "C", posted_on, partition, number"""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for client, month, kind, code, amount, begins, ends, posted_on, charge_id, original in sql.cursor(
            query, as_of, prefetch=ROWS_AT_ONCE
        ):
            yield (
                client, month, kind, code, amount, str(begins), str(ends or ""), str(posted_on), str(charge_id),
                str(original or ""),
            )  # fmt: skip


async def club(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per membership of the club as it is, of a day those invited by then; sorted by client and invitation."""
    query = """SELECT client_id, state, since, until, basis, coalesce(social_role, ''), invited_on, coalesce(ended_by, '')
               FROM club_memberships WHERE $1::date IS NULL OR invited_on <= $1 AND (state <> 'lapsed' OR since > $1)
               ORDER BY client_id COLLATE "C", invited_on, made_at, membership_id"""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for client, state, since, until, basis, role, invited, ended_by in sql.cursor(
            query, as_of, prefetch=ROWS_AT_ONCE
        ):
            yield client, state, str(since), str(until or ""), basis, role, str(invited), ended_by


async def club_events(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per registration for an event of the club, of a day those of its events; sorted by day, event and time."""
    query = """SELECT r.held_on, e.event_id, e.kind, coalesce(e.branch_id, ''), r.client_id, r.guests, r.state, r.registered_at
               FROM club_registrations r JOIN club_events e USING (event_id) WHERE $1::date IS NULL OR r.held_on = $1
               ORDER BY r.held_on, e.event_id, r.registered_at, r.registration_id"""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for held, event, kind, branch, client, guests, state, registered in sql.cursor(
            query, as_of, prefetch=ROWS_AT_ONCE
        ):
            yield str(held), str(event), kind, branch, client, str(guests), state, registered.isoformat()


async def hospitality(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per entry of the register, of a day those of its calendar year until then; sorted by day and entry."""
    query = """SELECT given_on, client_id, kind, (fen / 100.0)::numeric(18, 2)::text, event_id, state, asked_by, decided_by, entry_id
               FROM hospitality WHERE $1::date IS NULL OR given_on BETWEEN date_trunc('year', $1::date)::date AND $1
               ORDER BY given_on, entry_id"""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for given, client, kind, amount, event, state, asked, decided, entry in sql.cursor(
            query, as_of, prefetch=ROWS_AT_ONCE
        ):
            yield str(given), client, kind, amount, str(event or ""), state, asked, decided, str(entry)
