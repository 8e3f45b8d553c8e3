"""Shadow run: what the closes through the coming month's end would decide, by the facts known today."""

from datetime import date, timedelta
from decimal import Decimal

from chassis.clock import month_end, year_before
from chassis.shadow import Outcome
from chassis.uow import UnitOfWork
from contracts.classification import TIERS
from services.classification.closing import close_days
from services.classification.group_rules import primary_of, tags_of

_STATES = """
    SELECT c.client_id, m.code, s.retained, s.grace_from IS NOT NULL AS grace, g.tags, v.lifecycle, v.value,
           v.value_type, k.client_id IS NOT NULL AS core
    FROM clients c JOIN standings s USING (client_id) LEFT JOIN group_standings g USING (client_id)
    LEFT JOIN LATERAL (SELECT code FROM months m WHERE m.client_id = c.client_id AND m.month_end <= $1 AND code IS NOT NULL
                       ORDER BY month_end DESC LIMIT 1) m ON true
    LEFT JOIN LATERAL (SELECT lifecycle, value, value_type FROM month_values v WHERE v.client_id = c.client_id
                       AND v.month_end <= $1 ORDER BY month_end DESC LIMIT 1) v ON true
    LEFT JOIN month_cores k ON k.month_end = $1 AND k.client_id = c.client_id
    WHERE c.opened_on <= $1 AND (c.closed_on IS NULL OR c.closed_on > $1)"""


async def shadow(uow: UnitOfWork, first: date) -> Outcome:
    """Run the real closes from a day through its month's end; class, retained tier, grace, groups, core, lifecycle, value.

    Sums: commission of the last twelve months by tier, which is what points follow from, and V of all clients.
    """
    last = month_end(first)
    await close_days([first + timedelta(days=n) for n in range((last - first).days + 1)], uow)
    states: dict[str, dict[str, str]] = {
        name: {} for name in ("class", "tier", "grace", "group", "tags", "core", "lifecycle", "value_type", "value")
    }
    total = Decimal(0)
    async for row in uow.sql.cursor(_STATES, last, prefetch=5_000):
        client, code, retained, grace, tags, lifecycle, value, value_type, core = row
        found = {
            "class": code,
            "tier": TIERS[retained],
            "grace": "grace" if grace else "none",
            "group": primary_of(tags) if tags is not None else None,
            "tags": ",".join(tags_of(tags)) if tags else None,
            "core": "core" if core else "not core",
            "lifecycle": lifecycle,
            "value_type": value_type,
            "value": f"{value:.2f}" if value is not None else None,
        }
        for aspect, state in found.items():
            if state:
                states[aspect][client] = state
        total += value or 0
    paid = {
        f"commission_{TIERS[retained]}": commission
        for retained, commission in await uow.sql.fetch(
            """SELECT retained, sum(commission) FROM standings JOIN trade_days USING (client_id)
               WHERE day > $1 AND day <= $2 GROUP BY retained ORDER BY retained""",
            year_before(last),
            last,
        )
    }
    return Outcome(states, paid | {"value": total})
