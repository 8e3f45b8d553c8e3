"""X, the commission agreed, and the rate by it, over time: pure [S1]."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from contracts.base import Quantity
from contracts.products import RateStretch
from services.products import rules
from services.products.policy import Policies
from services.products.rules import Product

WHOLE = ""
"""The client's agreement for every account."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a fact says of one agreement."""

    agreement_id: str
    said_at: datetime
    event_id: str
    account_id: str
    rate: int
    effective_on: date
    withdrawn: bool

    @property
    def rank(self) -> tuple[datetime, str]:
        """Which of two words counts: the higher (ce_time, ce_id)."""
        return self.said_at, self.event_id


@dataclass(frozen=True, slots=True)
class Holding:
    """A product held from a day on, until another (exclusive), by who signed on a day."""

    code: str
    since: date
    until: date | None
    signed_on: date


def agreed(words: Iterable[Word]) -> dict[str, dict[date, int]]:
    """X by account and effective date: of an agreement its highest word, of a date the highest agreement not withdrawn."""
    newest: dict[str, Word] = {}
    for word in words:
        if word.agreement_id not in newest or newest[word.agreement_id].rank < word.rank:
            newest[word.agreement_id] = word
    found: dict[str, dict[date, int]] = {}
    for word in sorted(newest.values(), key=lambda one: one.rank):
        if not word.withdrawn:
            found.setdefault(word.account_id, {})[word.effective_on] = word.rate
    return found


def x_on(dates: Mapping[date, int], day: date) -> int | None:
    """The X in force on a day, None where none is agreed."""
    since = max((one for one in dates if one <= day), default=None)
    return None if since is None else dates[since]


def x_of(agreements: Mapping[str, Mapping[date, int]], account: str, day: date) -> int | None:
    """The X of an account on a day: its own, else the client's."""
    own = x_on(agreements.get(account, {}), day)
    return own if own is not None else x_on(agreements.get(WHOLE, {}), day)


def rate_stretches(words: Iterable[Word], held: Sequence[Holding], policies: Policies) -> list[RateStretch]:
    """The rates of a client by account over time: f(X in force, set in force) [S1, S2]. Nothing is kept from a purchase."""
    agreements = agreed(words)
    days = sorted(
        {day for dates in agreements.values() for day in dates}
        | {day for one in held for day in (one.since, one.until) if day}
        | set(policies.starts())
    )
    found: list[RateStretch] = []
    for account in sorted({WHOLE, *agreements}):
        own: list[RateStretch] = []
        for day in days:
            stretch = _on(agreements, account, held, policies, day)
            last = own[-1] if own and own[-1].until is None else None
            if last is not None:
                if stretch is not None and _same(last, stretch):
                    continue
                own[-1] = _until(last, day)
            if stretch is not None:
                own.append(stretch)
        found += own
    return found


def _on(
    agreements: Mapping[str, Mapping[date, int]], account: str, held: Sequence[Holding], policies: Policies, day: date
) -> RateStretch | None:
    x = x_of(agreements, account, day)
    if x is None:
        return None
    versions = {
        one.code: policies.for_holder(one.signed_on, day).body
        for one in held
        if one.since <= day and (one.until is None or day < one.until)
    }
    products = [version.products[code] for code, version in versions.items() if code in version.products]
    ceiling = policies.catalogue.on(day).body.prices.ceiling
    found = rules.rate(x, products, {code: version.prices for code, version in versions.items()}, ceiling)
    flags = [
        flag for flag, holds in (("no_uplift", no_uplift(x, found, products)), ("over_ceiling", x > ceiling)) if holds
    ]
    return RateStretch(
        since=day,
        rate=Quantity(rules.shown(found)),
        x=Quantity(rules.shown(x)),
        flags=flags,
        account_id=account or None,
    )


def no_uplift(x: int, rate: int, held: Sequence[Product]) -> bool:
    """Whether a product paid by the rate is held and raises it by nothing: X was as high already [S1]."""
    return rate == x and any(one.kind == "rate" for one in held)


def _same(one: RateStretch, other: RateStretch) -> bool:
    return (one.rate, one.x, one.flags) == (other.rate, other.x, other.flags)


def _until(one: RateStretch, day: date) -> RateStretch:
    return RateStretch(since=one.since, until=day, rate=one.rate, x=one.x, flags=one.flags, account_id=one.account_id)
