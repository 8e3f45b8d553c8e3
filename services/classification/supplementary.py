"""Supplementary classifications (补充分类): entries by staff with their history, and what the rules would suggest."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import asyncpg

from chassis.rows import columns, fetch
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.classification import TIERS, GuardrailAlerted, SupplementaryChanged, SupplementaryKind
from contracts.suitability import AssessmentCompleted
from services.classification.group_policies import ValuePolicy
from services.classification.policy import Policies
from services.classification.supplementary_rules import (
    Dealing,
    check_codes,
    guardrails_of,
    holding_days,
    offers_discretion,
    suggest_habit,
    suggest_value,
)
from services.classification.supplementary_tables import Entry
from services.classification.views import Client


async def enter(
    uow: UnitOfWork,
    who: Client,
    kind: SupplementaryKind,
    codes: Sequence[str],
    scores: Mapping[str, int] | None,
    note: str,
) -> Entry:
    """Enter a client's codes of one classification; earlier entries stay as history.

    Raises: UnknownCode.
    """
    day = await today(uow.sql)
    policy = (await uow.policies(Policies)).supplementary.on(day).body
    checked = check_codes(kind, codes)
    figures = await figures_at_filling(uow.sql, who.client_id, day)
    suggested = (await suggestions(uow.sql, who.client_id, day, scores)).get(kind)
    [entry] = await fetch(
        uow.sql,
        Entry,
        f"""INSERT INTO supplementary_entries
                (client_id, kind, codes, scores, suggested, note, assets, commission, made_by, made_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING {columns(Entry)}""",
        who.client_id,
        kind,
        checked,
        dict(scores) if scores is not None else None,
        suggested,
        note,
        *figures,
        uow.actor.person,
        uow.now,
    )
    in_all = [code for held in await in_force(uow.sql, who.client_id) for code in held.codes]
    uow.audit("supplementary_entered", f"client/{who.client_id}", key=who.client_id, kind=kind, codes=checked)
    uow.emit(
        SupplementaryChanged(
            client_id=who.client_id,
            branch_id=who.branch_id,
            revision=entry.entry_id,
            kind=kind,
            codes=checked,
            guardrails=guardrails_of(in_all, policy),
        )
    )
    if "STYLE:Y" in in_all and offers_discretion(note, policy):
        uow.audit("guardrail_alerted", f"client/{who.client_id}", key=who.client_id, rule="NO_DISCRETION")
        uow.emit(
            GuardrailAlerted(
                client_id=who.client_id,
                branch_id=who.branch_id,
                rule="NO_DISCRETION",
                entry_id=entry.entry_id,
                written_by=uow.actor.person,
            )
        )
    return entry


async def in_force(sql: asyncpg.Connection, client_id: str) -> list[Entry]:
    """The last entry of each classification."""
    return await fetch(
        sql,
        Entry,
        f"""SELECT DISTINCT ON (kind) {columns(Entry)} FROM supplementary_entries WHERE client_id = $1
            ORDER BY kind, entry_id DESC""",
        client_id,
    )


async def history(sql: asyncpg.Connection, client_id: str, kind: SupplementaryKind | None) -> list[Entry]:
    """Every entry, newest first."""
    return await fetch(
        sql,
        Entry,
        f"""SELECT {columns(Entry)} FROM supplementary_entries WHERE client_id = $1 AND ($2::text IS NULL OR kind = $2)
            ORDER BY entry_id DESC""",
        client_id,
        kind,
    )


async def suggestions(
    sql: asyncpg.Connection, client_id: str, today: date, scores: Mapping[str, int] | None = None
) -> dict[SupplementaryKind, str]:
    """What the rules suggest [K4, K5], by classification; nothing where too little is known.

    Known trades count, by what was traded and how long it was held: what somebody may trade is not known here.
    """
    policies = await Policies.read(sql)
    policy = policies.supplementary.on(today).body
    rows = await sql.fetch(
        """SELECT trade_date, symbol, side, quantity, kind FROM trades
           WHERE client_id = $1 AND trade_date <= $2 AND remaining_commission IS DISTINCT FROM 0""",
        client_id,
        today,
    )
    if scores is None:
        scores = await sql.fetchval(
            """SELECT scores FROM supplementary_entries WHERE client_id = $1 AND kind = 'VALUE' AND scores IS NOT NULL
               ORDER BY entry_id DESC LIMIT 1""",
            client_id,
        )
    dealings = [Dealing(*row) for row in rows]
    found: dict[SupplementaryKind, str | None] = {
        "HABIT": suggest_habit(holding_days(dealings, today), {dealing.kind for dealing in dealings}, policy),
        "VALUE": suggest_value(
            await _current_high(sql, policies.value.on(today).body, client_id, today), scores, policy
        ),
    }
    return {kind: code for kind, code in found.items() if code}


async def _current_high(sql: asyncpg.Connection, policy: ValuePolicy, client_id: str, today: date) -> bool:
    """Present value is high for the classes and tiers that make a client core [K5]."""
    row = await sql.fetchrow(
        """SELECT (SELECT code FROM months WHERE client_id = $1 AND code IS NOT NULL ORDER BY month_end DESC LIMIT 1) AS code,
                  (SELECT tier FROM tiers WHERE client_id = $1 AND (since <= $2 OR until IS NULL)
                   ORDER BY since <= $2 DESC, since DESC LIMIT 1) AS tier""",
        client_id,
        today,
    )
    assert row is not None
    code, tier = row
    return code in policy.core_classes or (tier or 0) >= TIERS.index("GOLD")


async def figures_at_filling(sql: asyncpg.Connection, client_id: str, today: date) -> tuple[Decimal, Decimal]:
    """Mean assets of the last closed month and net commission of the calendar year, as the register prints them."""
    row = await sql.fetchrow(
        """SELECT coalesce((SELECT mean FROM months WHERE client_id = $1 AND mean IS NOT NULL
                            ORDER BY month_end DESC LIMIT 1), 0),
                  coalesce((SELECT sum(commission) FROM trade_days
                            WHERE client_id = $1 AND day BETWEEN date_trunc('year', $2::date)::date AND $2), 0)""",
        client_id,
        today,
    )
    assert row is not None
    mean, commission = row
    return mean, commission


async def keep_risk_levels(completed: Sequence[AssessmentCompleted], uow: UnitOfWork) -> None:
    """Keep the level of each client's latest assessment, for the register; equal days: the last one told."""
    latest: dict[str, AssessmentCompleted] = {}
    for event in completed:
        if event.client_id not in latest or event.valid_from >= latest[event.client_id].valid_from:
            latest[event.client_id] = event
    events = [latest[client_id] for client_id in sorted(latest)]
    await uow.sql.execute(
        """INSERT INTO risk_levels AS r SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::date[])
           ON CONFLICT (client_id) DO UPDATE SET level = excluded.level, valid_from = excluded.valid_from,
               valid_until = excluded.valid_until WHERE excluded.valid_from >= r.valid_from""",
        [e.client_id for e in events],
        [e.level for e in events],
        [e.valid_from for e in events],
        [e.valid_until for e in events],
    )
