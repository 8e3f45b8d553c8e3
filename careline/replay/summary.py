"""What a replay came to: facts by kind, services, classes and tiers, and the totals."""

from collections import Counter
from datetime import date
from decimal import Decimal
from time import monotonic

from careline.export import EXPORTS
from careline.platform import Platform
from careline.replay.progress import Progress
from careline.replay.source import KINDS, ONLY_DEMO, DataSet
from careline.session import say
from chassis.operations.status import status
from services.callbacks.rule_texts import rule_text
from services.callbacks.rules import OPEN
from services.callbacks.statistics import task_counts
from services.points.exports import balances


def print_counts(data: DataSet, until: date) -> None:
    """Facts of each kind until a day, and how many in all."""
    goal = data.through(until)
    counts = Counter(fact.rank for fact in data.facts[:goal])
    for rank, kind in enumerate(KINDS):
        if kind in ONLY_DEMO and not counts[rank]:
            continue
        say(f"{kind.label:22} {counts[rank]:>9,}")
    say(f"{'facts in all':22} {goal:>9,}")


def print_speed(progress: Progress) -> None:
    """How long it took, from the first look at the home on."""
    seconds, said = monotonic() - progress.started, progress.published
    if said:
        say(f"{said:,} facts published and caught up in {seconds:.1f} s: {said / seconds:,.0f}/s")
    else:
        say("nothing was left to publish: everything had been said before")


async def print_summary(platform: Platform, data: DataSet, until: date, progress: Progress) -> None:
    """The table and the totals, from what the services hold now."""
    say(f"replayed {data.folder} until {until}")
    print_counts(data, until)
    say()
    say(f"{'service':16} {'closed through':>14} {'not applied':>12} {'dead letters':>13} {'conflicts':>10}")
    for service in platform.services:
        found = await status(service, platform.databases[service.name], platform.settings)
        closed = found["closed_through"] or "-"
        behind = found["lag_records"] + found["unshipped"]
        say(f"{service.name:16} {closed:>14} {behind:>12,} {found['dead_letters']:>13,} {found['conflicts']:>10,}")
    say()
    classes, tiers, clients = await _clients(platform)
    say("class   " + "  ".join(f"{code} {count:,}" for code, count in sorted(classes.items())))
    say("tier    " + "  ".join(f"{tier} {count:,}" for tier, count in sorted(tiers.items())))
    await print_callbacks(platform, until)
    points, debt = await _points(platform)
    say(f"totals  {clients:,} clients, {points:,.2f} points held, {debt:,.2f} points owed")
    print_speed(progress)


async def print_callbacks(platform: Platform, until: date) -> None:
    """How many callback tasks of each rule there were at the close of a day, how many were still open, and why."""
    if "callbacks" not in platform.databases:
        return
    async with platform.databases["callbacks"].reading() as sql:
        found = await task_counts(sql, until)
    tasks: Counter[str] = Counter()
    still: Counter[str] = Counter()
    for row in found:
        tasks[row["rule"]] += row["count"]
        still[row["rule"]] += row["count"] if row["state"] in OPEN else 0
    say()
    say(f"{'callbacks of rule':22} {'tasks':>9} {'open':>7}  why")
    for rule in sorted(tasks, key=lambda rule: (-tasks[rule], rule)):
        say(f"{rule:22} {tasks[rule]:>9,} {still[rule]:>7,}  {rule_text(rule).en}")
    say(f"{'callbacks in all':22} {tasks.total():>9,} {still.total():>7,}")
    say()


async def _clients(platform: Platform) -> tuple[Counter[str], Counter[str], int]:
    export = EXPORTS["clients"]
    of_class, of_tier = export.columns.index("class"), export.columns.index("tier")
    classes: Counter[str] = Counter()
    tiers: Counter[str] = Counter()
    async for row in export.rows(platform, None):
        classes[row[of_class] or "none"] += 1
        tiers[row[of_tier]] += 1
    return classes, tiers, tiers.total()


async def _points(platform: Platform) -> tuple[Decimal, Decimal]:
    held, owed = Decimal(0), Decimal(0)
    async with platform.databases["points"].reading() as sql:
        async for _, points, debt in balances(sql, None):
            held, owed = held + points, owed + debt
    return held, owed
