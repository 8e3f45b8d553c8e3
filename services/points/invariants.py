"""What must hold in the ledger at any moment [P8], as SQL that `careline verify` runs. An entry is a debit and a credit at
once, so the entries of a transaction, and all accounts together, are zero by their form."""

from chassis.invariants import Invariant
from services.points.entries import SIGNED

OWN = "'cust:' || e.client_id || ':{}'"
LOTS = """(
    SELECT l.client_id, l.free, l.held FROM looked JOIN lots l USING (client_id) UNION ALL
    SELECT e.client_id, e.points, 0 FROM looked JOIN entries e USING (client_id)
    WHERE e.expires_on IS NOT NULL AND e.step = 0
      AND NOT EXISTS (SELECT FROM lots l WHERE l.client_id = e.client_id AND l.lot = e.entry_id::text))"""


def _moved(account: str) -> str:
    own = OWN.format(account)
    return f"sum(e.points * ((e.credit_account = {own})::int - (e.debit_account = {own})::int))::bigint"


def _whose(account: str) -> str:
    owns = ", ".join(OWN.format(name) for name in ("available", "held", "debt"))
    return f"(starts_with(e.{account}, 'sys:') OR e.{account} IN ({owns}))"


INVARIANTS = [
    Invariant("entries", holds, broken)
    for holds, broken in {
        "every entry moves points between accounts of its client and the firm's": f"""
            SELECT DISTINCT e.client_id FROM looked JOIN entries e USING (client_id)
            WHERE NOT ({_whose("debit_account")} AND {_whose("credit_account")})""",
        "a balance is what the entries of its accounts say": f"""
            SELECT client_id FROM looked LEFT JOIN balances b USING (client_id)
            LEFT JOIN (SELECT e.client_id, {_moved("available")} AS available, {_moved("held")} AS held,
                              {_moved("debt")} AS debt
                       FROM looked JOIN entries e USING (client_id) GROUP BY e.client_id) said USING (client_id)
            WHERE (said.available, said.held, -said.debt) IS DISTINCT FROM (b.available, b.held, b.debt)""",
        "what was earned is what was spent, expired, reversed, adjusted out and what is left": f"""
            SELECT client_id FROM looked LEFT JOIN balances b USING (client_id)
            LEFT JOIN (SELECT e.client_id, sum({SIGNED})::bigint AS left
                       FROM looked JOIN entries e USING (client_id)
                       WHERE e.kind IN ('accrued', 'bonus', 'corrected', 'spent', 'expired', 'reversed', 'adjusted')
                       GROUP BY e.client_id) said USING (client_id)
            WHERE said.left IS DISTINCT FROM b.available + b.held - b.debt""",
        "what remains of lots is what is available and held": f"""
            SELECT client_id FROM looked JOIN balances b USING (client_id)
            LEFT JOIN (SELECT client_id, sum(free)::bigint AS free, sum(held)::bigint AS held
                       FROM {LOTS} every_lot GROUP BY client_id) l USING (client_id)
            WHERE (coalesce(l.free, 0), coalesce(l.held, 0)) IS DISTINCT FROM (b.available, b.held)""",
        "lots of which nothing was used have what the balance says of them": """
            SELECT client_id FROM looked JOIN balances b USING (client_id)
            LEFT JOIN (SELECT e.client_id, sum(e.points)::bigint AS points FROM looked JOIN entries e USING (client_id)
                       WHERE e.expires_on IS NOT NULL AND e.step = 0
                         AND NOT EXISTS (SELECT FROM lots l WHERE l.client_id = e.client_id AND l.lot = e.entry_id::text)
                       GROUP BY e.client_id) e USING (client_id)
            WHERE coalesce(e.points, 0) IS DISTINCT FROM b.whole""",
        "nothing was posted in a month after it was closed for good": """
            SELECT DISTINCT e.client_id FROM looked JOIN entries e USING (client_id)
            JOIN frozen_months f ON e.posted_on <= f.last_day AND e.recorded_at > f.frozen_at""",
        "what is held is what holds that have not ended keep": """
            SELECT client_id FROM looked JOIN balances b USING (client_id)
            LEFT JOIN (SELECT h.client_id, sum(h.points)::bigint AS points FROM looked JOIN holds h USING (client_id)
                       WHERE h.outcome IS NULL GROUP BY h.client_id) h USING (client_id)
            WHERE coalesce(h.points, 0) IS DISTINCT FROM b.held""",
    }.items()
]
