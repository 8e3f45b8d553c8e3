"""Why, as known at any instant: what is said of a day with the facts known then is what the reference says of them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.base import Event
from contracts.broker import AssetsValued, ClientOpened, TradeCancelled, TradeSettled
from contracts.classification import MonthEvaluated
from tests.classification.conftest import Fresh
from tests.classification.facts import CLIENT, FIRST, day, opened, trade, valued
from tests.classification.test_closing import scenario
from tests.reference.classes import MonthClass, classes_of
from tests.reference.days import every_day, twelve_months_before
from tests.reference.exact import exactly
from tests.reference.facts import Client, Trade
from tests.reference.tiers import TIERS, Standing, close, entitled_by
from tests.world import World

ONE_DAY = timedelta(days=1)
CLOSES = [day(0), day(59), day(130), day(250)]


def client_of(facts: Sequence[Event], client_id: str) -> Client | None:
    """What these facts say of a client, None before the opening is among them."""
    own = [fact for fact in facts if fact.key == client_id]
    openings = [fact for fact in own if isinstance(fact, ClientOpened)]
    if not openings:
        return None
    left = {fact.trade_id: fact.remaining_commission for fact in own if isinstance(fact, TradeCancelled)}
    client = Client(client_id, "B1", "individual", openings[0].opened_on)
    for t in (fact for fact in own if isinstance(fact, TradeSettled)):
        paid = min(left.get(t.trade_id, t.commission), t.commission)
        share = paid / t.commission if t.commission else Decimal(t.trade_id not in left)
        client.trades.append(
            Trade(client_id, t.trade_id, t.trade_date, "S", t.side, t.amount * share, int(paid * 100), "stock")
        )
    client.valuations = {fact.as_of: fact.total_assets for fact in own if isinstance(fact, AssetsValued)}
    return client


@dataclass(frozen=True)
class Step:
    """A close that changed the standing, and the figures it had."""

    effective_on: date
    standing: Standing
    reason: str | None
    inputs: dict[str, Any]


def steps_of(client: Client, classes: Sequence[MonthClass], closes: Sequence[date]) -> Iterator[Step]:
    """Every change of a client's standing [T7]."""
    means = {evaluation.last_day: evaluation.asset_mean for evaluation in classes}
    standing, assets = Standing(), Decimal(0)
    for d in (d for d in closes if d >= client.opened_on):
        assets = means.get(d, assets)
        paid = sum(t.commission for t in client.trades if twelve_months_before(d) < t.trade_date <= d)
        after = close(standing, entitled := entitled_by(assets, paid), d)
        if after != standing:
            rises = after.retained > standing.retained
            inputs = {
                "asset_mean": f"{assets:.2f}",
                "commission_12_months": f"{(Decimal(paid) / 100).normalize():f}",
                "entitled": TIERS[entitled],
                "retained": TIERS[after.retained],
                "decided_for": str(d + ONE_DAY),
            }
            reason = None if after.retained == standing.retained else "upgrade" if rises else "downgrade"
            yield Step(d + ONE_DAY, after, reason, inputs)
            standing = after


def said_by_the_reference(client: Client, as_of: date, closed: date) -> dict[str, Any]:
    """Class and tier once `as_of` is closed, with what opened their stretches, by the facts of `client`."""
    with exactly():
        closes = every_day(FIRST, closed)
        classes = classes_of(client, closes)
        steps = [step for step in steps_of(client, classes, closes) if step.effective_on <= as_of + ONE_DAY]
    found: dict[str, Any] = {"class": None}
    evaluated = [c for c in classes if c.last_day <= as_of]
    if evaluated:
        opened_at = len(evaluated) - 1
        while opened_at and evaluated[opened_at - 1].letter == evaluated[-1].letter:
            opened_at -= 1
        first, last = evaluated[opened_at], evaluated[-1]
        found["class"] = (
            last.letter, str(first.last_day + ONE_DAY), str(first.last_day), *figures(first), *figures(last),
        )  # fmt: skip
    moves = [step for step in steps if step.reason]
    tier = moves[-1] if moves else None
    found["tier"] = (
        (TIERS[tier.standing.retained], str(tier.effective_on), tier.reason, tier.inputs)
        if tier
        else ("NORMAL", str(client.opened_on), "opened", {})
    )
    running = steps[-1] if steps and steps[-1].standing.grace_since else None
    found["grace"] = (str(running.standing.grace_since), running.inputs) if running else None
    return found


def figures(found: MonthClass) -> tuple[str, str, bool]:
    return f"{found.asset_mean:.2f}", f"{found.turnover:.4f}", found.provisional


def said_by(answer: dict[str, Any]) -> dict[str, Any]:
    """The same of an explanation."""
    found, tier, grace = answer["class"], answer["tier"], answer["tier"]["grace"]

    def inputs(of: dict[str, Any]) -> tuple[Any, ...]:
        return of["asset_mean"], of["turnover"], of["provisional"]

    return {
        "class": found
        and (
            found["code"], found["since"], found["inputs"]["month_end"], *inputs(found["inputs"]),
            *inputs(found["last_evaluation"]),
        ),
        "tier": (tier["code"], tier["since"], tier["reason"], tier["inputs"]),
        "grace": grace and (grace["from"], grace["inputs"]),
    }  # fmt: skip


