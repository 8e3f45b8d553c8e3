"""The register of annex 4 (客户分类汇总表) as of a day: a manager's clients by the first letter of their names [CI13]."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg

from chassis.clock import end_of
from chassis.personal.keys import Value
from chassis.rows import Row
from chassis.timeline import effective_now
from contracts.annex4 import in_ten_thousands, risk_word
from services.relationships.initials import UNKNOWN, initial_of
from services.relationships.tables import CLIENTS

TITLE = "客户分类汇总表"
MOST = 2_000
CODES = ("CI-C08", "CI-C09", "CI-C10", "CI-C11", "CI-C12")
NAME, PHONE = "CI-P01", "CI-P08"


class Entry(Row, frozen=True):
    """A client of the register: what is in force on the day. Name and phone are encrypted. `present`: whose client they are now."""

    client_id: str
    branch_id: str | None
    owner: str
    assets: Decimal | None
    commission: Decimal | None
    codes: dict[str, str]
    name: bytes | None
    phone: bytes | None
    visits: int
    present: str | None


SEALED = """(SELECT i.sealed FROM information_values i WHERE i.client_id = c.client_id AND i.day <= $1 AND i.code = '{}'
            ORDER BY i.day DESC, i.own DESC, i.at DESC, i.fact_id DESC LIMIT 1)"""
ENTRIES = f"""
    SELECT c.client_id, {CLIENTS.on("branch_id")}, o.person,
           (SELECT v.total_assets FROM valuations v WHERE v.client_id = c.client_id AND v.as_of <= $1
            ORDER BY v.as_of DESC LIMIT 1),
           (SELECT m.year_commission FROM months m WHERE m.client_id = c.client_id AND m.month_end <= $1
               AND m.month_end >= date_trunc('year', $1::date) ORDER BY m.month_end DESC LIMIT 1),
           coalesce((SELECT jsonb_object_agg(n.code, n.value) FROM (
               SELECT DISTINCT ON (i.code) i.code, i.value, i.state FROM information_values i
               WHERE i.client_id = c.client_id AND i.day <= $1 AND i.code = ANY($3::text[])
               ORDER BY i.code, i.day DESC, i.own DESC, i.at DESC, i.fact_id DESC) n
               WHERE n.state = 'stated' AND n.value IS NOT NULL), '{{}}'),
           {SEALED.format(NAME)}, {SEALED.format(PHONE)},
           (SELECT count(*) FROM visits w WHERE w.client_id = c.client_id AND w.state = 'recorded' AND w.made_at < $2),
           (SELECT p.person FROM owners p WHERE p.client_id = c.client_id AND p.since <= $7
               AND (p.until IS NULL OR p.until > $7))
    FROM owners o JOIN clients c USING (client_id) {CLIENTS.join("$1")}
    WHERE o.since < $2 AND (o.until IS NULL OR o.until >= $2) AND (c.closed_on IS NULL OR c.closed_on > $1)
      AND ($4::text IS NULL OR o.person = $4) AND c.client_id COLLATE "C" > $5
    ORDER BY c.client_id COLLATE "C" LIMIT $6"""
"""$1: the day, $2: its end, $3: codes, $4: whose, $5: behind which client, $6: how many, $7: now."""


async def entries(
    sql: asyncpg.Connection, day: date, person: str | None = None, after: str = "", limit: int = MOST
) -> list[Entry]:
    """Clients as of the end of a day: somebody's, or everybody's."""
    found = await sql.fetch(ENTRIES, day, end_of(day), list(CODES), person, after, limit, await effective_now(sql))
    return [Entry(*row) for row in found]


def personal_of(found: Sequence[Entry]) -> dict[str, Value]:
    """What of the register is personal, under the names `line` looks it up by."""
    named = {f"{one.client_id}/{NAME}": Value(one.client_id, "name", one.name) for one in found if one.name}
    phones = {f"{one.client_id}/{PHONE}": Value(one.client_id, "phone", one.phone) for one in found if one.phone}
    return named | phones


def line(one: Entry, known: Mapping[str, str | None]) -> tuple[Any, ...]:
    """A row of the register, in the order of annex 4."""
    name = known.get(f"{one.client_id}/{NAME}") or ""
    habit, value, style, preference, risk = (one.codes.get(code, "") for code in CODES)
    return (
        name, initial_of(name) if name else UNKNOWN, one.client_id, one.branch_id or "",
        "" if one.assets is None else in_ten_thousands(one.assets),
        "" if one.commission is None else in_ten_thousands(one.commission),
        *(_bare(codes) for codes in (habit, value, style, preference)), risk_word(risk), one.visits,
        known.get(f"{one.client_id}/{PHONE}") or "", "",
    )  # fmt: skip


def _bare(codes: str) -> str:
    """Codes as annex 4 writes them: letters alone."""
    return " ".join(code.rpartition(":")[2] for code in codes.split())


def ordered(lines: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """By the first letter, then the number; whose letter is not known come last."""
    return sorted(lines, key=lambda row: (row[1] == UNKNOWN, row[1], row[2]))
