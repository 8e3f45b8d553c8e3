"""The seven groups of every close [K7], with value, core and lifecycle of the last month close.

Choices where the texts are silent:
- A traded day is a day with a trade, however small; an occurrence may lie on any day, also before the first close.
- ABNORMAL of an occurrence on D is found by the closes of D to D+29, so that it holds from D+1 to D+30.
- The tag CORE is the core flag of the last month close up to D.
- The files hold no transfers and no closings: only the other halves of AT_RISK and ABNORMAL can occur.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from .exact import exactly
from .exports import Replayed, Row, hundredths
from .facts import Client
from .value import MonthValue, core_by_rank, month_values, total_at

GROUPS = ["AT_RISK", "ABNORMAL", "NEVER_TRADED", "NEW", "CORE", "DORMANT", "REGULAR"]  # first match


@dataclass(frozen=True)
class Profile:
    """What groups need of one client: its traded days, abnormal days, month values and core month closes."""

    client: Client
    traded: dict[date, Decimal]
    abnormal: list[date]
    months: list[MonthValue]
    core_closes: set[date]

    def month_on(self, day: date) -> MonthValue | None:
        """What the last month close up to a day found."""
        found = [month for month in self.months if month.last_day <= day]
        return found[-1] if found else None

    def core_on(self, day: date) -> bool:
        """Whether the close of a day leaves the client core."""
        month = self.month_on(day)
        return month is not None and month.last_day in self.core_closes


def traded_days(client: Client) -> dict[date, Decimal]:
    """Traded amount of every day with a trade."""
    traded: dict[date, Decimal] = {}
    for trade in client.trades:
        traded[trade.trade_date] = traded.get(trade.trade_date, Decimal(0)) + trade.amount
    return traded


def is_abnormal(traded: dict[date, Decimal], opened_on: date, day: date) -> bool:
    """Whether a day's traded amount is at least 3 times the mean of the traded days among the 60 before it."""
    before = [amount for d, amount in traded.items() if day - timedelta(days=60) <= d < day]
    old_enough = day - opened_on > timedelta(days=30)
    return old_enough and len(before) >= 5 and traded[day] * len(before) >= 3 * sum(before)


def profiles_of(replayed: Replayed) -> list[Profile]:
    """A profile of every client; core needs all clients of a branch at once."""
    months = {outcome.client.client_id: month_values(outcome) for outcome in replayed.outcomes}
    by_branch: dict[tuple[str, date], dict[str, MonthValue]] = {}
    for outcome in replayed.outcomes:
        client = outcome.client
        for found in months[client.client_id]:
            by_branch.setdefault((client.branch_id, found.last_day), {})[client.client_id] = found
    ranked = {key: core_by_rank(values) for key, values in by_branch.items()}

    profiles = []
    for outcome in replayed.outcomes:
        client = outcome.client
        traded = traded_days(client)
        abnormal = [day for day in traded if is_abnormal(traded, client.opened_on, day)]
        core_closes = {
            found.last_day
            for found in months[client.client_id]
            if found.valued_client or client.client_id in ranked[client.branch_id, found.last_day]
        }
        profiles.append(Profile(client, traded, abnormal, months[client.client_id], core_closes))
    return profiles


def tags_at(profile: Profile, day: date) -> list[str]:
    """All groups a client matches at the close of a day, in the order of GROUPS."""
    client = profile.client
    age = (day - client.opened_on).days
    last_trade = max((traded for traded in profile.traded if traded <= day), default=None)
    tags = []
    now = total_at(client.valuations, day)
    before = total_at(client.valuations, day - timedelta(days=90))
    if now is not None and before is not None and before >= 10_000 and 2 * now <= before:
        tags.append("AT_RISK")
    if any(0 <= (day - occurrence).days <= 29 for occurrence in profile.abnormal):
        tags.append("ABNORMAL")
    if last_trade is None and age > 90:
        tags.append("NEVER_TRADED")
    if age <= 90:
        tags.append("NEW")
    if profile.core_on(day):
        tags.append("CORE")
    if last_trade is not None and (day - last_trade).days >= 180:
        tags.append("DORMANT")
    return tags or ["REGULAR"]


def group_rows(replayed: Replayed, as_of: date) -> list[Row]:
    """`groups`: what is in force after the close of a day, one row per client opened on or before it."""
    rows: list[Row] = []
    with exactly():
        for profile in profiles_of(replayed):
            client = profile.client
            if client.opened_on > as_of:
                continue
            group = tags_at(profile, as_of)[0]
            month = profile.month_on(as_of)
            core = "true" if profile.core_on(as_of) else "false"
            if month is None:
                rows.append((client.client_id, group, "ESTABLISHED", "", "", core))
            else:
                value = hundredths(month.value)
                rows.append((client.client_id, group, month.lifecycle, value, month.value_type, core))
    return rows
