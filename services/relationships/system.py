"""What fills itself: the indicators of system and derived sources, as SQL over what is kept [CI1, CI4].

`FILLED` says of each when it is there, as a condition over a row of `base`; every other indicator has values. A derived
zero is filled [CI4]: where another service keeps the figure, it is named in `KEPT_BY`, and shown by that service's part of
the client's page. What events tell is true until they tell otherwise: the stream itself keeps it valid.
"""

from services.relationships.rules import LONGEST_DAYS, QUOTA_DAYS
from services.relationships.tables import CLIENTS, CORES, LIFECYCLES, TIERS

LOST = "(b.closed_on <= $2 OR b.lifecycle = 'LOST')"
SET = f"""CASE WHEN b.opened_on IS NULL OR b.opened_on > $2 THEN 'P' WHEN {LOST} THEN 'L'
    WHEN b.core OR b.tier IN ('PLATINUM', 'DIAMOND') THEN 'C' WHEN b.tier = 'GOLD' THEN 'G' ELSE 'N' END"""
"""The set asked of a client [CI1]; `rules.set_of` says the same."""

BASE = f"""
    SELECT c.client_id, c.opened_on, c.closed_on, c.kind, c.account_status, c.birth_date,
           coalesce(c.opener_id, c.referrer_id) AS opener, {CLIENTS.on("branch_id")} AS branch_id,
           coalesce({TIERS.on("tier", "c.client_id", "$2")}, 'NORMAL') AS tier,
           coalesce({CORES.on("core", "c.client_id", "$2")}, false) AS core,
           {LIFECYCLES.on("lifecycle", "c.client_id", "$2")} AS lifecycle,
           v.as_of AS valued_on, v.total_assets, v.cash, v.market_value,
           m.month_end, m.mean_assets, m.turnover, m.commission, m.year_commission, m.worth, m.rank, m.value_type, m.investor_type
    FROM clients c {CLIENTS.join("$2")}
    LEFT JOIN LATERAL (SELECT * FROM valuations v WHERE v.client_id = c.client_id AND v.as_of <= $2
                       ORDER BY v.as_of DESC LIMIT 1) v ON true
    LEFT JOIN LATERAL (SELECT * FROM months m WHERE m.client_id = c.client_id AND m.month_end <= $2
                       ORDER BY m.month_end DESC LIMIT 1) m ON true
    WHERE c.client_id = ANY($1::text[])"""
"""$1: the clients looked at; $2: the day."""
EVERYBODY = BASE.replace("c.client_id = ANY($1::text[])", "$1::text[] IS NULL")
"""The same of all clients ($1: none). One statement for both would be planned for any list, and read every row for each of the list."""

VALUED = "b.valued_on >= $2 - 7"
EVALUATED = "b.month_end > $2 - interval '2 months'"
HERE = "b.opened_on IS NOT NULL"

LAST_CONTACT = """(SELECT max(k.at) FROM contacts k WHERE k.client_id = b.client_id AND k.valid AND k.two_way
        AND k.at < ($2 + 1)::timestamp AT TIME ZONE 'Asia/Shanghai')"""
LONGEST = f"CASE b.tier {' '.join(f'WHEN {tier!r} THEN {days}' for tier, days in LONGEST_DAYS.items())} END"

FILLED = {
    "CI-P02": "true",
    "CI-P04": "b.birth_date IS NOT NULL",
    "CI-A03": "b.branch_id IS NOT NULL",
    "CI-A04": HERE,
    "CI-A05": "b.opener IS NOT NULL",
    "CI-A06": "b.account_status IS NOT NULL",
    "CI-A07": "b.kind IS NOT NULL",
    "CI-A12": f"{VALUED}",
    "CI-A13": f"{VALUED} AND b.market_value IS NOT NULL",
    "CI-A14": f"{VALUED} AND b.cash IS NOT NULL",
    "CI-A16": f"{EVALUATED} AND b.mean_assets IS NOT NULL",
    "CI-A17": "b.valued_on IS NOT NULL",
    "CI-A18": f"{EVALUATED} AND b.turnover IS NOT NULL",
    "CI-A19": f"{EVALUATED} AND b.year_commission IS NOT NULL",
    "CI-A20": f"{EVALUATED} AND b.commission IS NOT NULL",
    "CI-A26": f"""EXISTS (SELECT FROM quotas q WHERE q.client_id = b.client_id AND q.as_of <= $2
        AND q.as_of > $2 - {QUOTA_DAYS})""",
    "CI-C02": HERE,
    "CI-C03": f"{EVALUATED} AND b.investor_type IS NOT NULL",
    "CI-C05": HERE,
    "CI-C06": f"{EVALUATED} AND b.worth IS NOT NULL",
    "CI-C07": "true",
    "CI-S01": HERE,
    "CI-S03": f"{LAST_CONTACT} > ($2 - {LONGEST})::timestamp AT TIME ZONE 'Asia/Shanghai'",
}
"""The others of these sources have values, as events or the broker's systems tell them."""

