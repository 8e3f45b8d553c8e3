"""Who should own whom: a transport problem, solved by HiGHS [A2, RE2]. Pure: the same problem always has the same answer.

Clients who are alike (same weight, tier, core or not, same needs) are one group, so that twenty thousand clients and two hundred
managers are some thousands of unknowns. Of a group so many stay with each of their managers, so many move to each, and
the rest, for whom nobody has room, are the pool's. Who of a group it is follows from the order of ids.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

Group = tuple[int, str, bool, tuple[str, ...], frozenset[str]]
"""Weight, tier, core, needs, and who may not own them."""
SHORT_COSTS = 1_000_000
"""What a tie costs that had to be broken beyond the share that is kept: more than any fit is worth."""
GAP = 0.0001
"""The answer is proven to be within a ten-thousandth of the best there is."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A client to be allocated. `current`: who owns them and may go on to; `pinned`: they stay there."""

    client_id: str
    weight: int
    tier: str
    core: bool
    needs: tuple[str, ...]
    current: str | None
    pinned: bool = False
    never: frozenset[str] = frozenset()
    worth: int = 0

    @property
    def group(self) -> Group:
        """Whom they are like."""
        return self.weight, self.tier, self.core, self.needs, self.never


@dataclass(frozen=True, slots=True)
class Manager:
    """Who may own clients: skills in thousandths; room in all, by tier, and for core clients."""

    person: str
    skills: Mapping[str, int]
    capacity: int
    by_tier: Mapping[str, int]
    core: int


@dataclass(frozen=True, slots=True)
class Terms:
    """`base`: what any manager is worth to any client, in thousandths; `move_cost`: what a broken tie costs; at least
    `keep_percent` of ties are kept; core clients without a manager go in packages of `package`."""

    base: int
    move_cost: int
    keep_percent: int
    package: int


@dataclass(frozen=True, slots=True)
class Line:
    """Whom a client goes to (None: the pool), and why: `kept`, `pinned`, `moved`, `package`, `no_room`."""

    client_id: str
    before: str | None
    after: str | None
    fit: int
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The allocation: lines by client, and how many ties too few could be kept."""

    lines: Sequence[Line]
    ties: int
    ties_kept: int
    ties_short: int
    objective: int


def fit(needs: Sequence[str], manager: Manager, base: int) -> int:
    """How well a manager fits what a client needs, in thousandths: the base, and the mean of the skills needed.

    Skills are all that is looked at: no trait of either person [A6].
    """
    return base + (sum(manager.skills.get(need, 0) for need in needs) // len(needs) if needs else 0)


def allocate(clients: Sequence[Candidate], managers: Sequence[Manager], terms: Terms) -> Answer:
    """Allocate clients to managers: pinned ones stay, core ones without a manager go in packages, the rest is solved."""
    ordered, of_id = sorted(clients, key=lambda one: one.client_id), {one.person: one for one in managers}
    people = [of_id[person] for person in sorted(of_id)]
    room = _Room(people)
    lines: dict[str, Line] = {}
    for one in ordered:
        if one.pinned and one.current in of_id:
            room.take(one.current, one)
            lines[one.client_id] = Line(one.client_id, one.current, one.current, _fit(one, of_id, terms), "pinned")
    _packages([one for one in ordered if one.client_id not in lines and one.core and one.current not in of_id],
              people, terms, room, lines)  # fmt: skip
    rest = [one for one in ordered if one.client_id not in lines]
    solved = _solve(rest, people, terms, room)
    lines |= {line.client_id: line for line in solved.lines}
    pinned = sum(1 for line in lines.values() if line.why == "pinned")
    return Answer(
        [lines[one.client_id] for one in ordered], solved.ties + pinned, solved.ties_kept + pinned, solved.ties_short,
        solved.objective,
    )  # fmt: skip


def _fit(one: Candidate, managers: Mapping[str, Manager], terms: Terms) -> int:
    manager = managers.get(one.current or "")
    return fit(one.needs, manager, terms.base) if manager is not None else 0


class _Room:
    """What room managers have left."""

    def __init__(self, managers: Sequence[Manager]) -> None:
        self.total = {one.person: one.capacity for one in managers}
        self.tier = {(one.person, tier): room for one in managers for tier, room in one.by_tier.items()}
        self.core = {one.person: one.core for one in managers}

    def take(self, person: str | None, one: Candidate) -> None:
        """Give a client's place away; a manager who has more than they have room for has none left."""
        if person is not None:
            self.total[person] = max(self.total[person] - 1, 0)
            if (person, one.tier) in self.tier:
                self.tier[person, one.tier] = max(self.tier[person, one.tier] - 1, 0)
            self.core[person] = max(self.core[person] - one.core, 0)

    def holds(self, person: str, package: Sequence[Candidate]) -> bool:
        """Whether somebody has room for a package."""
        tiers = Counter(one.tier for one in package)
        return (
            self.total[person] >= len(package)
            and self.core[person] >= sum(one.core for one in package)
            and all(self.tier.get((person, tier), count) >= count for tier, count in tiers.items())
        )


