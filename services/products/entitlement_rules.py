"""Which services a client has over time, and why: a fold over dated stretches, pure (4.9)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeVar

from chassis.errors import Text
from chassis.policy import Version
from contracts.classification import TIERS
from contracts.products import EntitlementStretch
from services.products.policy import Catalogue, Services
from services.products.rules import Product
from services.products.subscription_rules import reaches

T = TypeVar("T")
Days = tuple[date, date | None]
"""From a day on, until another (exclusive)."""
Conditions = Sequence[tuple[Mapping[str, Product], Days]]
"""What products ask for, by the days a catalogue is in force."""
ALWAYS: Days = (date.min, None)
OVERRIDE = "OVERRIDE"


@dataclass(frozen=True, slots=True)
class Dated:
    """Something that is so from a day on, until another (exclusive)."""

    what: str
    since: date
    until: date | None

    @property
    def days(self) -> Days:
        """Its days."""
        return self.since, self.until


@dataclass(slots=True)
class Known:
    """All that is known of a client: when the account is open, and what gives or takes."""

    opened_on: date | None = None
    closed_on: date | None = None
    tiers: list[Dated] = field(default_factory=list)
    core: list[Dated] = field(default_factory=list)
    club: list[Dated] = field(default_factory=list)
    habits: list[Dated] = field(default_factory=list)
    products: list[Dated] = field(default_factory=list)
    overrides: list[Dated] = field(default_factory=list)
    levels: list[Dated] = field(default_factory=list)
    agreements: list[Dated] = field(default_factory=list)
    holds: list[Dated] = field(default_factory=list)
    unpaid: list[Dated] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class InForce:
    """What gives what, and what products ask for, each with its days."""

    services: Sequence[tuple[Version[Services], Days]]
    conditions: Conditions

    @classmethod
    def of(cls, services: Sequence[Version[Services]], catalogues: Sequence[Version[Catalogue]]) -> "InForce":
        """Of every version there is."""
        asked = [(version.body.products, days) for version, days in _in_force(catalogues)]
        return cls(list(_in_force(services)), asked)


def entitled(known: Known, rules: InForce) -> list[EntitlementStretch]:
    """Every service with source and version, from when until when; a service of two sources has a stretch for each."""
    found: list[EntitlementStretch] = []
    for version, days in rules.services:
        for one in known.club:  # also of a prospect, who has no account yet
            if (own_days := _both(days, one.days)) and (own_days := _both(own_days, (date.min, known.closed_on))):
                found += [
                    _stretch(code, "CLUB", version.name, own_days) for code in version.body.gives.get(("CLUB", ""), ())
                ]
        window = _both((known.opened_on, known.closed_on), days) if known.opened_on else None
        if window is None:
            continue
        for source, which, own in _sources(known, window, rules.conditions):
            for code in version.body.gives.get((source, which), ()):
                name = f"{source}:{which}" if which else source
                found += [_stretch(code, name, version.name, one) for one in own]
        for one in known.overrides:
            if one.what in version.body.names and (own_days := _both(window, one.days)):
                found.append(_stretch(one.what, OVERRIDE, version.name, own_days))
    return _joined(found)


def _in_force(versions: Sequence[Version[T]]) -> Iterator[tuple[Version[T], Days]]:
    """Each version with its days; the first speaks for those before it."""
    newest = {version.effective_on: version for version in versions}
    starts = sorted(newest)
    for n, start in enumerate(starts):
        yield newest[start], (start if n else date.min, starts[n + 1] if n + 1 < len(starts) else None)


def _sources(known: Known, window: Days, conditions: Conditions) -> Iterator[tuple[str, str, list[Days]]]:
    """Every source with the days it gives on."""
    yield "BASE", "", [window]
    normal = [window]
    for one in known.tiers:
        normal = _without(normal, one.days)
        if days := _both(window, one.days):
            yield "TIER", one.what, [days]
    yield "TIER", TIERS[0], normal
    for source, dated in (("HABIT", known.habits), ("CORE", known.core)):
        for one in dated:
            if days := _both(window, one.days):
                yield source, one.what, [days]
    for one in known.products:
        if days := _both(window, one.days):
            left = [days]
            for block in blocks(known, conditions, one.what):
                left = _without(left, block.days)
            yield "PRODUCT", one.what, left


def blocks(known: Known, conditions: Conditions, code: str) -> list[Dated]:
    """What keeps a product's services from a client, and when: a hold, a charge not paid, a level below its floor
    or ended, an agreement ended; floor and agreement as the catalogue of each day asks for them.
    Basic and extended services are never kept back."""
    found = [Dated(f"hold {one.what}", *one.days) for one in known.holds if one.what in (code, "ALL")]
    found += [Dated("unpaid", *one.days) for one in known.unpaid if one.what == code]
    for products, days in conditions:
        product = products.get(code)
        if product is not None and product.floor:
            enough = [one.days for one in known.levels if reaches(one.what, product.floor)]
            found += _within(days, f"level below {product.floor}", _gaps(enough))
        if product is not None and product.agreement:
            signed = [one.days for one in known.agreements if one.what == product.agreement]
            found += _within(days, f"no agreement {product.agreement}", _gaps(signed))
    return found


def _within(days: Days, what: str, found: Iterable[Days]) -> list[Dated]:
    return [Dated(what, *both) for one in found if (both := _both(days, one))]


def levels_over_time(assessments: Iterable[Dated]) -> list[Dated]:
    """Levels as they are in force: of those that have begun the latest, until it ends or the next begins."""
    ordered = sorted(assessments, key=lambda one: one.since)
    found = []
    for n, one in enumerate(ordered):
        following = ordered[n + 1].since if n + 1 < len(ordered) else None
        until = min((day for day in (one.until, following) if day is not None), default=None)
        if until is None or one.since < until:
            found.append(Dated(one.what, one.since, until))
    return found


def as_at(dated: Sequence[Dated], day: date, so: Iterable[str]) -> list[Dated]:
    """What is so over the days, of one day what was so at an instant of it."""
    one_day: Days = (day, day + timedelta(days=1))
    others = [Dated(one.what, *left) for one in dated for left in _without([one.days], one_day)]
    return [*others, *(Dated(what, *one_day) for what in so)]


def _gaps(days: Sequence[Days]) -> list[Days]:
    left = [ALWAYS]
    for one in days:
        left = _without(left, one)
    return left


def _both(one: Days, other: Days) -> Days | None:
    since = max(one[0], other[0])
    until = min((day for day in (one[1], other[1]) if day is not None), default=None)
    return (since, until) if until is None or since < until else None


def _without(left: Sequence[Days], taken: Days) -> list[Days]:
    found = []
    for since, until in left:
        if _both((since, until), taken) is None:
            found.append((since, until))
            continue
        if since < taken[0]:
            found.append((since, taken[0]))
        if taken[1] is not None and (until is None or taken[1] < until):
            found.append((taken[1], until))
    return found


def _stretch(code: str, source: str, version: str, days: Days) -> EntitlementStretch:
    return EntitlementStretch(since=days[0], until=days[1], code=code, source=source, version=version)


def _joined(found: list[EntitlementStretch]) -> list[EntitlementStretch]:
    """Stretches that follow one another as one, in order."""
    found.sort(key=lambda one: (one.code, one.source, one.version, one.since))
    joined: list[EntitlementStretch] = []
    for one in found:
        last = joined[-1] if joined else None
        same = last and (last.code, last.source, last.version) == (one.code, one.source, one.version)
        if last and same and (last.until is None or last.until >= one.since):
            until = None if last.until is None or one.until is None else max(last.until, one.until)
            joined[-1] = _stretch(one.code, one.source, one.version, (last.since, until))
        else:
            joined.append(one)
    return joined


SOURCES: Mapping[str, Text] = {
    "BASE": Text("every client", "所有客户"),
    "TIER": Text("tier", "客户级别"),
    "PRODUCT": Text("product", "产品"),
    "HABIT": Text("habit", "操作习惯"),
    "CORE": Text("core client", "核心客户"),
    "CLUB": Text("member of the club", "高端客户俱乐部会员"),
    OVERRIDE: Text("granted by hand", "人工授予"),
}


def why(name: Text, source: str, until: date | None) -> Text:
    """The sentence a client reads of a service they have."""
    kind, _, which = source.partition(":")
    said = SOURCES[kind]
    en = f"{name.en}: {said.en}{' ' + which if which else ''}{f', until {until}' if until else ''}"
    return Text(en, f"{name.zh}：{said.zh}{which}{f'，至{until}前' if until else ''}")


def ways_to(code: str, services: Services) -> list[str]:
    """What would give a service: TIER:GOLD, PRODUCT:C, ..."""
    return [
        f"{source}:{which}" if which else source for (source, which), codes in services.gives.items() if code in codes
    ]


def why_not(name: Text, ways: Sequence[str], blocked: Sequence[str]) -> Text:
    """The sentence a client reads of a service they do not have."""
    spoken = [(SOURCES[way.partition(":")[0]], way.partition(":")[2]) for way in ways]
    en = " or ".join(f"{said.en} {which}".strip() for said, which in spoken)
    zh = "、".join(f"{said.zh}{which}" for said, which in spoken)
    if blocked:
        return Text(f"{name.en}: kept back ({', '.join(blocked)})", f"{name.zh}：暂停（{'、'.join(blocked)}）")
    return Text(f"{name.en}: given by {en}", f"{name.zh}：可由{zh}获得")
