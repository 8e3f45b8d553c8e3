"""Order does not matter, repetition does not matter: any delivery of a client's facts leaves the same points."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.base import Event
from contracts.broker import TradeCancelled, TradeSettled
from contracts.classification import TIERS, TierChanged
from services.points import rules
from services.points.policy import Policies
from tests.points.facts import DAY, balance, cancelled, spend, tier, trade
from tests.world import World

clients = count(1)
days = st.integers(0, 40).map(lambda n: DAY + timedelta(days=n))
commissions = st.sampled_from(["0", "0.004", "0.005", "0.05", "1.11", "12.34", "99.995", "7"])


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[list[tuple[str, Any]]], int]:
    """Facts as batches of (kind, arguments), shuffled and with repeats; and what the client spends after `base`."""
    trades = draw(st.lists(st.tuples(commissions, days), min_size=1, max_size=5))
    facts: list[tuple[str, Any]] = [("trade", (f"t-{n}", *content)) for n, content in enumerate(trades)]
    names = [*(f"t-{n}" for n in range(len(trades))), "base"]
    facts += draw(st.lists(st.tuples(st.just("cancelled"), st.tuples(st.sampled_from(names), commissions)), max_size=4))
    changes = draw(
        st.lists(st.tuples(days, st.sampled_from(TIERS), st.integers(1, 20), st.sampled_from(TIERS)), max_size=3)
    )
    facts += [("tier", (revision, *change)) for revision, change in enumerate(changes, 1)]
    facts += draw(st.lists(st.sampled_from(facts), max_size=4))
    shuffled = draw(st.permutations(facts))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(facts) - 1)), max_size=4)))
    batches = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(facts)], strict=True) if shuffled[a:b]]
    return batches, draw(st.sampled_from([0, 0, 50, 1000]))


def as_event(client: str, kind: str, told: Any) -> Event:
    if kind == "trade":
        return trade(told[0], told[1], client, told[2])
    if kind == "cancelled":
        return cancelled(told[0], told[1], client)
    revision, since, first, later, second = told
    return tier(revision, since, (since, first), (since + timedelta(days=later), second), client=client)


def expected(events: Sequence[Event]) -> dict[str, int]:
    """Points in hundredths by trade, from the facts alone."""
    stretches = rules.timeline([*{e.revision: e for e in events if isinstance(e, TierChanged)}.values()])
    settled = {e.trade_id: e for e in events if isinstance(e, TradeSettled)}
    left: dict[str, Decimal] = {name: event.commission for name, event in settled.items()}
    for event in events:
        if isinstance(event, TradeCancelled) and event.trade_id in left:
            left[event.trade_id] = min(left[event.trade_id], event.remaining_commission)
    return {
        name: rules.points_for_commission(
            left[name],
            rules.rate_on(Policies().points, event.trade_date, rules.tier_on(stretches, event.trade_date)).multiplier,
        )
        for name, event in settled.items()
    }


@pytest.mark.every_postgres
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delivery=deliveries())
async def test_points_are_a_function_of_the_facts(
    ledger: World, delivery: tuple[list[list[tuple[str, Any]]], int]
) -> None:
    batches, spent = delivery
    client = f"p-{next(clients)}"
    base = trade("base", "10", client, date(2022, 6, 1))
    await ledger.publish(base)
    await ledger.settle()
    if spent:
        await spend(ledger, client, spent)
    told: list[Event] = [base]
    for batch in batches:
        events = [as_event(client, kind, arguments) for kind, arguments in batch]
        told += events
        await ledger.publish(*events)
        await ledger.settle()
    totals = expected(told)
    posted = await ledger.rows(
        "points",
        """SELECT trade_id, sum(CASE WHEN starts_with(credit_account, 'cust:') THEN points ELSE -points END) AS points
           FROM entries WHERE client_id = $1 AND trade_id IS NOT NULL GROUP BY trade_id""",
        client,
    )
    assert {row["trade_id"]: int(row["points"]) for row in posted} == totals
    net = sum(totals.values()) - spent
    assert await balance(ledger, client) == (Decimal(max(net, 0)) / 100, Decimal(max(-net, 0)) / 100)