def _packages(
    clients: Sequence[Candidate], people: Sequence[Manager], terms: Terms, room: _Room, lines: dict[str, Line]
) -> None:
    """Core clients without a manager, dealt into packages of like worth; each goes whole to whom it fits best [A2]."""
    count = ceil(len(clients) / terms.package) if clients else 0
    packages: list[list[Candidate]] = [[] for _ in range(count)]
    for n, one in enumerate(sorted(clients, key=lambda one: (-one.worth, one.client_id))):
        lap, place = divmod(n, count)
        packages[place if lap % 2 == 0 else count - 1 - place].append(one)
    for package in packages:
        fitting = [
            (-sum(one.weight * fit(one.needs, person, terms.base) for one in package), person.person)
            for person in people
            if room.holds(person.person, package) and not any(person.person in one.never for one in package)
        ]
        if fitting:
            _, chosen = min(fitting)
            person = next(one for one in people if one.person == chosen)
            for one in package:
                room.take(chosen, one)
                lines[one.client_id] = Line(
                    one.client_id, one.current, chosen, fit(one.needs, person, terms.base), "package"
                )


def _solve(clients: Sequence[Candidate], people: Sequence[Manager], terms: Terms, room: _Room) -> Answer:
    members: defaultdict[Group, defaultdict[str | None, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    known = {one.person for one in people}
    for one in clients:
        members[one.group][one.current if one.current in known else None].append(one)
    groups = sorted(members, key=lambda group: (*group[:4], sorted(group[4])))
    problem = _Problem(groups, members, people, terms, room)
    kept, moved, short, objective = problem.solved()
    fits = {(group, one.person): fit(group[3], one, terms.base) for group in groups for one in people}
    lines: list[Line] = []
    for group in groups:
        going: list[Candidate] = list(members[group][None])
        for person in sorted(name for name in members[group] if name is not None):
            own = members[group][person]
            stays = own[: kept.get((group, person), 0)]
            going += own[len(stays) :]
            lines += [Line(one.client_id, person, person, fits[group, person], "kept") for one in stays]
        seats = [one.person for one in people for _ in range(moved.get((group, one.person), 0))]
        going.sort(key=lambda one: one.client_id)
        for one, seat in zip(going, seats, strict=False):
            why = "kept" if seat == one.current else "moved"
            lines.append(Line(one.client_id, one.current, seat, fits[group, seat], why))
        lines += [Line(one.client_id, one.current, None, 0, "no_room") for one in going[len(seats) :]]
    ties = sum(len(own) for by in members.values() for person, own in by.items() if person is not None)
    return Answer(lines, ties, sum(1 for line in lines if line.why == "kept"), short, objective)


class _Problem:
    """The numbers of the problem, and its solution: how many of each group stay with, and move to, each manager."""

    def __init__(
        self,
        groups: Sequence[Group],
        members: Mapping[Group, Mapping[str | None, Sequence[Candidate]]],
        people: Sequence[Manager],
        terms: Terms,
        room: _Room,
    ) -> None:
        self.groups, self.members, self.people, self.terms, self.room = groups, members, people, terms, room
        self.of_id = {one.person: one for one in people}
        self.keeps = [
            (group, person) for group in groups for person in sorted(p for p in members[group] if p is not None)
        ]
        self.moves = [(group, one.person) for group in groups for one in people if one.person not in group[4]]
        self.ties = sum(len(members[group][person]) for group, person in self.keeps)

    def solved(self) -> tuple[dict[tuple[Group, str], int], dict[tuple[Group, str], int], int, int]:
        """What stays, what moves, how many ties too few are kept, and the value of it all."""
        if not self.groups or not self.people:
            return {}, {}, 0, 0
        import numpy as np  # made ready only where a run is worked on: it takes more memory than all the rest
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import coo_array

        weights = np.array([self._worth(name, stays=True) for name in self.keeps]
                           + [self._worth(name, stays=False) for name in self.moves] + [-SHORT_COSTS], dtype=float)  # fmt: skip
        rows, columns, ones, limits = self._constraints()
        matrix = coo_array((ones, (rows, columns)), shape=(len(limits), len(weights)))
        upper = [len(self.members[group][person]) for group, person in self.keeps] + [np.inf] * (len(self.moves) + 1)
        found = milp(
            -weights, integrality=np.ones(len(weights)), bounds=Bounds(np.zeros(len(weights)), np.array(upper, dtype=float)),
            constraints=LinearConstraint(matrix.tocsr(), -np.inf, np.array(limits, dtype=float)),
            options={"mip_rel_gap": GAP},
        )  # fmt: skip
        if found.x is None:
            raise RuntimeError(f"no allocation was found: {found.message}")
        counts = [round(value) for value in found.x]
        kept = {name: n for name, n in zip(self.keeps, counts, strict=False) if n}
        moved = {name: n for name, n in zip(self.moves, counts[len(self.keeps) :], strict=False) if n}
        return kept, moved, counts[-1], round(-found.fun)

    def _worth(self, name: tuple[Group, str], *, stays: bool) -> int:
        group, person = name
        found = fit(group[3], self.of_id[person], self.terms.base)
        return group[0] * (found + (self.terms.move_cost if stays else 0))

    def _constraints(self) -> tuple[list[int], list[int], list[float], list[float]]:
        """Rows of at most: members of each group, room in all, by tier and for core, and the ties to be kept."""
        entries: list[tuple[int, int, float]] = []
        limits: list[float] = []
        rows: dict[object, int] = {}

        def row(name: object, limit: float) -> int:
            if name not in rows:
                rows[name] = len(limits)
                limits.append(limit)
            return rows[name]

        for column, (group, person) in enumerate([*self.keeps, *self.moves]):
            entries.append((row(group, sum(map(len, self.members[group].values()))), column, 1.0))
            entries.append((row(("total", person), self.room.total[person]), column, 1.0))
            if (person, group[1]) in self.room.tier:
                entries.append((row(("tier", person, group[1]), self.room.tier[person, group[1]]), column, 1.0))
            if group[2]:
                entries.append((row(("core", person), self.room.core[person]), column, 1.0))
        wanted = ceil(Fraction(self.ties * self.terms.keep_percent, 100))
        kept = row("ties", -wanted)
        entries += [(kept, column, -1.0) for column in range(len(self.keeps))]
        entries.append((kept, len(self.keeps) + len(self.moves), -1.0))
        return [e[0] for e in entries], [e[1] for e in entries], [e[2] for e in entries], limits
