"""Which branch a client belongs to: what object rules ask for."""

from collections.abc import Mapping

import asyncpg

from chassis.bus.record import Record


async def learn(sql: asyncpg.Connection, told: Mapping[str, tuple[str, Record]]) -> None:
    """Keep clients' branches; of several words the one with the highest (ce_time, ce_id) is in force."""
    ordered = sorted(told)
    await sql.execute(
        """INSERT INTO clients AS c
           SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
           ON CONFLICT (client_id) DO UPDATE
           SET branch_id = excluded.branch_id, told_at = excluded.told_at, told_by = excluded.told_by
           WHERE (c.told_at, c.told_by COLLATE "C") < (excluded.told_at, excluded.told_by COLLATE "C")""",
        ordered,
        [told[client][0] for client in ordered],
        [told[client][1].time for client in ordered],
        [told[client][1].id for client in ordered],
    )
