"""Which tasks the facts owe [B21]: one question for a close, and the same for clients looked at again.

A close of D asks for what D alone adds; a client whose facts changed late is asked about for all closed days.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from chassis.uow import UnitOfWork
from services.callbacks.policy import Policies
from services.callbacks.rules import quarter_of

ONE_DAY = timedelta(days=1)
DERIVED = ("new", "never_traded", "dormant", "abnormal", "core", "tier_greeting", "suitability_expiring")
"""The rules whose tasks follow from what is known of a client at a close; all others follow from one event."""

# $1 and $2: the first and the last closed day asked about. The account must be open on the creation date; an
# assessment's reminder does not ask whether the client has opened yet. {of} limits to clients when some are given.
_NEW = """
    SELECT client_id, 'new' AS rule, opened_on::text AS period, opened_on AS created_on, opened_on AS found_on,
           NULL::date AS valid_until, NULL::text AS detail
    FROM clients c WHERE opened_on BETWEEN $1 AND $2 {of}"""
_TAGS = """
    SELECT client_id, lower(tag), since::text, since, since - 1, NULL, NULL FROM tag_stretches c
    WHERE since BETWEEN $1::date + 1 AND $2::date + 1 AND tag IN ('DORMANT', 'NEVER_TRADED', 'ABNORMAL')
      AND NOT baseline {of}"""
_CORE = """
    SELECT client_id, 'core', to_char(quarter, 'YYYY"Q"Q'), min(greatest(since, quarter::date)),
           min(greatest(since, quarter::date)) - 1, NULL, NULL
    FROM tag_stretches c, generate_series(date_trunc('quarter', $1::date + 1), $2::date + 1, '3 months') AS quarter
    WHERE tag = 'CORE' AND since < quarter + interval '3 months' AND (until IS NULL OR until > quarter)
      AND greatest(since, quarter::date) BETWEEN $1::date + 1 AND $2::date + 1 {of} GROUP BY client_id, quarter"""
_CORE_BEGUN = """
    SELECT client_id, 'core', to_char(since, 'YYYY"Q"Q'), since, since - 1, NULL, NULL FROM tag_stretches c
    WHERE since BETWEEN $1::date + 1 AND $2::date + 1 AND tag = 'CORE' {of}"""
_GREETING = """
    SELECT client_id, 'tier_greeting', since::text, since, since - 1, NULL, rank::text FROM tier_stretches c
    WHERE since BETWEEN $1::date + 1 AND $2::date + 1 AND rank > before {of}"""
_EXPIRING = """
    SELECT client_id, 'suitability_expiring', assessment_id, valid_until - {days}, valid_until - {days}, valid_until,
           level
    FROM assessments c WHERE valid_until BETWEEN $1::date + {days} AND $2::date + {days}
      AND NOT EXISTS (SELECT FROM assessments later WHERE later.client_id = c.client_id
                      AND (later.valid_from, later.assessment_id) > (c.valid_from, c.assessment_id)
                      AND later.valid_from <= c.valid_until - {days}) {of}"""


class Obligation(msgspec.Struct, frozen=True, gc=False):
    """A task that is owed, before the trigger table says what it looks like."""

    client_id: str
    rule: str
    period: str
    created_on: date
    found_on: date
    valid_until: date | None = None
    branch_id: str | None = None
    cause: dict[str, Any] = msgspec.field(default_factory=dict)
    subject: str | None = None
    concerned: tuple[str, ...] = ()
    owner: str | None = None
    begun_at: datetime | None = None
    """The instant that limits in minutes count from; without it, the start of the creation date."""


async def obligations_by_facts(
    uow: UnitOfWork, first: date, through: date, clients: Sequence[str] | None = None
) -> list[Obligation]:
    """What the closes of `first` to `through` owe: of everybody, or of these clients."""
    days = (await uow.policies(Policies)).triggers.on(through).body["suitability_expiring"].count
    all_quarter = clients is not None or first != through or quarter_of(through + ONE_DAY)[0] == through + ONE_DAY
    parts = (_NEW, _TAGS, _CORE if all_quarter else _CORE_BEGUN, _GREETING, _EXPIRING)
    of = "AND c.client_id = ANY($3::text[])" if clients is not None else ""
    union = " UNION ALL ".join(part.format(of=of, days=days) for part in parts)
    rows = await uow.sql.fetch(
        f"""SELECT o.*, k.branch_id, k.manager_id FROM ({union}) o LEFT JOIN clients k USING (client_id)
            WHERE k.closed_on IS NULL OR k.closed_on > o.created_on ORDER BY o.client_id, o.rule, o.created_on""",
        first,
        through,
        *([list(clients)] if clients is not None else []),
    )
    return [
        Obligation(
            client_id=row["client_id"],
            rule=row["rule"],
            period=row["period"],
            created_on=row["created_on"],
            found_on=row["found_on"],
            valid_until=row["valid_until"],
            branch_id=row["branch_id"],
            cause=_cause(row),
            owner=row["manager_id"],
        )
        for row in rows
    ]


def _cause(row: asyncpg.Record) -> dict[str, Any]:
    match row["rule"]:
        case "new":
            return {"opened_on": row["created_on"]}
        case "tier_greeting":
            return {"tier": int(row["detail"]), "since": row["created_on"]}
        case "suitability_expiring":
            return {"assessment": row["period"], "level": row["detail"], "valid_until": row["valid_until"]}
        case "core":
            return {"quarter": row["period"], "core_on": row["created_on"]}
        case rule:
            return {"group": rule.upper(), "since": row["created_on"]}
