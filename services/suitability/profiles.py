"""Profiles merged field by field: of each field the word with the highest (ce_time, ce_id) is in force."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from chassis.uow import UnitOfWork
from contracts.broker import ClientOpened, Profile


async def keep(uow: UnitOfWork, kind: type[Profile], events: Sequence[Profile]) -> None:
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
