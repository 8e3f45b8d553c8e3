"""What must hold in the ledger at any moment [P8], as SQL that finds what breaks it."""

from tests.world import World

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
                   coalesce(-sum(points) FILTER (WHERE account = 'cust:' || client_id || ':debt'), 0) AS debt
            FROM postings GROUP BY client_id)
        SELECT * FROM said FULL JOIN balances b USING (client_id)
        WHERE coalesce(said.available, 0) <> b.available OR coalesce(said.debt, 0) <> b.debt OR b.client_id IS NULL""",
    "nothing is negative, and nobody owes and owns": """
        SELECT * FROM balances WHERE available < 0 OR debt < 0 OR (available > 0 AND debt > 0)""",
    "what remains of lots is what is available": """
        WITH lots AS (
            SELECT client_id, sum(coalesce(r.remaining, e.points)) AS remaining
            FROM entries e LEFT JOIN lot_remainders r USING (client_id, entry_id)
            WHERE e.expires_on IS NOT NULL GROUP BY client_id)
        SELECT * FROM balances b LEFT JOIN lots USING (client_id) WHERE b.available <> coalesce(lots.remaining, 0)""",
    "no lot holds more than it brought": """
        SELECT * FROM lot_remainders r LEFT JOIN entries e USING (client_id, entry_id)
        WHERE e.entry_id IS NULL OR r.remaining > e.points OR e.expires_on IS NULL""",
    "a lot is a row that credits what is available": """
        SELECT * FROM entries
        WHERE (expires_on IS NOT NULL) <> (credit_account = 'cust:' || client_id || ':available')""",
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
        SELECT * FROM told FULL JOIN (SELECT entry_id::text FROM entries WHERE points > 0 AND kind <> 'spent') posted
        USING (entry_id) WHERE told.entry_id IS NULL OR posted.entry_id IS NULL""",
}


async def broken(world: World) -> list[str]:
    """The names of the invariants that do not hold."""
    async with world.sql("points") as sql:
        return [name for name, query in CHECKS.items() if await sql.fetch(query)]
