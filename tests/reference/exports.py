"""The rows of the exports `clients`, `tiers` and `points`, as lists of text tuples in export order.

Fixed readings: as of D a full home shows what a home replayed only until D shows. That is: clients opened on or
before D; stretches that begin on or before D+1, their `to` empty when later than D+1; the class of the last
month evaluation in force on D+1, with its inputs; points of trades dated on or before D. Points are totals per
client and trade (`client_id,trade_id,points`), because an order of arrival may split them into entries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from .classes import MonthClass, classes_of
from .days import ONE_DAY
from .exact import exactly
from .facts import Client, Facts, read_facts
from .points import points_of
from .tiers import Stretch, tier_on, tiers_of

Row = tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """All that the rules of classes, tiers and points say of one client over all closed days."""

    client: Client
    classes: list[MonthClass]
    stretches: list[Stretch]
    points: dict[str, int]


def replay(folder: Path, until: date | None = None, customers: int | None = None) -> list[Outcome]:
    """Every client of a folder, evaluated to the last close."""
    with exactly():
        return evaluate(read_facts(folder, until, customers))


def evaluate(facts: Facts) -> list[Outcome]:
    """Every client of the facts, evaluated at each closed day; to be called inside `exactly()`."""
    outcomes = []
    for client in facts.clients:
        classes = classes_of(client, facts.closes)
        stretches = tiers_of(client, classes, facts.closes)
        outcomes.append(Outcome(client, classes, stretches, points_of(client, stretches)))
    return outcomes


def hundredths(amount: int) -> str:
    """Hundredths as a decimal string with two decimals."""
    return f"{amount // 100}.{amount % 100:02d}"


def client_rows(outcomes: list[Outcome], as_of: date) -> list[Row]:
    """`clients`: one row per client opened on or before the day."""
    rows: list[Row] = []
    for outcome in outcomes:
        client = outcome.client
        if client.opened_on > as_of:
            continue
        known = [evaluation for evaluation in outcome.classes if evaluation.last_day <= as_of]
        inputs = ("", "", "", "")
        if known:
            last = known[-1]
            provisional = "true" if last.provisional else "false"
            inputs = (last.letter, provisional, f"{last.asset_mean:.2f}", f"{last.turnover:.4f}")
        tier = tier_on(outcome.stretches, as_of + ONE_DAY)
        dated = {trade.trade_id: trade.trade_date for trade in client.trades}
        points = sum(earned for trade_id, earned in outcome.points.items() if dated[trade_id] <= as_of)
        opening = (client.client_id, client.branch_id, client.opened_on.isoformat())
        rows.append((*opening, *inputs, tier, hundredths(points), "0.00"))
    return rows


def tier_rows(outcomes: list[Outcome], as_of: date) -> list[Row]:
    """`tiers`: one row per stretch that begins on or before the day after."""
    following = as_of + ONE_DAY
    rows: list[Row] = []
    for outcome in outcomes:
        if outcome.client.opened_on > as_of:
            continue
        for stretch in outcome.stretches:
            if stretch.since <= following:
                to = stretch.to.isoformat() if stretch.to and stretch.to <= following else ""
                since = stretch.since.isoformat()
                rows.append((outcome.client.client_id, stretch.tier, since, to, stretch.reason))
    return rows


def point_rows(outcomes: list[Outcome], as_of: date) -> list[Row]:
    """`points`: total per client and trade, without trades that earn nothing."""
    rows: list[Row] = []
    for outcome in outcomes:
        for trade in outcome.client.trades:
            earned = outcome.points.get(trade.trade_id, 0)
            if earned and trade.trade_date <= as_of:
                rows.append((trade.client_id, trade.trade_id, hundredths(earned)))
    return sorted(rows)


EXPORTS: dict[str, tuple[str, Callable[[list[Outcome], date], list[Row]]]] = {
    "clients": (
        "client_id,branch_id,opened_on,class,provisional,asset_mean,turnover,tier,points,debt",
        client_rows,
    ),
    "tiers": ("client_id,tier,from,to,reason", tier_rows),
    "points": ("client_id,trade_id,points", point_rows),
}
