"""Lots: points that were gained together and expire together [P6]. Only those of which something was used are kept; all
others are as their entry says."""

from collections.abc import Sequence

import asyncpg

from chassis.rows import columns, lists
from services.points.tables import LotRow


async def save(sql: asyncpg.Connection, changed: Sequence[LotRow]) -> None:
    """Write how lots are; their clients' balances are locked."""
    if changed:
        names = LotRow.__struct_fields__
        await sql.execute(
            f"""INSERT INTO lots ({columns(LotRow)})
                SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::date[], $5::bigint[], $6::bigint[],
                                     $7::bigint[], $8::bool[])
                ON CONFLICT (client_id, lot) DO UPDATE
                SET {", ".join(f"{name} = excluded.{name}" for name in names if name not in ("client_id", "lot"))}""",
            *lists(changed),
        )
