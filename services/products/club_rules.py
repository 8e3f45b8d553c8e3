"""Who is eligible for the club, and what that makes of a membership when a month closes: pure [H1, H2.1];
the order of a waiting list [H2.3]."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from chassis.clock import months_after
from chassis.errors import Text
from contracts.classification import TIERS
from services.products.policy import Club

ELIGIBLE, PROSPECT = "eligible", "prospect"
REFUSED = ("declined", "unanswered", "left", "excluded")
"""Ends after which a client is not invited again at once."""
Move = Literal["lose", "regain", "renew", "lapse"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides: tier and class in force on a day, and whether the account is open then."""

    tier: str
    code: str | None
    open: bool


def is_eligible(standing: Standing, club: Club) -> bool:
    """PLATINUM or above, or class A+ or B+, with an open account [H1]."""
    return standing.open and (standing.tier in club.tiers or standing.code in club.classes)


def why(standing: Standing, club: Club) -> Text:
    """The sentence a client reads of it."""
    classes = ", ".join(club.classes)
    if not standing.open:
        return Text("not eligible: no open account", "不符合条件：无已开立账户")
    said = [
        (en, zh)
        for holds, en, zh in (
            (standing.tier in club.tiers, f"tier {standing.tier}", f"客户级别{standing.tier}"),
            (standing.code in club.classes, f"class {standing.code}", f"客户分类{standing.code}"),
        )
        if holds
    ]
    if said:
        return Text(f"eligible by {' and '.join(en for en, _ in said)}", f"符合条件：{'、'.join(zh for _, zh in said)}")
    return Text(
        f"not eligible: tier {standing.tier}, class {standing.code or 'none'}; asked for are {club.min_tier} or above, "
        f"or class {classes}",
        f"不符合条件：客户级别{standing.tier}，客户分类{standing.code or '无'}；须为{club.min_tier}及以上，或分类{classes}",
    )


def month_move(state: str, basis: str, eligible: bool) -> Move | None:
    """What a month close does to an open membership; None: nothing."""
    if basis == PROSPECT:
        return "renew" if eligible and state == "member" else None
    if state == "invited":
        return None if eligible else "lapse"
    if state == "member":
        return None if eligible else "lose"
    return "regain" if eligible else None


def invitation_ends(day: date, club: Club) -> date:
    """The first day on which an invitation of a day has run out."""
    return day + timedelta(days=club.invitation_days)


def grace_ends(day: date, club: Club) -> date:
    """The first day after a grace that begins on a day."""
    return day + timedelta(days=club.grace_days)


def prospect_ends(day: date, club: Club) -> date:
    """The first day after the months of a prospect who joins on a day."""
    return months_after(day, club.prospect_months)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody on the waiting list of an event: what decides who comes first, and how many seats they need."""

    registration_id: UUID
    seats: int
    tier: str
    worth: Decimal
    behind: bool
    registered_at: datetime

    @property
    def place(self) -> tuple[bool, int, Decimal, datetime, UUID]:
        """Lower comes first: not behind for not having come, then tier, V, time [H2.3]."""
        return self.behind, -TIERS.index(self.tier), -self.worth, self.registered_at, self.registration_id


def in_order(waiting: Iterable[Waiting]) -> list[Waiting]:
    """The waiting list."""
    return sorted(waiting, key=lambda one: one.place)


def admitted(waiting: Iterable[Waiting], free: int) -> list[Waiting]:
    """Who of the list gets the free seats: in order; a party that does not fit keeps its place, the next that fits goes in."""
    found = []
    for one in in_order(waiting):
        if one.seats <= free:
            found.append(one)
            free -= one.seats
    return found


def moves_by_itself(now: datetime, starts_at: datetime, club: Club) -> bool:
    """Whether the waiting list still moves by itself: until some hours before the event [H2.3]."""
    return now <= starts_at - timedelta(hours=club.automatic_until_hours)


def is_behind(missed: Iterable[date], day: date, club: Club) -> bool:
    """Whether who did not come stands behind the others on a day: for some months after every second time [H2.3]."""
    days = sorted(one for one in missed if one <= day)
    turns = days[club.no_shows - 1 :: club.no_shows]
    return bool(turns) and day < months_after(turns[-1], club.behind_months)
