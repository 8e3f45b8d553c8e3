"""Who owns a client at every instant, and who is in their team, from facts in any order [RE1]. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

OwnerRole = Literal["primary", "pool_lead"]
TeamRole = Literal["secondary", "adviser"]
PRIMARY, POOL = "primary", "pool_lead"
BROKER = "account_system"
NOBODY_YET, LEFT = "no_manager", "manager_left"
HEADQUARTERS = "HQ"
"""Who owns what no lead does: headquarters as such, so that nobody is without an owner."""


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """Somebody was named for a role, or taken out of it (`begins` false; of a primary: the client is the pool's), from an
    instant on.

    Facts are told apart by (since, said_at, fact_id), and count in that order.
    """

    since: datetime
    said_at: datetime
    fact_id: str
    role: str
    person: str
    begins: bool
    reason: str
    run: str | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Who has a role from an instant on, until another (exclusive; None: until further notice)."""

    since: datetime
    until: datetime | None
    role: str
    person: str
    reason: str
    run: str | None = None


Leads = Sequence[tuple[datetime, str]]
"""Who leads the pool from which instant on; the first speaks for all time before."""


def owners(opened: datetime, facts: Iterable[Fact], leads: Leads, left: Mapping[str, datetime]) -> list[Stretch]:
    """The stretches of a client's owners: without gap or overlap from the opening on.

    The broker's word opens a stretch only where it differs from the broker's previous one. From the instant somebody has
    left, and where nobody is named, the client belongs to the lead of the pool.
    """
    named = _named(opened, facts)
    found: list[Stretch] = []
    for place, (since, fact) in enumerate(named):
        until = named[place + 1][0] if place + 1 < len(named) else None
        if until == since:
            continue
        gone = left.get(fact.person) if fact is not None else None
        if fact is None:
            found += _pooled(since, until, leads, NOBODY_YET)
        elif gone is not None and gone <= since:
            found += _pooled(since, until, leads, LEFT)
        elif gone is not None and (until is None or gone < until):
            found.append(Stretch(since, gone, PRIMARY, fact.person, fact.reason, fact.run))
            found += _pooled(gone, until, leads, LEFT)
        else:
            found.append(Stretch(since, until, PRIMARY, fact.person, fact.reason, fact.run))
    return _joined(found)


def _named(opened: datetime, facts: Iterable[Fact]) -> list[tuple[datetime, Fact | None]]:
    """Who is named from when on; nobody at first."""
    named: list[tuple[datetime, Fact | None]] = [(opened, None)]
    last: str | None = None
    for fact in sorted(one for one in facts if one.role == PRIMARY):
        if fact.reason == BROKER:
            if fact.person == last:
                continue
            last = fact.person
        named.append((max(fact.since, opened), fact if fact.begins else None))
    return named


def _pooled(since: datetime, until: datetime | None, leads: Leads, reason: str) -> list[Stretch]:
    """A stretch of the pool, cut where its lead changes."""
    first = max(bisect_right([begin for begin, _ in leads], since) - 1, 0)
    cuts = [since, *(begin for begin, _ in leads[first + 1 :] if begin > since and (until is None or begin < until))]
    ends = [*cuts[1:], until]
    persons = [person for _, person in leads[first:]] or [HEADQUARTERS]
    return [
        Stretch(begin, end, POOL, person, reason)
        for begin, end, person in zip(cuts, ends, persons[: len(cuts)], strict=True)
    ]


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Neighbours of one owner under one reason as one."""
    found: list[Stretch] = []
    for one in stretches:
        before = found[-1] if found else None
        if before is not None and (before.role, before.person) == (one.role, one.person):
            found[-1] = Stretch(before.since, one.until, before.role, before.person, before.reason, before.run)
        else:
            found.append(one)
    return found


def team(facts: Iterable[Fact], left: Mapping[str, datetime]) -> list[Stretch]:
    """The stretches of secondaries and advisers: each from being named to being taken out, or leaving."""
    of: defaultdict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in sorted(facts):
        if fact.role != PRIMARY:
            of[fact.role, fact.person].append(fact)
    found = [one for (role, person), own in of.items() for one in _terms(role, person, own, left.get(person))]
    return sorted(found, key=lambda one: (one.since, one.role, one.person))


def _terms(role: str, person: str, facts: Sequence[Fact], gone: datetime | None) -> list[Stretch]:
    found: list[Stretch] = []
    begun: Fact | None = None
    for fact in facts:
        if fact.begins and begun is None:
            begun = fact
        elif not fact.begins and begun is not None:
            found.append(Stretch(begun.since, fact.since, role, person, begun.reason, begun.run))
            begun = None
    if begun is not None:
        found.append(Stretch(begun.since, None, role, person, begun.reason, begun.run))
    cut = [one if gone is None or (one.until and one.until <= gone) else _until(one, gone) for one in found]
    return [one for one in cut if one.until is None or one.since < one.until]


def _until(one: Stretch, gone: datetime) -> Stretch:
    return Stretch(one.since, gone, one.role, one.person, one.reason, one.run)


def difference(before: Sequence[Stretch], after: Sequence[Stretch]) -> datetime | None:
    """The first instant from which two lists of stretches differ; None when they do not."""
    differing = set(before) ^ set(after)
    if not differing:
        return None
    same_start = min(one.since for one in differing)
    old = [one for one in before if one in differing and one.since == same_start]
    new = [one for one in after if one in differing and one.since == same_start]
    if len(old) == len(new) == 1 and _besides_end(old[0]) == _besides_end(new[0]):
        ends = [one.until for one in (old[0], new[0]) if one.until is not None]
        return min(ends)
    return same_start


def _besides_end(one: Stretch) -> tuple[object, ...]:
    return one.since, one.role, one.person, one.reason, one.run


def lasting(stretches: Iterable[Stretch], at: datetime) -> list[Stretch]:
    """Those in force at an instant."""
    return [one for one in stretches if one.since <= at and (one.until is None or at < one.until)]
