"""Registers and the self-check as of past days, worked out again from the facts by a small reference of its own [4.3, Art. 30].

The reference knows lists of facts and what the rules say of them; nothing of it is the service's.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

import msgspec

from chassis.clock import at
from contracts import broker
from contracts.base import Amount, Event, Quantity
from tests.suitability.conftest import COMPLIANCE, DAY, DESK, Desk, assessed, bought
from tests.suitability.test_reports import rows_of
from tests.world import World

BEGIN, LAST = date(2021, 3, 1), date(2022, 10, 1)
SPAN = (LAST - BEGIN).days
RANK = {"VERY_LOW": 1, "LOW": 2, "MEDIUM": 3, "HIGH": 4, "C1": 1, "C2": 2, "C3": 3, "C4": 3, "C5": 4}
CODES = {1: "VERY_LOW", 2: "LOW", 3: "MEDIUM", 4: "HIGH"}
WORDS = {1: "极低", 2: "低", 3: "中", 4: "高"}
NEEDED = {"stock": 2, "fund:equity": 3, "warrant": 4}


@dataclass
class Known:
    """A client and what happened to them."""

    name: str
    branch: str
    opened: date
    closed: date | None = None
    moves: dict[date, str] = field(default_factory=dict)
    assessed: dict[date, str] = field(default_factory=dict)
    valued: dict[date, Decimal] = field(default_factory=dict)
    trades: list[tuple[date, str, Decimal]] = field(default_factory=list)
    cancelled: dict[int, dict[date, Decimal]] = field(default_factory=dict)

    def branch_on(self, day: date) -> str:
        """The branch they were in: that of the last move by then."""
        moved = [on for on in self.moves if on <= day]
        return self.moves[max(moved)] if moved else self.branch

    def level(self, day: date) -> str | None:
        """The level in force: the newest by then, for a year to the day."""
        begun = [on for on in self.assessed if on <= day]
        if not begun:
            return None
        newest = max(begun)
        return self.assessed[newest] if day <= newest.replace(year=newest.year + 1) else None

    def commission(self, day: date) -> Decimal | None:
        """Of the calendar year until the day, less what was cancelled by then: the lowest word on a trade counts."""
        sums = []
        for number, (on, _, commission) in enumerate(self.trades):
            words = [remaining for gone, remaining in self.cancelled.get(number, {}).items() if gone <= day]
            if on.year == day.year and on <= day:
                sums.append(min([commission, *words]))
        return sum(sums, Decimal(0)) if sums else None

    def facts(self) -> Iterator[Event]:
        yield broker.ClientOpened(client_id=self.name, branch_id=self.branch, opened_on=self.opened)
        for day, level in self.assessed.items():
            yield assessed(self.name, level, day, "C5R5" if level.startswith("C") else "SEED-2010-12Q")
        for day, total in self.valued.items():
            yield broker.AssetsValued(client_id=self.name, as_of=day, total_assets=Amount(str(total)))
        for number, (day, kind, commission) in enumerate(self.trades):
            settled = bought(self.name, f"t-{number}", day, f"X-{kind}", kind)
            yield msgspec.structs.replace(settled, branch_id=self.branch_on(day), commission=Quantity(str(commission)))
        for number, day, remaining in ((n, *word) for n, words in self.cancelled.items() for word in words.items()):
            yield broker.TradeCancelled(
                trade_id=f"t-{number}", client_id=self.name, cancelled_at=at(day, 11), remaining_commission=Quantity(str(remaining)),
            )  # fmt: skip
        for branch in self.moves.values():
            yield broker.ClientUpdated(client_id=self.name, branch_id=branch)
        if self.closed:
            yield broker.ClientClosed(client_id=self.name, closed_on=self.closed)


def people(random: Random) -> list[Known]:
    found = []
    for number in range(20):
        one = Known(f"c-{number:02}", f"B{number % 3 + 1}", BEGIN + DAY * random.randrange(SPAN // 2))
        left = (LAST - one.opened).days

        def day(since: date = one.opened, left: int = left) -> date:
            return since + DAY * random.randrange(left)

        one.assessed = {day(): random.choice(list(RANK)) for _ in range(random.randrange(5))}
        if number % 2:
            one.assessed[one.opened] = random.choice(list(RANK))
        one.valued = {day(): Decimal(random.randrange(10**9)) / 100 for _ in range(random.randrange(4))}
        one.trades = [(day(), random.choice(list(NEEDED)), Decimal(random.randrange(1, 10**7)) / 100) for _ in range(6)]
        for place, (on, _, commission) in enumerate(one.trades):
            if random.random() < 0.3:
                remaining = (commission * random.choice((0, 1)) / 4).quantize(Decimal("0.01"))
                one.cancelled[place] = {on + DAY * random.randrange(60): remaining}
                if random.random() < 0.6:  # a second word: it may be lower or higher, and of an earlier day
                    word = (commission * random.choice((1, 2, 3)) / 5).quantize(Decimal("0.01"))
                    one.cancelled[place].setdefault(on + DAY * random.randrange(60), word)
        if number % 3 != 1:
            one.moves = {day(): f"B{random.randrange(3) + 1}" for _ in range(random.randrange(1, 4))}
        if number % 5 == 4:
            one.closed = one.opened + DAY * (left * 2 // 3)
        found.append(one)
    return found


def wan(amount: Decimal | None) -> float | None:
    return None if amount is None else float((amount / 10_000).quantize(Decimal("0.0001"), ROUND_HALF_UP))


def annex_4(known: list[Known], day: date) -> list[tuple[Any, ...]]:
    rows = []
    for one in sorted(known, key=lambda one: (one.branch_on(day), one.name)):
        if one.opened <= day and (one.closed is None or one.closed > day):
            valued = [on for on in one.valued if on <= day]
            level = one.level(day)
            risk = None if level is None else {"中": "一般"}.get(word := WORDS[RANK[level]], word)
            assets = one.valued[max(valued)] if valued else None
            rows.append((one.name, one.branch_on(day), wan(assets), wan(one.commission(day)), risk))
    return rows


def risk_levels(known: list[Known], day: date) -> list[tuple[Any, ...]]:
    rows = [
        (one.branch_on(day), one.name, WORDS[RANK[level]], level if level.startswith("C") else None)
        for one in known
        if (level := one.assessed.get(day))
    ]
    return sorted(rows, key=lambda row: row[:2])


def self_check(known: list[Known], first: date, last: date) -> dict[str, Counter[str]]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in known:
        for on in one.assessed:
            until = on.replace(year=on.year + 1)
            followed = any(on < later <= until + DAY for later in one.assessed)
            found[one.branch_on(on)]["评估数"] += first <= on <= last
            found[one.branch_on(until)]["到期数"] += first <= until <= last and not followed
        for on, kind, _ in one.trades:
            if not first <= on <= last:
                continue
            level, counts = one.level(on), found[one.branch_on(on)]
            counts["买入成交"] += 1
            if level is None:
                counts["评估过期成交" if any(day <= on for day in one.assessed) else "未评估成交"] += 1
            elif NEEDED[kind] > RANK[level]:
                counts["超等级成交"] += 1
    return found


def counted(known: list[Known], day: date) -> dict[str, Counter[str]]:
    """The daily register: how many were assessed, by branch and level."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in known:
        if level := one.assessed.get(day):
            found[one.branch_on(day)][CODES[RANK[level]]] += 1
    return found