KEPT_BY = {
    "CI-A09": "relationships", "CI-A10": "relationships", "CI-A21": "classification", "CI-A22": "classification",
    "CI-A23": "classification", "CI-A28": "products", "CI-C14": "suitability", "CI-C15": "products",
    "CI-S02": "relationships", "CI-S05": "relationships", "CI-S06": "callbacks", "CI-S07": "callbacks",
    "CI-S08": "callbacks", "CI-S09": "complaints", "CI-S10": "complaints", "CI-S11": "complaints",
    "CI-S13": "complaints", "CI-S14": "messaging", "CI-S15": "messaging", "CI-S16": "products",
    "CI-S18": "relationships", "CI-S19": "relationships", "CI-S20": "points",
}  # fmt: skip
"""Derived figures that are at least zero, and the service that keeps each."""
FILLED |= dict.fromkeys(KEPT_BY, HERE)

SHOWN = {
    "CI-S02": """(SELECT count(*)::text FROM visits v WHERE v.client_id = b.client_id AND v.state = 'recorded'
        AND v.made_at < ($2 + 1)::timestamp AT TIME ZONE 'Asia/Shanghai')""",
    "CI-S03": LAST_CONTACT.replace("max(k.at)", "max(k.day)::text"),
    "CI-P02": "b.client_id", "CI-P04": "b.birth_date::text", "CI-A03": "b.branch_id", "CI-A04": "b.opened_on::text",
    "CI-A05": "b.opener", "CI-A06": "b.account_status", "CI-A07": "b.kind", "CI-A12": "b.total_assets::text",
    "CI-A13": "b.market_value::text", "CI-A14": "b.cash::text", "CI-A16": "b.mean_assets::text",
    "CI-A18": "b.turnover::text", "CI-A19": "b.year_commission::text", "CI-A20": "b.commission::text", "CI-C02": "b.tier", "CI-C03": "b.investor_type",
    "CI-C05": "b.core::text", "CI-C06": "b.worth::text", "CI-C07": "coalesce(b.lifecycle, 'PROSPECT')",
    "CI-A09": "(SELECT string_agg(p.permission, ' ' ORDER BY p.permission) FROM permissions p WHERE p.client_id = b.client_id)",
    "CI-S01": """(SELECT o.person FROM owners o WHERE o.client_id = b.client_id
        AND o.since < ($2 + 1)::timestamp AT TIME ZONE 'Asia/Shanghai' ORDER BY o.since DESC LIMIT 1)""",
    "CI-S19": """(SELECT count(*)::text FROM advices a WHERE a.client_id = b.client_id AND a.day <= $2
        AND a.state NOT IN ('done', 'ended'))""",
    "CI-S18": """(SELECT count(*)::text FROM questions q WHERE q.client_id = b.client_id
        AND q.asked_at < ($2 + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
        AND q.asked_at >= ($2 - interval '12 months')::timestamp AT TIME ZONE 'Asia/Shanghai')""",
    "CI-A10": "(SELECT 'margin' FROM permissions p WHERE p.client_id = b.client_id AND p.permission = 'margin')",
}  # fmt: skip
"""What is shown of them where it is kept here."""
SUPPLEMENTARY = {
    "HABIT": "CI-C08",
    "VALUE": "CI-C09",
    "STYLE": "CI-C10",
    "PREFERENCE": "CI-C11",
    "BEHAVIOUR": "CI-C13",
}
"""Kinds of supplementary classification [K3], as managers enter them in classification."""
PROFILE = {"name": "CI-P01", "id_number": "CI-P05", "phone": "CI-P08", "address": "CI-P12"}
"""Personal members of the broker's profile."""
