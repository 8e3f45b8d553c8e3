"""What must hold in the ledger beside the invariants of `careline verify` [P8], as SQL that finds what breaks it."""

from tests.world import World

ALL_LOTS = """(
    SELECT client_id, expires_on, free, held FROM lots UNION ALL
    SELECT client_id, expires_on, points, 0 FROM entries e
    WHERE expires_on IS NOT NULL AND step = 0 AND NOT EXISTS (
        SELECT FROM lots l WHERE l.client_id = e.client_id AND l.lot = e.entry_id::text))"""

CHECKS = {
    "nobody owes and owns points that could repay it": """
        SELECT b.client_id FROM balances b WHERE debt > 0 AND EXISTS (
            SELECT FROM all_lots l WHERE l.client_id = b.client_id AND free > 0 AND expires_on >= (
                SELECT max(coalesce(value_on, trade_date)) FROM entries e WHERE e.client_id = b.client_id))""",
    "nothing is free in a lot whose end is closed": """
        SELECT * FROM all_lots l WHERE free > 0 AND expires_on <= (SELECT through FROM closed_days)""",
    "a trade has one first accrual, and its entries count on": """
        SELECT client_id, trade_id FROM entries WHERE trade_id IS NOT NULL GROUP BY client_id, trade_id
        HAVING min(step) <> 0 OR max(step) + 1 <> count(*)""",
    "no trade holds less than nothing": """
        SELECT client_id, trade_id
        FROM entries WHERE trade_id IS NOT NULL GROUP BY client_id, trade_id
        HAVING sum(CASE WHEN starts_with(credit_account, 'cust:') THEN points ELSE -points END) < 0""",
    "what waits for its trade is counted": """
        WITH waiting AS (
            SELECT client_id, count(*) AS parked FROM cancellations c
            WHERE NOT EXISTS (SELECT FROM entries e WHERE e.client_id = c.client_id AND e.trade_id = c.trade_id)
            GROUP BY client_id)
        SELECT * FROM balances b LEFT JOIN waiting USING (client_id) WHERE b.parked <> coalesce(waiting.parked, 0)""",
    "every entry is told once, but those of zero points": """
        WITH told AS (SELECT convert_from(value, 'UTF8')::jsonb->>'entry_id' AS entry_id FROM bus.log
                      WHERE type = 'points.entry.posted')
        SELECT * FROM told FULL JOIN (SELECT entry_id::text FROM entries WHERE points > 0) posted
        USING (entry_id) WHERE told.entry_id IS NULL OR posted.entry_id IS NULL""",
}


async def broken(world: World) -> list[str]:
    """The names of the invariants that do not hold."""
    async with world.sql("points") as sql:
        return [name for name, query in CHECKS.items() if await sql.fetch(query.replace("all_lots", ALL_LOTS))]
