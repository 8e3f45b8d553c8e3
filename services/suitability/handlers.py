"""Events in: facts are kept, and who is to be judged again is noted. What a day means is decided at its close."""

from collections.abc import Sequence
from datetime import UTC, date
from typing import Any

from chassis.clock import start_of
from chassis.telemetry import CONFLICTS
from chassis.uow import UnitOfWork
from contracts.broker import (
    AssessmentRecorded,
    AssetsValued,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    PermissionGranted,
    ProductPurchased,
    Profile,
    TradeSettled,
)
from services.suitability import assessments, products
from services.suitability.assessments import Assessment, derived_id, last_day
from services.suitability.levels import UnknownLevel, recognise
from services.suitability.policy import policy_on


async def open_clients(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """New clients, with what their profile says."""
    await _keep_profiles(uow, ClientOpened, events)


async def update_clients(events: Sequence[ClientUpdated], uow: UnitOfWork) -> None:
    """Changed profiles: of each field the word with the highest (ce_time, ce_id) is in force."""
    await _keep_profiles(uow, ClientUpdated, events)


async def close_clients(events: Sequence[ClientClosed], uow: UnitOfWork) -> None:
    """Closed accounts: nothing can be bought for them, nothing of theirs expires."""
    first: dict[str, date] = {}
    for event in events:
        first[event.client_id] = min(event.closed_on, first.get(event.client_id, event.closed_on))
    await uow.sql.execute(
        """INSERT INTO clients AS c (client_id, closed_on) SELECT * FROM unnest($1::text[], $2::date[])
           ON CONFLICT (client_id) DO UPDATE SET closed_on = least(c.closed_on, excluded.closed_on)""",
        *_sorted_columns(first),
    )


async def keep_valuations(events: Sequence[AssetsValued], uow: UnitOfWork) -> None:
    """The latest known assets, for the annex 4 sheet."""
    latest: dict[str, tuple[date, Any]] = {}
    for event in events:
        known = latest.get(event.client_id)
        if known is None or event.as_of >= known[0]:
            latest[event.client_id] = (event.as_of, event.total_assets)
    clients = sorted(latest)
    await uow.sql.execute(
        """INSERT INTO clients AS c (client_id, assets_as_of, total_assets)
           SELECT * FROM unnest($1::text[], $2::date[], $3::numeric[])
           ON CONFLICT (client_id) DO UPDATE SET assets_as_of = excluded.assets_as_of,
               total_assets = excluded.total_assets
           WHERE c.assets_as_of IS NULL OR c.assets_as_of <= excluded.assets_as_of""",
        clients,
        [latest[client][0] for client in clients],
        [latest[client][1] for client in clients],
    )


async def grant_permissions(events: Sequence[PermissionGranted], uow: UnitOfWork) -> None:
    """Trading permissions (创业板, 融资融券, ...)."""
    granted = {(event.client_id, event.permission): event.at for event in events}
    pairs = sorted(granted)
    await uow.sql.execute(
        """INSERT INTO permissions SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
           ON CONFLICT DO NOTHING""",
        [client for client, _ in pairs],
        [permission for _, permission in pairs],
        [granted[pair] for pair in pairs],
    )


async def keep_purchases(events: Sequence[ProductPurchased], uow: UnitOfWork) -> None:
    """Financial products bought or given back: what a class raised or a level lowered must look at."""
    await uow.sql.execute(
        """INSERT INTO purchases SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[],
                                                      $5::timestamptz[]) ON CONFLICT DO NOTHING""",
        [event.client_id for event in events],
        [event.purchase_id for event in events],
        [event.product_code for event in events],
        [event.amount for event in events],
        [event.at for event in events],
    )


async def keep_trades(events: Sequence[TradeSettled], uow: UnitOfWork) -> None:
    """Settled trades: each once; other content under a known (client, trade) is a conflict."""
    first: dict[tuple[str, str], TradeSettled] = {}
    conflicting = []
    for event in events:
        known = first.setdefault((event.client_id, event.trade_id), event)
        if known != event:
            conflicting.append((known, event))
    trades = [first[key] for key in sorted(first)]
    new = await uow.sql.fetch(
        """INSERT INTO trades (client_id, trade_id, branch_id, trade_date, settled_at, symbol, kind, issuer_class,
                               side, quantity, amount, commission)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::timestamptz[], $6::text[],
                                $7::text[], $8::text[], $9::text[], $10::numeric[], $11::numeric[], $12::numeric[])
           ON CONFLICT DO NOTHING RETURNING client_id, trade_id""",
        *map(list, zip(*map(_trade_row, trades), strict=True)),
    )
    fresh = {(row["client_id"], row["trade_id"]) for row in new}
    again = [trade for key, trade in first.items() if key not in fresh]
    if again or conflicting:
        await _note_conflicts(uow, again, conflicting)
    kept = [first[key] for key in sorted(fresh)]
    await products.hear_instruments(uow, kept)
    await _note_due(uow, {(t.client_id, t.trade_date) for t in kept if t.side == "buy"}, levels=False)
    await uow.sql.execute(
        """UPDATE clients c SET account_id = n.account FROM unnest($1::text[], $2::text[]) AS n(client, account)
           WHERE c.client_id = n.client AND c.account_id IS NULL""",
        *_sorted_columns({trade.client_id: trade.account_id for trade in kept}),
    )


async def import_assessments(events: Sequence[AssessmentRecorded], uow: UnitOfWork) -> None:
    """Assessments made elsewhere: one a client and date; what no questionnaire can say is refused with a reason [K6]."""
    new: dict[tuple[str, date], Assessment] = {}
    for event, record in zip(events, uow.records(AssessmentRecorded), strict=True):
        try:
            scheme, rank = recognise(event.scheme, event.level)
        except UnknownLevel as refused:
            await _refuse_import(uow, event, record.id, refused)
            continue
        key = (event.client_id, event.assessed_on)
        offered = Assessment(
            assessment_id=derived_id("assessment", *key),
            client_id=event.client_id,
            branch_id=None,
            scheme=scheme.code,
            level=scheme.level(rank).code,
            valid_from=event.assessed_on,
            valid_until=last_day(event.assessed_on, policy_on(event.assessed_on)),
            source="imported",
            assessed_at=start_of(event.assessed_on),
        )
        kept = new.setdefault(key, offered)
        if kept != offered:
            await _assessment_conflict(uow, kept.scheme, kept.level, offered)
    known = await uow.sql.fetch(
        """SELECT a.client_id, a.valid_from, a.scheme, a.level FROM assessments a
           JOIN unnest($1::text[], $2::date[]) AS n(client_id, day)
             ON n.client_id = a.client_id AND n.day = a.valid_from WHERE a.source = 'imported'""",
        [client for client, _ in new],
        [day for _, day in new],
    )
    for row in known:
        offered = new.pop((row["client_id"], row["valid_from"]))
        if (row["scheme"], row["level"]) != (offered.scheme, offered.level):
            await _assessment_conflict(uow, row["scheme"], row["level"], offered)
    if new:
        made = [new[key] for key in sorted(new)]
        await assessments.keep(uow, made, policy_on(made[0].valid_from).version)
        await _note_due(uow, set(new), levels=True)


async def _keep_profiles(uow: UnitOfWork, kind: type[Profile], events: Sequence[Profile]) -> None:
    """Merge profiles field by field; a batch's clients are read, merged and written at once."""
    offered: dict[str, dict[str, tuple[list[str], Any]]] = {}
    for event, record in zip(events, uow.records(kind), strict=True):
        stamp = [record.time.astimezone(UTC).isoformat(), record.id]
        fields = offered.setdefault(event.client_id, {})
        for name, value in _said(event).items():
            if value is not None and (name not in fields or fields[name][0] < stamp):
                fields[name] = (stamp, value)
    clients = sorted(offered)
    await uow.sql.execute("INSERT INTO clients (client_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", clients)
    rows = await uow.sql.fetch(
        """SELECT client_id, branch_id, kind, birth_year, experience_years, opened_on, stamps FROM clients
           WHERE client_id = ANY($1::text[]) ORDER BY client_id FOR UPDATE""",
        clients,
    )
    merged = [_merge(dict(row), offered[row["client_id"]]) for row in rows]
    await uow.sql.execute(
        """UPDATE clients c SET branch_id = n.branch_id, kind = n.kind, birth_year = n.birth_year,
                  experience_years = n.experience_years, opened_on = n.opened_on, stamps = n.stamps
           FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::date[], $7::jsonb[])
                AS n(client_id, branch_id, kind, birth_year, experience_years, opened_on, stamps)
           WHERE c.client_id = n.client_id""",
        *([row[name] for row in merged] for name in _MERGED),
    )


_MERGED = ("client_id", "branch_id", "kind", "birth_year", "experience_years", "opened_on", "stamps")


def _said(event: Profile) -> dict[str, Any]:
    return {
        "branch_id": event.branch_id,
        "kind": event.kind or ("individual" if isinstance(event, ClientOpened) else None),
        "birth_year": event.birth_date.year if event.birth_date else None,
        "experience_years": event.experience_years,
        "opened_on": event.opened_on if isinstance(event, ClientOpened) else None,
    }


def _merge(row: dict[str, Any], fields: dict[str, tuple[list[str], Any]]) -> dict[str, Any]:
    stamps = dict(row["stamps"])
    for name, (stamp, value) in fields.items():
        if name not in stamps or stamps[name] < stamp:
            stamps[name], row[name] = stamp, value
    return row | {"stamps": stamps}


def _trade_row(trade: TradeSettled) -> tuple[Any, ...]:
    return (
        trade.client_id,
        trade.trade_id,
        trade.branch_id,
        trade.trade_date,
        trade.settled_at,
        trade.instrument.symbol,
        trade.instrument.kind,
        trade.instrument.risk_class,
        trade.side,
        trade.quantity,
        trade.amount,
        trade.commission,
    )


async def _note_due(uow: UnitOfWork, due: set[tuple[str, date]], *, levels: bool) -> None:
    pairs = sorted(due)
    await uow.sql.copy_records_to_table(
        "due", records=[(client, day, levels) for client, day in pairs], columns=("client_id", "day", "levels")
    )


async def _note_conflicts(
    uow: UnitOfWork, again: Sequence[TradeSettled], conflicting: Sequence[tuple[TradeSettled, TradeSettled]]
) -> None:
    names = ("trade_date", "symbol", "side", "quantity", "amount")
    for known, offered in conflicting:
        before, now = (
            dict(zip(_COLUMNS, _trade_row(known), strict=True)),
            dict(zip(_COLUMNS, _trade_row(offered), strict=True)),
        )
        if any(before[name] != now[name] for name in _COLUMNS):
            await _trade_conflict(uow, offered, {n: str(before[n]) for n in names}, {n: str(now[n]) for n in names})
    rows = await uow.sql.fetch(
        f"""SELECT {", ".join(f"t.{name}" for name in _COLUMNS)} FROM trades t
            JOIN unnest($1::text[], $2::text[]) AS n(client_id, trade_id) USING (client_id, trade_id)""",
        [trade.client_id for trade in again],
        [trade.trade_id for trade in again],
    )
    kept = {(row["client_id"], row["trade_id"]): row for row in rows}
    for trade in again:
        row, offered_row = kept[trade.client_id, trade.trade_id], dict(zip(_COLUMNS, _trade_row(trade), strict=True))
        if any(row[name] != offered_row[name] for name in _COLUMNS):
            await _trade_conflict(uow, trade, {n: str(row[n]) for n in names}, {n: str(offered_row[n]) for n in names})


_COLUMNS = (
    "client_id",
    "trade_id",
    "branch_id",
    "trade_date",
    "settled_at",
    "symbol",
    "kind",
    "issuer_class",
    "side",
    "quantity",
    "amount",
    "commission",
)


async def _trade_conflict(uow: UnitOfWork, trade: TradeSettled, known: dict[str, str], offered: dict[str, str]) -> None:
    await _conflict(uow, TradeSettled.type, trade.client_id, trade.trade_id, known, offered)


async def _assessment_conflict(uow: UnitOfWork, scheme: str, level: str, offered: Assessment) -> None:
    await _conflict(
        uow,
        AssessmentRecorded.type,
        offered.client_id,
        offered.valid_from.isoformat(),
        {"scheme": scheme, "level": level},
        {"scheme": offered.scheme, "level": offered.level},
    )


async def _conflict(
    uow: UnitOfWork, kind: str, client: str, identity: str, known: dict[str, str], offered: dict[str, str]
) -> None:
    await uow.sql.execute(
        "INSERT INTO conflicts (at, type, client_id, identity, known, offered) VALUES ($1, $2, $3, $4, $5, $6)",
        uow.now,
        kind,
        client,
        identity,
        known,
        offered,
    )
    CONFLICTS.labels("suitability").inc()


async def _refuse_import(uow: UnitOfWork, event: AssessmentRecorded, event_id: str, refused: UnknownLevel) -> None:
    await uow.sql.execute(
        """INSERT INTO refused_imports (client_id, event_id, scheme, level, assessed_on, reason_en, reason_zh, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING""",
        event.client_id,
        event_id,
        event.scheme,
        event.level,
        event.assessed_on,
        refused.text.en,
        refused.text.zh,
        uow.now,
    )


def _sorted_columns(values: dict[str, Any]) -> tuple[list[str], list[Any]]:
    keys = sorted(values)
    return keys, [values[key] for key in keys]
