"""The catalogue with its prices, and what the firm is licensed for: what `policy.toml` and published versions may say."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from chassis.errors import FieldError, Text
from chassis.policy import Number, PolicyBody, PolicyBook, PolicyInvalid, PolicyTable, Version, typed
from contracts.classification import TIERS, ClassCode, TierCode
from contracts.fields import Code
from services.products import proof
from services.products.rules import UNIT, Band, Fee, Piece, Prices, Product, Uplift, units_of

FILE = Path(__file__).with_name("policy.toml")
Source = Literal["BASE", "TIER", "PRODUCT", "HABIT", "CORE", "CLUB"]
Kind = Literal["free", "sms", "monthly", "rate", "assets"]
Channel = Literal["web", "ivr", "board", "sms", "im", "mail", "phone", "one_to_one", "counter"]
P = TypeVar("P", bound=Piece)


class ProductBody(PolicyBody, frozen=True):
    """A product as it is written."""

    code: Annotated[Code, msgspec.Meta(pattern="^[A-Z][A-Z0-9_]{0,15}$")]
    kind: Kind
    rank: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    en: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    content_en: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    content_zh: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    channels: Annotated[list[Channel], msgspec.Meta(min_length=1)]
    line: str = ""
    min_tier: TierCode = "NORMAL"
    classes: tuple[ClassCode, ...] = ()
    floor: Literal["", "VERY_LOW", "LOW", "MEDIUM", "HIGH"] = ""
    agreement: str = ""
    licence: str = ""
    includes: tuple[str, ...] = ()
    quotes: str = ""
    trading: str = ""


class RowBody(PolicyBody, frozen=True):
    """What a row of every price table says: the product, from which place on, below which, for which tiers (all)."""

    product: str
    begins: Number = msgspec.field(default_factory=lambda: Number(0), name="from")
    below: Number | None = None
    tiers: Annotated[list[TierCode], msgspec.Meta(min_length=1)] = msgspec.field(default_factory=lambda: list(TIERS))

    @property
    def place(self) -> tuple[Decimal, Decimal | None, frozenset[str]]:
        """From, below, tiers."""
        return self.begins, self.below, frozenset(self.tiers)


class RateBody(RowBody, frozen=True, kw_only=True):
    """A row of the rates, in per mille."""

    add: Number
    cap: Number


class FeeBody(RowBody, frozen=True, kw_only=True):
    """A row of the monthly prices, in CNY."""

    price: Number


class BandBody(RowBody, frozen=True, kw_only=True):
    """A row of the fee on assets, in percent a year."""

    percent: Number


class CatalogueBody(PolicyBody, frozen=True):
    """A version as it is written."""

    ceiling: Number
    by: Literal["margin", "whole"]
    products: Annotated[list[ProductBody], msgspec.Meta(min_length=1, max_length=100)]
    rates: list[RateBody]
    monthly: list[FeeBody]
    bands: list[BandBody]
    holders_from: date | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is and what it costs; `holders_from`: from when on also for who signed before."""

    products: Mapping[str, Product]
    prices: Prices
    holders_from: date | None


def parse(body: dict[str, Any]) -> Catalogue:
    """Read one version, and prove its prices.

    Raises: PolicyInvalid with a counter-example.
    """
    given = typed(CatalogueBody, body)
    products: dict[str, Product] = {}
    for n, one in enumerate(given.products):
        if one.code in products:
            raise _refused(f"products/{n}/code", f"{one.code} twice")
        products[one.code] = _product(one)
    for n, one in enumerate(given.products):
        for code in one.includes:
            if code not in products or products[code].kind != "sms":
                raise _refused(f"products/{n}/includes", f"{code} is no SMS product of the catalogue")
    ranks: set[tuple[str, int]] = set()
    for n, one in enumerate(given.products):
        if one.line and (one.line, one.rank) in ranks:
            raise _refused(f"products/{n}/rank", f"two of the line {one.line} have the rank {one.rank}")
        ranks.add((one.line, one.rank))
    prices = Prices(
        _units("ceiling", given.ceiling),
        _grouped((row.product, _uplift(n, row)) for n, row in enumerate(given.rates)),
        _grouped((row.product, Fee(*row.place, _not_negative(f"monthly/{n}/price", row.price)))
                 for n, row in enumerate(given.monthly)),
        _grouped((row.product, Band(*row.place, _not_negative(f"bands/{n}/percent", row.percent)))
                 for n, row in enumerate(given.bands)),
        given.by == "margin",
    )  # fmt: skip
    for pointer, example in proof.faults(products, prices):
        raise _refused(pointer, example)
    return Catalogue(products, prices, given.holders_from)


