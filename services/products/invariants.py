"""What must hold in the charges at any moment, as SQL that `careline verify` runs."""

from chassis.invariants import Invariant

INVARIANTS = [
    Invariant("charges", holds, broken)
    for holds, broken in {
        "a credit names a line of its client, and no line is credited twice or by more than it was": """
            SELECT DISTINCT c.client_id FROM looked JOIN charges c USING (client_id)
            LEFT JOIN charges o ON o.charge_id = c.original AND o.client_id = c.client_id
            WHERE c.kind = 'day_credit' AND (o.charge_id IS NULL OR c.fen >= 0 OR o.fen + (
                SELECT sum(t.fen) FROM charges t WHERE t.original = c.original) < 0)""",
        "the months charged of a subscription do not overlap": """
            SELECT DISTINCT c.client_id FROM looked JOIN charges c USING (client_id)
            JOIN charges o ON o.subscription_id = c.subscription_id AND o.kind = c.kind AND o.charge_id <> c.charge_id
            WHERE c.kind = 'subscription' AND c.begins < o.ends AND o.begins < c.ends""",
        "the fee on assets of a month is not negative": """
            SELECT client_id FROM looked JOIN charges c USING (client_id) WHERE c.kind = 'asset_fee'
            GROUP BY client_id, c.subscription_id, c.month HAVING sum(c.fen) < 0""",
    }.items()
]
