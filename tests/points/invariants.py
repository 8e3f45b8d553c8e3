"""What must hold in the ledger at any moment [P8], as SQL that finds what breaks it."""

from tests.world import World

ALL_LOTS = """(
    SELECT client_id, expires_on, free, held FROM lots UNION ALL
    SELECT client_id, expires_on, points, 0 FROM entries e
    WHERE expires_on IS NOT NULL AND step = 0 AND NOT EXISTS (
        SELECT FROM lots l WHERE l.client_id = e.client_id AND l.lot = e.entry_id::text))"""

CHECKS = {
    "every entry moves its points from one account to another": """
        SELECT * FROM entries WHERE debit_account = credit_account OR points < 0""",
    "all accounts together are zero": """
        SELECT sum(points) FROM (SELECT points FROM entries UNION ALL SELECT -points FROM entries) both_sides
        HAVING sum(points) <> 0""",
    "a balance is what the entries of its accounts say": """
        WITH postings AS (
            SELECT client_id, credit_account AS account, points FROM entries
            UNION ALL SELECT client_id, debit_account, -points FROM entries),
        said AS (
            SELECT client_id,
                   coalesce(sum(points) FILTER (WHERE account = 'cust:' || client_id || ':available'), 0) AS available,
                   coalesce(sum(points) FILTER (WHERE account = 'cust:' || client_id || ':held'), 0) AS held,
                   coalesce(-sum(points) FILTER (WHERE account = 'cust:' || client_id || ':debt'), 0) AS debt
            FROM postings GROUP BY client_id)
        SELECT * FROM said FULL JOIN balances b USING (client_id)
        WHERE coalesce(said.available, 0) <> b.available OR coalesce(said.held, 0) <> b.held
           OR coalesce(said.debt, 0) <> b.debt OR b.client_id IS NULL""",
    "nothing is negative": """
        SELECT * FROM balances WHERE available < 0 OR held < 0 OR debt < 0""",
    "nobody owes and owns points that could repay it": """
        SELECT b.client_id FROM balances b WHERE debt > 0 AND EXISTS (
            SELECT FROM all_lots l WHERE l.client_id = b.client_id AND free > 0 AND expires_on >= (
                SELECT max(coalesce(value_on, trade_date)) FROM entries e WHERE e.client_id = b.client_id))""",
    "what remains of lots is what is available and held": """
        SELECT * FROM balances b
        LEFT JOIN (SELECT client_id, sum(free) AS free, sum(held) AS held FROM all_lots GROUP BY client_id) l
        USING (client_id) WHERE b.available <> coalesce(l.free, 0) OR b.held <> coalesce(l.held, 0)""",
    "what is held is what unended holds keep": """
        SELECT * FROM balances b
        LEFT JOIN (SELECT client_id, sum(points) AS points FROM holds WHERE outcome IS NULL GROUP BY client_id) h
        USING (client_id) WHERE b.held <> coalesce(h.points, 0)""",
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