def _product(one: ProductBody) -> Product:
    return Product(
        one.code, one.kind, one.rank, one.line, one.min_tier, frozenset(one.classes), one.floor, one.agreement, one.licence,
        tuple(one.includes), tuple(one.channels), one.quotes, one.trading, one.en, one.zh, one.content_en, one.content_zh,
    )  # fmt: skip


def _uplift(n: int, row: RateBody) -> Uplift:
    for name, place in (("from", row.begins), ("below", row.below or Decimal(0))):
        _units(f"rates/{n}/{name}", place)
    return Uplift(*row.place, _units(f"rates/{n}/add", row.add), _units(f"rates/{n}/cap", row.cap))


def _grouped(rows: Any) -> Mapping[str, Sequence[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for code, row in rows:
        found[code].append(row)
    return {code: tuple(rows) for code, rows in found.items()}


def _units(pointer: str, rate: Decimal) -> int:
    if rate < 0 or rate % UNIT:
        raise _refused(pointer, f"{rate} is no rate: zero or more, four decimals at most")
    return units_of(rate)


def _not_negative(pointer: str, amount: Decimal) -> Decimal:
    if amount < 0:
        raise _refused(pointer, f"{amount} is below zero")
    return amount


def _refused(pointer: str, detail: str) -> PolicyInvalid:
    return PolicyInvalid(f"{pointer}: {detail}", errors=(FieldError(f"/body/{pointer}", detail),))


class FirmBody(PolicyBody, frozen=True):
    """The licences the firm holds."""

    licences: list[Code]


def parse_firm(body: dict[str, Any]) -> frozenset[str]:
    """Read one version."""
    return frozenset(typed(FirmBody, body).licences)


class ServiceBody(PolicyBody, frozen=True):
    """A service a client may have."""

    code: Annotated[Code, msgspec.Meta(pattern="^[A-Z][A-Z0-9_]{0,31}$")]
    en: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class GrantBody(PolicyBody, frozen=True):
    """What a source gives; `of`: which tiers, products, habits."""

    source: Source
    gives: Annotated[list[Code], msgspec.Meta(min_length=1)]
    of: list[Code] = msgspec.field(default_factory=list)


class ServicesBody(PolicyBody, frozen=True):
    """A version as it is written."""

    items: Annotated[list[ServiceBody], msgspec.Meta(min_length=1, max_length=300)]
    grants: list[GrantBody]


@dataclass(frozen=True, slots=True)
class Services:
    """The services there are, and what each source gives: (TIER, GOLD) gives these."""

    names: Mapping[str, Text]
    gives: Mapping[tuple[str, str], Sequence[str]]


def parse_services(body: dict[str, Any]) -> Services:
    """Read one version.

    Raises: PolicyInvalid when a service is named twice or not at all, or no source gives it.
    """
    given = typed(ServicesBody, body)
    names: dict[str, Text] = {}
    for n, one in enumerate(given.items):
        if one.code in names:
            raise _refused(f"items/{n}/code", f"{one.code} twice")
        names[one.code] = Text(one.en, one.zh)
    gives: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for n, grant in enumerate(given.grants):
        if bool(grant.of) is (grant.source in ("BASE", "CORE", "CLUB")):
            raise _refused(f"grants/{n}/of", "says which tiers, products or habits; BASE, CORE and CLUB are one each")
        if grant.source == "TIER" and not set(grant.of) <= set(TIERS):
            raise _refused(f"grants/{n}/of", f"tiers are {', '.join(TIERS)}")
        for m, code in enumerate(grant.gives):
            if code not in names:
                raise _refused(f"grants/{n}/gives/{m}", f"{code} is no service of this version")
        for which in grant.of or [""]:
            gives[grant.source, which] |= dict.fromkeys(grant.gives)
    if missing := sorted(set(names) - {code for codes in gives.values() for code in codes}):
        raise _refused("grants", f"nothing gives {missing[0]}")
    return Services(names, {source: tuple(codes) for source, codes in gives.items()})


class NamedBody(PolicyBody, frozen=True):
    """Something with a code and a name in both languages."""

    code: Annotated[Code, msgspec.Meta(pattern="^[A-Z][A-Z0-9_]{0,31}$")]
    en: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class EventKind(NamedBody, frozen=True, kw_only=True):
    """A kind of event of one of the club's two catalogues; `qualified`: for professional investors only [H2.2]."""

    catalogue: Literal["investment", "living"]
    qualified: bool = False


Months = Annotated[int, msgspec.Meta(ge=0, le=60)]
Days = Annotated[int, msgspec.Meta(ge=1, le=366)]


class Club(PolicyBody, frozen=True):
    """The rules of the club [H1, H2]."""

    min_tier: TierCode
    classes: tuple[ClassCode, ...]
    invites: bool
    invitation_days: Days
    again_after_months: Months
    grace_days: Days
    prospect_months: Annotated[int, msgspec.Meta(ge=1, le=60)]
    guests: Annotated[int, msgspec.Meta(ge=0, le=10)]
    automatic_until_hours: Annotated[int, msgspec.Meta(ge=0, le=720)]
    no_shows: Annotated[int, msgspec.Meta(ge=1, le=100)]
    behind_months: Months
    gifts: bool
    hospitality: bool
    yearly_value: Number
    stable: Number
    roles: Annotated[tuple[NamedBody, ...], msgspec.Meta(min_length=1, max_length=100)]
    kinds: Annotated[tuple[EventKind, ...], msgspec.Meta(min_length=1, max_length=100)]

    @property
    def tiers(self) -> list[TierCode]:
        """The tiers that make eligible."""
        return list(TIERS[TIERS.index(self.min_tier) :])


def parse_club(body: dict[str, Any]) -> Club:
    """Read one version.

    Raises: PolicyInvalid when a code stands twice, or a number is out of its bounds.
    """
    given = typed(Club, body)
    for place, named in (("roles", given.roles), ("kinds", given.kinds)):
        codes = [one.code for one in named]
        for n, code in enumerate(codes):
            if code in codes[:n]:
                raise _refused(f"{place}/{n}/code", f"{code} twice")
    _not_negative("yearly_value", given.yearly_value)
    if not 0 <= given.stable <= 1:
        raise _refused("stable", f"{given.stable} is no share")
    return given


class Policies(PolicyBook):
    """The tables of products."""

    catalogue = PolicyTable(FILE, parse)
    firm = PolicyTable(FILE, parse_firm)
    services = PolicyTable(FILE, parse_services)
    club = PolicyTable(FILE, parse_club)

    def for_holder(self, signed_on: date, day: date) -> Version[Catalogue]:
        """The version by which who signed on a day pays on another: the newest that was in force when they signed, or that
        counts for holders by then."""
        found = [
            one
            for one in self.catalogue.all
            if one.effective_on <= day
            and (one.effective_on <= signed_on or (one.body.holders_from is not None and one.body.holders_from <= day))
        ]
        return (
            max(enumerate(found), key=lambda pair: (pair[1].effective_on, pair[0]))[1]
            if found
            else self.catalogue.all[0]
        )

    def starts(self) -> list[date]:
        """The days on which prices can change for somebody."""
        days = {one.effective_on for one in self.catalogue.all}
        return sorted(days | {one.body.holders_from for one in self.catalogue.all if one.body.holders_from})