async def test_registers_and_self_check_of_past_days_are_what_the_facts_say(world: World, desk: Desk) -> None:
    random = Random(20220630)
    known = people(random)
    facts = [fact for one in known for fact in one.facts() if not isinstance(fact, broker.ClientUpdated)]
    random.shuffle(facts)
    facts.sort(key=lambda fact: not isinstance(fact, broker.ClientOpened))
    late = [fact for fact in facts if isinstance(fact, broker.TradeCancelled | broker.AssessmentRecorded)][::3]
    moves = [(one.name, day, branch) for one in known for day, branch in one.moves.items()]
    random.shuffle(moves)

    async def move(some: list[tuple[str, date, str]]) -> None:
        for name, day, branch in some:
            await world.publish(broker.ClientUpdated(client_id=name, branch_id=branch), at=at(day, 9))

    await world.close(BEGIN - DAY)
    await world.publish(*(fact for fact in facts if fact not in late))
    await move(moves[::2])
    await world.close(LAST)
    await move(moves[1::2])  # of days that are closed
    await world.publish(*late)
    await world.settle()

    async def file(path: str) -> list[tuple[Any, ...]]:
        answer = await desk.call(COMPLIANCE, "GET", path)
        assert answer.status_code == 200, answer.text
        return rows_of(answer.content)

    for day in (date(2021, 12, 31), date(2022, 1, 1), date(2022, 4, 17), date(2022, 6, 30), LAST):
        rows = (await file(f"/registers/annex-4.xlsx?on={day}"))[3:]
        shown = [(row[0], row[3], row[4], row[5], row[10] or None) for row in rows]
        assert shown == annex_4(known, day), day
    assert any(one.branch_on(date(2022, 6, 30)) != one.branch for one in known)
    own = rows_of((await desk.call(DESK, "GET", "/registers/annex-4.xlsx?on=2022-06-30")).content)[3:]
    assert [row[0] for row in own] == [row[0] for row in annex_4(known, date(2022, 6, 30)) if row[1] == "B1"]

    days = sorted({day for one in known for day in one.assessed})
    for day in days[::3]:
        _, _, heads, *rows = await file(f"/registers/risk-levels.xlsx?on={day}")
        lines = [dict(zip(heads, row, strict=True)) for row in rows]
        shown = [(one["营业部"], one["客户编号"], one["风险承受能力"], one["原方案等级"]) for one in lines]
        assert shown == risk_levels(known, day), day
        assert {(one["评估日期"].date(), one["来源"]) for one in lines} == {(day, "外部导入")}

    listed: defaultdict[date, dict[str, Counter[str]]] = defaultdict(dict)
    for made in await desk.listed(COMPLIANCE, "/registers"):
        levels = Counter({level["level"]: level["clients"] for level in made["by_level"]})
        listed[date.fromisoformat(made["register_date"])][made["branch_id"]] = levels
        assert made["assessed"] == levels.total()
    assert {day for day, branches in listed.items() if any(branches.values())} == set(days)
    for day, branches in listed.items():
        assert {branch: levels for branch, levels in branches.items() if levels} == counted(known, day), day
    assert not all(levels for branches in listed.values() for levels in branches.values())  # some have nobody left

    for year, half, first, last in (
        (2021, 2, date(2021, 7, 1), date(2021, 12, 31)),
        (2022, 1, date(2022, 1, 1), date(2022, 6, 30)),
    ):
        rows = await file(f"/reports/self-check.xlsx?year={year}&half={half}")
        heads = [str(head).split()[0] for head in rows[2]]
        lines = {row[0]: dict(zip(heads, row, strict=True)) for row in rows[3:]}
        total: Counter[str] = Counter()
        for branch, counts in self_check(known, first, last).items():
            total += counts
            assert {name: lines[branch][name] for name in counts} == dict(counts), (branch, year)
        assert {name: lines["合计"][name] if "合计" in lines else lines["合计 total"][name] for name in total} == total
        page = (await desk.call(COMPLIANCE, "GET", f"/reports/self-check?year={year}&half={half}")).text
        assert all(f"<td>{branch}</td>" in page for branch in ("B1", "B2", "B3"))
        assert "@page" in page  # made to be printed


def test_the_reference_is_not_empty() -> None:
    """Every figure that is compared has something to say."""
    known = people(Random(20220630))
    found = self_check(known, date(2022, 1, 1), date(2022, 6, 30))
    total = sum(found.values(), Counter[str]())
    assert {name for name, count in total.items() if count} >= {
        "评估数",
        "到期数",
        "买入成交",
        "超等级成交",
        "未评估成交",
    }
    assert any(one.closed for one in known)
    assert any(one.cancelled for one in known)
    assert timedelta(days=SPAN) > timedelta(days=365)
