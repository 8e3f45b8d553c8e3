"""Groups, value, core and lifecycle close by close: the statements say what the rules say, on time or late.

The oracle here asks the pure rules about every client on every closed day; it knows no windows, candidates or
statements. What a receiver makes of the events is compared with the tables as well.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from chassis.clock import at, business_date, is_month_end, month_end, months_after, year_before
from contracts import classification as contract
from contracts.base import Amount, Event, Quantity, decode_custom
from contracts.broker import (
    AssetsValued,
    ClientClosed,
    ClientOpened,
    ClosingRequested,
    FundsMoved,
    ProductPurchased,
    TradeCancelled,
    TradeSettled,
)
from services.classification import exports, group_policies, group_rules, rules
from services.classification.groups import window_start
from services.classification.policy import Policies
from tests.classification.conftest import Fresh
from tests.classification.facts import cancelled, trade
from tests.reference import decisions
from tests.world import World

FIRST = date(2024, 1, 17)
LAST = date(2024, 5, 3)
BEGIN = FIRST - timedelta(days=240)
ONE_DAY = timedelta(days=1)
GROUPS = Policies().groups.on(FIRST).body
VALUE = Policies().value.on(FIRST).body
LIFECYCLE = Policies().lifecycle.on(FIRST).body
CLASSES = Policies().classes.on(FIRST).body
SEEDS = [1, 2, 3]  # worlds, not numbers: a failing one is looked at as it is, not shrunk


def moved(transfer_id: str, client: str, on: date, net: int) -> FundsMoved:
    return FundsMoved(
        transfer_id=transfer_id,
        client_id=client,
        moved_at=at(on, 11),
        direction="in" if net > 0 else "out",
        amount=Quantity(abs(net)),
    )


def bought(purchase_id: str, client: str, on: date, amount: int) -> ProductPurchased:
    return ProductPurchased(
        client_id=client, purchase_id=purchase_id, product_code="FUND-1", amount=Amount(amount), at=at(on, 14)
    )


def facts_of(seed: int, clients: int = 7) -> list[Event]:
    """Random facts of a few clients of two branches, before and within the closed days."""
    dice = random.Random(seed)
    span = (LAST - BEGIN).days
    facts: list[Event] = []
    for number in range(clients):
        client = f"c-{number}"
        opened_on = BEGIN + timedelta(days=dice.choice([0, 0, dice.randrange(span - 40)]))
        facts.append(ClientOpened(client_id=client, branch_id=f"B{number % 2}", opened_on=opened_on))
        left = (LAST - opened_on).days

        def some_day(opened_on: date = opened_on, left: int = left) -> date:
            return opened_on + timedelta(days=dice.randrange(left))

        for n in range(dice.choice([0, 2, 12, 40])):
            amount, paid = dice.choice([("1000", "1"), ("5000", "12.5"), ("400", "700"), ("9", "0")])
            facts.append(trade(f"t-{n}", some_day(), paid, client, amount))
            if dice.random() < 0.15:
                facts.append(cancelled(f"t-{n}", dice.choice(["0", paid]), LAST, client))
        facts += [
            AssetsValued(
                client_id=client,
                as_of=on,
                total_assets=Amount(dice.choice(["0", "50", "9000", "12000", "40000", "600000", "2000000"])),
            )
            for on in sorted({some_day() for _ in range(dice.choice([0, 3, 9]))})  # one word a day: no order matters
        ]
        facts += [
            moved(f"f-{n}", client, some_day(), dice.choice([-9000, 500, 30_000])) for n in range(dice.randrange(4))
        ]
        facts += [
            bought(f"p-{n}", client, some_day(), dice.choice([-50, 3000, 400_000])) for n in range(dice.randrange(3))
        ]
        if dice.random() < 0.25:
            facts.append(ClosingRequested(client_id=client, requested_on=some_day()))
        if dice.random() < 0.25:
            facts.append(ClientClosed(client_id=client, closed_on=some_day() + ONE_DAY))
    return facts


Tiers = dict[str, list[tuple[date, int]]]
Moves = Mapping[tuple[str, date], str]
"""The branch of a client from a day on."""


async def tiers_in(world: World) -> Tiers:
    """The effective tiers, which have tests of their own: (since, tier) by client."""
    tiers: Tiers = {}
    for row in await world.rows("classification", "SELECT client_id, since, tier FROM tiers ORDER BY since"):
        tiers.setdefault(row["client_id"], []).append((row["since"], row["tier"]))
    return tiers


class Oracle:
    """What the pure rules say of facts and tiers, day by day."""

    def __init__(self, facts: Sequence[Event], tiers: Tiers, moves: Moves) -> None:
        self.tiers = tiers
        self.moves = moves
        self.opened = {e.client_id: e for e in facts if isinstance(e, ClientOpened)}
        self.closed = {e.client_id: e.closed_on for e in facts if isinstance(e, ClientClosed)}
        self.leaving = {e.client_id: e.requested_on for e in facts if isinstance(e, ClosingRequested)}
        left = {(e.client_id, e.trade_id): e.remaining_commission for e in facts if isinstance(e, TradeCancelled)}
        self.traded: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
        self.paid: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
        for t in facts:
            if isinstance(t, TradeSettled):
                remaining = min(left.get((t.client_id, t.trade_id), t.commission), t.commission)
                gone = (t.client_id, t.trade_id) in left and not remaining
                amount = Decimal(0) if gone else t.amount
                days, sums = self.traded[t.client_id], self.paid[t.client_id]
                days[t.trade_date] = days.get(t.trade_date, Decimal(0)) + amount
                sums[t.trade_date] = sums.get(t.trade_date, Decimal(0)) + remaining
        for days in self.traded.values():
            for day in [day for day, amount in days.items() if not amount]:
                del days[day]
        self.valued: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
        for v in facts:
            if isinstance(v, AssetsValued):
                self.valued[v.client_id][v.as_of] = v.total_assets
        self.net: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
        for m in facts:
            if isinstance(m, FundsMoved):
                days, day = self.net[m.client_id], business_date(m.moved_at)
                days[day] = days.get(day, Decimal(0)) + (m.amount if m.direction == "in" else -m.amount)
        self.bought: defaultdict[str, list[tuple[date, Decimal]]] = defaultdict(list)
        for p in facts:
            if isinstance(p, ProductPurchased):
                self.bought[p.client_id].append((business_date(p.at), p.amount))
        self.values: dict[tuple[date, str], tuple[Decimal, str, str, Decimal]] = {}
        self.cores: dict[date, set[str]] = {}
        day = month_end(FIRST)
        while day <= LAST:
            self._close_month(day)
            day = month_end(day + ONE_DAY)

    def total(self, client: str, day: date) -> Decimal | None:
        known = [d for d in self.valued[client] if d <= day]
        return self.valued[client][max(known)] if known else None

    def last_trade(self, client: str, day: date) -> date | None:
        return max((d for d in self.traded[client] if d <= day), default=None)

    def month_mean(self, client: str, last: date) -> Decimal | None:
        days = [last.replace(day=n) for n in range(1, last.day + 1)]
        known = [total for day in days if (total := self.total(client, day)) is not None]
        return decisions.month_mean(sum(known, Decimal(0)), len(known)) if known else None

    def turnover(self, client: str, last: date) -> Decimal:
        first = months_after(last.replace(day=1), -11)
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        known = [total for day in days if (total := self.total(client, day)) is not None]
        traded = sum((a for d, a in self.traded[client].items() if first <= d <= last), Decimal(0))
        return decisions.turnover(traded, sum(known, Decimal(0)), len(known))

    def branch(self, client: str, day: date) -> str:
        days = [on for moved, on in self.moves if moved == client and on <= day]
        return self.moves[client, max(days)] if days else self.opened[client].branch_id

    def is_closed(self, client: str, day: date) -> bool:
        return client in self.closed and self.closed[client] <= day

    def _close_month(self, last: date) -> None:
        lasts = [month_end(months_after(last.replace(day=1), -n)) for n in range(7)]
        by_branch: defaultdict[str, dict[str, tuple[Decimal, Decimal]]] = defaultdict(dict)
        self.cores[last] = set()
        for client, event in self.opened.items():
            if event.opened_on > last:
                continue
            means = [self.month_mean(client, each) for each in lasts[:6]]
            paid = self.paid[client]

            def between(after: date, until: date, paid: dict[date, Decimal] = paid) -> Decimal:
                return sum((p for d, p in paid.items() if after < d <= until), Decimal(0))

            known = [mean for mean in means if mean is not None]
            figures = decisions.LifecycleFigures(
                opened_on=event.opened_on,
                closed_on=self.closed.get(client),
                traded_on=self.last_trade(client, last),
                total=self.total(client, last),
                assets_now=sum(known[:3], Decimal(0)) if len(known) == 6 else None,
                assets_before=sum(known[3:], Decimal(0)) if len(known) == 6 else None,
                commission_now=between(lasts[3], last),
                commission_before=between(lasts[6], lasts[3]),
            )
            stage = decisions.lifecycle_at(figures, last, LIFECYCLE)
            assets = means[0] or Decimal(0)
            power = sum((a for d, a in self.bought[client] if year_before(last) < d <= last), Decimal(0))
            value, kind, _ = decisions.value_of(between(year_before(last), last), power, assets, VALUE)
            self.values[last, client] = (value, kind, stage, assets)
            if not self.is_closed(client, last):
                by_branch[self.branch(client, last)][client] = (value, assets)
                tier = [tier for since, tier in self.tiers[client] if since <= last + ONE_DAY][-1]
                code = rules.class_of(assets, self.turnover(client, last), CLASSES)
                if code in VALUE.core_classes or tier >= VALUE.core_tier:
                    self.cores[last].add(client)
        for values in by_branch.values():
            self.cores[last] |= decisions.core_by_rank(values, VALUE)

    def core(self, client: str, day: date) -> bool:
        last = day if is_month_end(day) else day.replace(day=1) - ONE_DAY
        return client in self.cores.get(last, set())

    def occurred(self, client: str, day: date) -> date | None:
        opened_on, traded, net = self.opened[client].opened_on, self.traded[client], self.net[client]
        for ago in range(GROUPS.abnormal_in_force_days):
            d = day - timedelta(days=ago)
            start = window_start(d, GROUPS.abnormal_transfer_days)
            in_window = sum((n for when, n in net.items() if start <= when <= d), Decimal(0))
            funds = d in net and decisions.moves_abnormally(
                in_window, self.total(client, start - ONE_DAY), opened_on, d, GROUPS
            )
            if funds or decisions.trades_abnormally(traded, opened_on, d, GROUPS):
                return d
        return None

    def tags(self, client: str, day: date) -> int | None:
        found = decisions.tags_at(
            decisions.GroupFigures(
                opened_on=self.opened[client].opened_on,
                closed_on=self.closed.get(client),
                leaving_since=self.leaving.get(client),
                traded_on=self.last_trade(client, day),
                occurred_on=self.occurred(client, day),
                total=self.total(client, day),
                before=self.total(client, day - timedelta(days=GROUPS.at_risk_days)),
                core=self.core(client, day),
            ),
            day,
            GROUPS,
        )
        return None if found is None else sum(group_policies.BIT[tag] for tag in found)

    def history(self, client: str) -> list[tuple[date, int | None]]:
        """(effective day, tags) of every change, as the closes from FIRST to LAST find them."""
        changes: list[tuple[date, int | None]] = []
        day, before = max(FIRST, self.opened[client].opened_on), None
        while day <= LAST:
            if (tags := self.tags(client, day)) != before:
                changes.append((day + ONE_DAY, tags))
                before = tags
            day += ONE_DAY
        return changes


async def live(world: World, table: str, column: str) -> dict[str, list[tuple[date, Any]]]:
    """Decisions in force, by client, in order of their days."""
    rows = await world.rows(
        "classification",
        f"""SELECT client_id, effective_on, {column} AS said FROM {table} d WHERE NOT EXISTS (
                SELECT FROM superseded x WHERE x.kind = '{table}' AND x.partition = d.partition AND x.number = d.number)
            ORDER BY client_id, effective_on, number""",
    )
    found: defaultdict[str, list[tuple[date, Any]]] = defaultdict(list)
    for row in rows:
        found[row["client_id"]].append((row["effective_on"], row["said"]))
    return dict(found)


async def heard(world: World, kind: type[Event]) -> list[Any]:
    """What classification told, in the order of the log."""
    rows = await world.rows(
        "classification", 'SELECT value FROM bus.log WHERE type = $1 ORDER BY partition, "offset"', kind.type
    )
    decoder = msgspec.json.Decoder(kind, dec_hook=decode_custom)
    return [decoder.decode(row["value"]) for row in rows]


async def received_stretches(world: World) -> dict[tuple[str, str, date], tuple[date | None, bool]]:
    """What a receiver that follows the contract holds in the end."""
    held: dict[tuple[str, str, date], tuple[date | None, bool]] = {}
    revisions: dict[str, int] = {}
    for event in await heard(world, contract.GroupChanged):
        assert event.revision > revisions.get(event.client_id, 0), "revisions rise"
        revisions[event.client_id] = event.revision
        held = {k: v for k, v in held.items() if k[0] != event.client_id or k[2] < event.changed_from}
        for stretch in event.tags:
            held[event.client_id, stretch.tag, stretch.since] = (stretch.until, stretch.baseline)
    return held


async def check(world: World, facts: Sequence[Event], moves: Moves = MappingProxyType({})) -> None:
    """The tables hold what the oracle says, and a receiver of the events holds the same."""
    oracle = Oracle(facts, await tiers_in(world), moves)
    decided = await live(world, "group_decisions", "tags")
    expected = {client: history for client in oracle.opened if (history := oracle.history(client))}
    assert decided == expected
    months = await world.rows("classification", "SELECT * FROM month_values")
    found = {
        (m["month_end"], m["client_id"]): (m["value"], m["value_type"], m["lifecycle"], m["assets"]) for m in months
    }
    assert all(m["branch_id"] == oracle.branch(m["client_id"], m["month_end"]) for m in months)
    for (last, client), (value, kind, stage, assets) in oracle.values.items():
        gone = oracle.is_closed(client, last)
        shown = (None, None, stage) if gone else (value, kind, stage)
        assert found.pop((last, client))[:3] == shown, (last, client, assets)
    assert not found
    cores: defaultdict[date, set[str]] = defaultdict(set)
    for row in await world.rows("classification", "SELECT month_end, client_id FROM month_cores"):
        cores[row["month_end"]].add(row["client_id"])
    assert {last: clients for last, clients in oracle.cores.items() if clients} == cores
    await check_changes(world, oracle)
    stretches = {
        (row["client_id"], row["tag"], row["since"]): row["until"]
        for row in await world.rows("classification", "SELECT client_id, tag, since, until FROM tag_stretches")
    }
    received = await received_stretches(world)
    assert {key: until for key, (until, _) in received.items()} == stretches
    for (_, tag, since), (_, baseline) in received.items():
        assert baseline == (tag != "CORE" and since == FIRST + ONE_DAY)
    standing = await world.rows("classification", "SELECT client_id, tags FROM group_standings")
    tags_now = {client: history[-1][1] for client, history in expected.items()}
    assert {row["client_id"]: row["tags"] for row in standing} == {c: tags_now.get(c) for c in oracle.opened}


async def check_changes(world: World, oracle: Oracle) -> None:
    """Decisions about core and lifecycle are the changes from month close to month close."""
    cores, stages = await live(world, "core_decisions", "core"), await live(world, "lifecycle_decisions", "lifecycle")
    for client, event in oracle.opened.items():
        core, stage = False, "ESTABLISHED"
        core_changes, stage_changes = [], []
        if FIRST <= event.opened_on <= LAST:
            stage_changes.append((event.opened_on, stage))
        for last in sorted(oracle.cores):
            if (client in oracle.cores[last]) != core:
                core = not core
                core_changes.append((last + ONE_DAY, core))
            if (last, client) in oracle.values and oracle.values[last, client][2] != stage:
                stage = oracle.values[last, client][2]
                stage_changes.append((last + ONE_DAY, stage))
        assert cores.get(client, []) == core_changes
        assert stages.get(client, []) == stage_changes


async def close_all(world: World) -> None:
    await world.close(FIRST, settle=False)
    await world.settle()
    await world.close(LAST)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_close_says_what_the_rules_say(world: World, seed: int) -> None:
    """K7, V1, V2, V5: purchases, transfers, closing requests and closings among the facts."""
    facts = facts_of(seed)
    await world.publish(*facts)
    await close_all(world)
    await check(world, facts)


async def told_of(fresh_world: Fresh, facts: list[Event], closes: list[date]) -> list[Any]:
    """Everything classification tells of these facts with these closes."""
    async with fresh_world() as world:
        await world.publish(*facts)
        for close in closes:
            await world.close(close)
        return await world.rows(
            "classification",
            """SELECT key, type, time, convert_from(value, 'UTF8') AS value FROM bus.log
               WHERE topic = 'careline.classification' ORDER BY key, type, time, value""",
        )


async def test_a_backlog_tells_what_its_days_tell_one_by_one(fresh_world: Fresh) -> None:
    """Days closed together by the month: the same events, each at the end of its own day."""
    facts = facts_of(SEEDS[0])
    days = [FIRST + n * ONE_DAY for n in range((LAST - FIRST).days + 1)]
    one_by_one = await told_of(fresh_world, facts, days)
    assert {"classification.group.changed", "classification.class.changed", "classification.tier.changed"} <= {
        row["type"] for row in one_by_one
    }
    assert await told_of(fresh_world, facts, [FIRST, LAST]) == one_by_one


@pytest.mark.parametrize("seed", SEEDS)
async def test_late_facts_rewrite_to_the_same(world: World, seed: int) -> None:
    """T7: what arrives after its close, in any order and in several goes, leaves what on time would have left."""
    facts = facts_of(seed)
    dice = random.Random(seed + 1)
    late = [fact for fact in facts if dice.random() < 0.3]
    dice.shuffle(late)
    await world.publish(*(fact for fact in facts if fact not in late))
    await world.close(FIRST)
    await world.close(FIRST + timedelta(days=45))
    await world.publish(*late[: len(late) // 2])
    await world.settle()
    await world.close(LAST)
    await world.publish(*late[len(late) // 2 :])
    await world.settle()
    await check(world, facts)
    await world.seal()
    assert await world.findings() == []


async def test_a_repeat_changes_and_tells_nothing(world: World) -> None:
    facts = facts_of(7)
    messages = await world.publish(*facts)
    await close_all(world)
    told = len(await heard(world, contract.GroupChanged))
    await world.redeliver(messages, id="again")
    await world.settle()
    assert len(await heard(world, contract.GroupChanged)) == told
    assert await world.value("classification", "SELECT count(*) FROM superseded") == 0


async def test_a_known_transfer_or_purchase_with_other_content_is_a_conflict(world: World) -> None:
    on = FIRST - timedelta(days=3)
    await world.publish(ClientOpened(client_id="c-1", branch_id="B1", opened_on=BEGIN))
    await world.publish(moved("f-1", "c-1", on, 500), bought("p-1", "c-1", on, 70))
    await world.publish(moved("f-1", "c-1", on, 501), bought("p-1", "c-1", on, 70), bought("p-1", "c-1", on, -70))
    await world.settle()
    rows = await world.rows("classification", "SELECT type FROM conflicts ORDER BY type")
    assert [row["type"] for row in rows] == ["broker.funds.moved", "broker.product.purchased"]


async def test_an_abnormal_day_in_force_prolongs_the_stretch_and_tells_nothing(world: World) -> None:
    """K7: ABNORMAL from D+1 to D+30, renewed by each occurrence: one stretch, one entry."""
    client = "c-1"
    await world.publish(
        ClientOpened(client_id=client, branch_id="B1", opened_on=BEGIN),
        AssetsValued(client_id=client, as_of=BEGIN, total_assets=Amount("1000")),
        trade("t-1", FIRST, "0", client),
        moved("f-1", client, FIRST + timedelta(days=5), 300),
        moved("f-2", client, FIRST + timedelta(days=20), -300),
    )
    await close_all(world)
    rows = await world.rows("classification", "SELECT tag, since, until FROM tag_stretches WHERE tag = 'ABNORMAL'")
    assert [(row["since"], row["until"]) for row in rows] == [(FIRST + timedelta(days=6), FIRST + timedelta(days=51))]
    events = [e for e in await heard(world, contract.GroupChanged) if e.client_id == client]
    assert [[s.tag for s in e.entered] for e in events if any(s.tag == "ABNORMAL" for s in e.entered)] == [["ABNORMAL"]]


async def test_a_late_trade_takes_back_a_dormant_stretch_and_says_so(world: World) -> None:
    client, last_trade = "c-1", FIRST - timedelta(days=170)
    await world.publish(
        ClientOpened(client_id=client, branch_id="B1", opened_on=BEGIN), trade("t-1", last_trade, "0", client)
    )
    await close_all(world)
    dormant_from = last_trade + timedelta(days=181)
    first = (await heard(world, contract.GroupChanged))[-1]
    assert (first.primary, [(s.tag, s.since) for s in first.entered]) == ("DORMANT", [("DORMANT", dormant_from)])
    await world.publish(trade("t-2", dormant_from - timedelta(days=5), "0", client))
    await world.settle()
    taken_back = (await heard(world, contract.GroupChanged))[-1]
    assert taken_back.correction
    assert (taken_back.changed_from, taken_back.primary, taken_back.tags) == (dormant_from, "REGULAR", [])
    assert await received_stretches(world) == {}


@pytest.mark.parametrize("as_of", [None, FIRST, date(2024, 2, 29)])
async def test_the_export_says_what_is_in_force(world: World, as_of: date | None) -> None:
    facts = facts_of(11)
    await world.publish(*facts)
    await close_all(world)
    oracle, day = Oracle(facts, await tiers_in(world), {}), as_of or LAST
    last = day if is_month_end(day) else day.replace(day=1) - ONE_DAY
    async with world.sql("classification") as sql:
        rows = [row async for row in exports.groups(sql, as_of)]
    expected = []
    for client in sorted(c for c, e in oracle.opened.items() if e.opened_on <= day):
        value, kind, stage, _ = oracle.values.get((last, client), (None, "", "ESTABLISHED", None))
        gone = oracle.is_closed(client, last) or value is None
        core = "true" if client in oracle.cores.get(last, set()) else "false"
        group = group_rules.primary_of(oracle.tags(client, day)) or ""
        expected.append((client, group, stage, "" if gone else str(value), "" if gone else kind, core))
    assert rows == expected
