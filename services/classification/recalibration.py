"""Yearly recalibration of the turnover threshold θ (Art. 4): the mean of the firm's turnover over three years."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import asyncpg

from chassis import publishing
from chassis.errors import Conflict, Text
from chassis.uow import UnitOfWork
from services.classification.policies import as_body
from services.classification.policy import Policies

YEARS = 3


class NotEnoughYears(Conflict):
    """The threshold is the mean of three full years; the months closed here do not cover them."""

    title = Text("Not enough closed years", "已关闭年度不足")


@dataclass(frozen=True, slots=True)
class Year:
    """What the firm traded in a year, and its mean daily total assets."""

    year: int
    traded: Decimal
    mean_assets: Decimal

    @property
    def turnover(self) -> Decimal:
        """Traded over mean assets; 0 where there were none."""
        return self.traded / self.mean_assets if self.mean_assets > 0 else Decimal(0)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The new threshold, to take effect on 1 January, and the years it comes from."""

    effective_on: date
    threshold: Decimal
    years: list[Year]


async def propose(sql: asyncpg.Connection, for_year: int, years: int = YEARS) -> Proposal:
    """The threshold of a year from the years before it, two decimals half up; trades of all clients, closed ones too. A
    month that is closed counts, whether or not anybody had an account in it.

    Raises: NotEnoughYears, naming those that are missing.
    """
    rows = await sql.fetch(
        """SELECT year, coalesce(sum(traded), 0), coalesce(sum(day_sum), 0)
           FROM closed_days JOIN unnest($1::int[]) AS year ON first <= make_date(year, 1, 31)
                                                          AND through >= make_date(year, 12, 31)
           LEFT JOIN months ON month_end BETWEEN make_date(year, 1, 31) AND make_date(year, 12, 31)
           GROUP BY year ORDER BY year""",
        list(range(for_year - years, for_year)),
    )
    known = {year: Year(year, traded, day_sum / days_of(year)) for year, traded, day_sum in rows}
    if missing := [year for year in range(for_year - years, for_year) if year not in known]:
        names = ", ".join(map(str, missing))
        raise NotEnoughYears(
            Text(f"not every month of {names} is closed", f"{names} 年并非每月均已关闭"), missing=missing
        )
    mean = sum((year.turnover for year in known.values()), Decimal(0)) / years
    return Proposal(date(for_year, 1, 1), mean.quantize(Decimal("0.01"), ROUND_HALF_UP), list(known.values()))


def days_of(year: int) -> int:
    """How many days the year has."""
    return (date(year + 1, 1, 1) - date(year, 1, 1)).days


async def keep_draft(uow: UnitOfWork, proposal: Proposal) -> int:
    """Keep the proposal as a draft of the class policy in force then, with the new threshold; its number."""
    classes = (await uow.policies(Policies)).classes
    body = as_body(classes.on(proposal.effective_on).body) | {"turnover_threshold": str(proposal.threshold)}
    years = ", ".join(f"{year.year}: {year.turnover:.4f}" for year in proposal.years)
    return await publishing.propose(
        uow, Policies, "classes", "", proposal.effective_on, body, f"yearly recalibration ({years})"
    )
