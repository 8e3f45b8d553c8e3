"""The register of annex 4 (客户分类登记表): a row per client with entries, for Excel and as CSV."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from contracts.annex4 import in_ten_thousands, risk_word

TITLE = "客户分类登记表"


async def rows(sql: asyncpg.Connection, scope: tuple[str, Sequence[str]]) -> list[tuple[Any, ...]]:
    """The register's rows under a caller's scope, by client; figures are those at the time of the last filling.

    Names, phones and visits are kept elsewhere: the client's number stands for the name, the others stay empty for the branch to fill in.
    """
    condition, arguments = scope
    found = await sql.fetch(
        f"""WITH last AS (SELECT DISTINCT ON (client_id, kind) * FROM supplementary_entries
                          ORDER BY client_id, kind, entry_id DESC)
            SELECT c.client_id, c.branch_id, (array_agg(l.assets ORDER BY l.entry_id DESC))[1] AS assets,
                   (array_agg(l.commission ORDER BY l.entry_id DESC))[1] AS commission,
                   jsonb_object_agg(l.kind, l.codes) AS codes, r.level,
                   (array_agg(l.note ORDER BY l.entry_id DESC))[1] AS note
            FROM (SELECT client_id, branch_id FROM clients WHERE {condition}) c JOIN last l USING (client_id)
            LEFT JOIN risk_levels r ON r.client_id = c.client_id
            GROUP BY c.client_id, c.branch_id, r.level ORDER BY c.client_id COLLATE "C" """,
        *arguments,
    )
    return [
        (
            client_id,
            client_id[:1].upper(),
            client_id,
            branch_id,
            in_ten_thousands(assets),
            in_ten_thousands(commission),
            *(" ".join(codes.get(kind, ())) for kind in ("HABIT", "VALUE", "STYLE", "PREFERENCE")),
            risk_word(level) if level else "",
            "",
            "",
            note,
        )
        for client_id, branch_id, assets, commission, codes, level, note in found
    ]
