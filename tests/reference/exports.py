"""What a replay leaves, and the rows of the exports `clients`, `tiers` and `points`.

Rows are tuples of text, in the order of the export.

Fixed readings: as of D a full home shows what a home replayed only until D shows. That is: clients opened on or
before D; stretches that begin on or before D+1, their `to` empty when later than D+1; the class of the last
month evaluation in force on D+1, with its inputs; points of trades dated on or before D whose lots have not ended
by its close. Points are totals per client and trade (`client_id,trade_id,points`), because an order of arrival may split them into entries.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from .classes import MonthClass, classes_of
from .days import ONE_DAY
from .exact import exactly
from .facts import Client, Facts, read_facts
from .points import LOYALTY, anniversaries, lot_end, points_of
from .tiers import Stretch, tier_on, tiers_of
from .value import lost_on

Row = tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """All that the rules of classes, tiers and points say of one client over all closed days."""

    client: Client
    classes: list[MonthClass]
    stretches: list[Stretch]
    points: dict[str, int]
    loyalty: list[date]
    """Anniversaries that earned points [P3]."""


@dataclass(frozen=True)
class Replayed:
    """The facts, and the outcome of every client."""

    facts: Facts
    outcomes: list[Outcome]


def replay(folder: Path, until: date | None = None, customers: int | None = None) -> Replayed:
    """Every client of a folder, evaluated at each closed day."""
    with exactly():
        facts = read_facts(folder, until, customers)
        outcomes = []
        for client in facts.clients:
            classes = classes_of(client, facts.closes)
            stretches = tiers_of(client, classes, facts.closes)
            celebrated = anniversaries(client.opened_on, facts.closes[0], facts.closes[-1]) if facts.closes else []
            loyal = [day for day in celebrated if not lost_on(client, classes, day)]
            outcomes.append(Outcome(client, classes, stretches, points_of(client, stretches), loyal))
        return Replayed(facts, outcomes)


def hundredths(amount: int) -> str:
    """Hundredths as a decimal string with two decimals."""
    return f"{amount // 100}.{amount % 100:02d}"


def client_rows(replayed: Replayed, as_of: date) -> list[Row]:
    """`clients`: one row per client opened on or before the day."""
    rows: list[Row] = []
    for outcome in replayed.outcomes:
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
        points = sum(
            earned for trade_id, earned in outcome.points.items() if dated[trade_id] <= as_of < lot_end(dated[trade_id])
        )
        points += sum(LOYALTY for day in outcome.loyalty if day <= as_of < lot_end(day))
        opening = (client.client_id, client.branch_id, client.opened_on.isoformat())
        rows.append((*opening, *inputs, tier, hundredths(points), "0.00"))
    return rows


def tier_rows(replayed: Replayed, as_of: date) -> list[Row]:
    """`tiers`: one row per stretch that begins on or before the day after."""
    following = as_of + ONE_DAY
    rows: list[Row] = []
    for outcome in replayed.outcomes:
        if outcome.client.opened_on > as_of:
            continue
        for stretch in outcome.stretches:
            if stretch.since <= following:
                to = stretch.to.isoformat() if stretch.to and stretch.to <= following else ""
                since = stretch.since.isoformat()
                rows.append((outcome.client.client_id, stretch.tier, since, to, stretch.reason))
    return rows


def point_rows(replayed: Replayed, as_of: date) -> list[Row]:
    """`points`: total per client and trade, without trades that earn nothing."""
    rows: list[Row] = []
    for outcome in replayed.outcomes:
        for trade in outcome.client.trades:
            earned = outcome.points.get(trade.trade_id, 0)
            if earned and trade.trade_date <= as_of:
                rows.append((trade.client_id, trade.trade_id, hundredths(earned)))
    return sorted(rows)


def expired_rows(replayed: Replayed, as_of: date) -> list[Row]:
    """What expired of each client's points by the close of a day: client, the day it ended on, points below zero."""
    sums: dict[tuple[str, str], int] = {}
    for outcome in replayed.outcomes:
        for trade in outcome.client.trades:
            end = lot_end(trade.trade_date)
            if end <= as_of and trade.trade_date <= as_of:
                place = (trade.client_id, end.isoformat())
                sums[place] = sums.get(place, 0) + outcome.points.get(trade.trade_id, 0)
        for day in outcome.loyalty:
            if lot_end(day) <= as_of:
                place = (outcome.client.client_id, lot_end(day).isoformat())
                sums[place] = sums.get(place, 0) + LOYALTY
    return sorted((*place, f"-{hundredths(points)}") for place, points in sums.items() if points)


def bonus_rows(replayed: Replayed, as_of: date) -> list[Row]:
    """Bonuses up to a day: client, the day, points."""
    return sorted(
        (outcome.client.client_id, day.isoformat(), hundredths(LOYALTY))
        for outcome in replayed.outcomes
        for day in outcome.loyalty
        if day <= as_of
    )