def facts_of(seed: int, client: str) -> list[Event]:
    """A client's facts; one valuation a day, whose last word order cannot change."""
    facts: dict[Any, Event] = {}
    for number, fact in enumerate(scenario(seed, client)):
        facts[fact.as_of if isinstance(fact, AssetsValued) else number] = fact
    return list(facts.values())


@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=4, max_size=4, unique=True), dice=st.randoms(use_true_random=False)
)
@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_an_explanation_says_what_the_reference_says_of_the_facts_known_then(
    fresh_world: Fresh, seeds: list[int], dice: random.Random
) -> None:
    """K2a, T3 to T7: for every earlier instant and every closed day."""
    clients = [f"c-{seed}" for seed in seeds]
    facts = [fact for seed, client in zip(seeds, clients, strict=True) for fact in facts_of(seed, client)]
    dice.shuffle(facts)
    parts = [facts[n :: 2 * len(CLOSES)] for n in range(2 * len(CLOSES))]
    known: list[Event] = []
    instants: list[tuple[datetime, date, list[Event]]] = []
    async with fresh_world() as world:
        for closed in CLOSES:  # some facts before the close, some after it: late, if they are dated earlier
            for late in (False, True):
                known += (part := parts.pop())
                await world.publish(*part)
                await (world.settle() if late else world.close(closed))
                instants.append((await now(world), closed, list(known)))
        for instant, closed, then in instants:
            for client_id in clients:
                client = client_of(then, client_id)
                for as_of in (d for d in (day(0), day(45), day(130), day(250)) if d <= closed):
                    answer = await explained(world, client_id, as_of=as_of, known_at=instant.isoformat())
                    expected = client and said_by_the_reference(client, as_of, closed)
                    assert (answer and said_by(answer)) == expected, (client_id, as_of, then)


async def now(world: World) -> datetime:
    found: datetime = await world.value("classification", "SELECT clock_timestamp()")
    return found


async def explained(world: World, client_id: str, **query: Any) -> dict[str, Any] | None:
    """The explanation; none of a client not known."""
    async with world.client("classification") as http:
        answer = await http.get(f"/v1/classification/clients/{client_id}/explain", params=query)
    if answer.status_code == 404:
        return None
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


async def test_a_grant_that_runs_out_says_so(world: World) -> None:
    """T5: the tier granted, until when, and what the client is since then."""
    await world.publish(opened(), trade("t-1", day(3), "1000"))
    await world.close(FIRST)
    await world.close(day(60))
    async with world.database("classification").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO grants (grant_id, client_id, tier, since, until, reason, state, made_by, made_at, checked_at)
               VALUES ('g', $1, 3, $2, $3, 'r', 'approved', 'm', now(), now())""",
            CLIENT,
            day(10),
            day(40),
        )
    during, after = [await explained(world, CLIENT, as_of=on) for on in (day(20), day(50))]
    assert during
    assert after
    assert (during["tier"]["code"], during["tier"]["reason"], during["tier"]["retained"]) == (
        "PLATINUM",
        "grant",
        "SILVER",
    )
    assert str(day(40)) in during["tier"]["sentence"]["en"]
    assert (after["tier"]["code"], after["tier"]["since"], after["tier"]["reason"]) == (
        "SILVER", str(day(40)), "grant_ended",
    )  # fmt: skip
    assert after["tier"]["inputs"]["granted"] == "PLATINUM"
    assert "白金卡" in after["tier"]["sentence"]["zh-CN"]


async def test_a_stretch_is_explained_by_what_opened_it(world: World) -> None:
    """Not by the latest numbers: those of a grace stand with the grace, those of the last month with that month."""
    await world.publish(opened(), valued(day(0), "600000"), valued(day(31), "700000"), valued(day(60), "0"))
    await world.close(FIRST)
    await world.close(day(100))
    why = await explained(world, CLIENT)
    assert why
    assert why["tier"]["inputs"]["asset_mean"] == "600000.00"  # GOLD since February, by January
    assert why["tier"]["grace"]["inputs"]["asset_mean"] == "0.00"  # by March
    why = await explained(world, CLIENT, as_of=day(59))
    assert why
    assert (why["class"]["since"], why["class"]["inputs"]["asset_mean"]) == ("2024-02-01", "600000.00")
    assert why["class"]["last_evaluation"]["asset_mean"] == "700000.00"


async def test_figures_known_before_stay_readable_where_the_outcome_is_the_same(world: World) -> None:
    """A late trade that changes no tier changes what it was earned with; only the months are told again."""
    await world.publish(opened(), trade("t-1", day(3), "1000"))
    await world.close(FIRST)
    await world.close(day(60))
    before = await now(world)
    told = "SELECT count(*) FROM bus.log WHERE topic = 'careline.classification' AND type <> $1"
    said = await world.value("classification", told, MonthEvaluated.type)
    await world.publish(trade("t-2", day(2), "200"))
    await world.settle()
    then, since = await explained(world, CLIENT, known_at=before.isoformat()), await explained(world, CLIENT)
    assert then
    assert since
    assert [found["tier"]["inputs"]["commission_12_months"] for found in (then, since)] == ["1000", "1200"]
    assert await world.value("classification", told, MonthEvaluated.type) == said
