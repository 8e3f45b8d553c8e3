"""The table of acts of one aggregate: a case, a task, a hold. Declared once, checked when it is made.

ACTS = acts(CASE,
    Act("promise", Text("Promise a time", "承诺时间"), on=OPEN, who=(OWNER,), not_for=(REGULATOR,),
        takes=Promise, needs=("due", "reason"), clocks={RESULT: promised("due")}, tells=(CLIENT, BRANCH)),
)
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

import asyncpg
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.approvals import ApprovalKind, Deciders
from chassis.calendar import Calendar
from chassis.clock import business_date, end_of
from chassis.clocks import Limit, WorkingDays, store
from chassis.errors import Refusal, Text
from chassis.uow import UnitOfWork

Row = TypeVar("Row")
EVERY: Final = "*"
"""In `clocks` of an act: every clock of the object that has not stopped."""
IF_MATCH, IDEMPOTENCY_KEY = "If-Match", "Idempotency-Key"
NOW: Final = None


@dataclass(frozen=True)
class Who(Generic[Row]):
    """A seat or a relation to the object: its owner, its branch's complaint group, the centre."""

    name: str
    title: Text
    holds: Callable[[Actor, Row], bool]


@dataclass(frozen=True)
class Sort(Generic[Row]):
    """A kind or source of object that acts are for, or not for: a regulator's case, an import."""

    name: str
    title: Text
    holds: Callable[[Row], bool]


PLATFORM_ITSELF = Who[Any](
    "platform", Text("the platform itself", "系统"), lambda actor, _: actor.role is Role.SYSTEM and not actor.client_id
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An act that may be entered after it happened: by so much at most (a time, or the last day of a limit), and never
    before the object's last step. With `same_day` it is late only when it is entered on a later business date."""

    within: timedelta | Limit
    same_day: bool = False

    def reaches(self, given: datetime, now: datetime, calendar: Calendar) -> bool:
        """Whether what happened at `given` may still be entered at `now`."""
        if isinstance(self.within, timedelta):
            return given + self.within >= now
        return end_of(business_date(self.within.first_due(given, calendar))) >= now

    def __str__(self) -> str:
        return f"{self.within.days} working days" if isinstance(self.within, WorkingDays) else str(self.within)


@dataclass(frozen=True, slots=True)
class ClockMove:
    """What an act does to a clock. `field` names the field of the body with its time."""

    what: str
    field: str = ""


start, resume, stop = ClockMove("start"), ClockMove("resume"), ClockMove("stop")


def pause(until: str = "") -> ClockMove:
    """Pause; `until` names the field of the body with the expected end."""
    return ClockMove("pause", until)


def promised(due: str) -> ClockMove:
    """Promise the time in a field of the body."""
    return ClockMove("promise", due)


@dataclass(frozen=True)
class ClockKind(Generic[Row]):
    """A clock of the object. `begin` says how it starts: limit and steps.

    `promises`: how many times may be given without a further signature; every one after them takes `signs`.
    """

    name: str
    begin: Callable[[UnitOfWork, Row, datetime], Awaitable[store.Clock]]
    pausable: bool = False
    promises: int = 0
    signs: Who[Row] | None = None


@dataclass
class Doing(Generic[Row]):
    """One act on one object under way. Hooks may add to `columns` (stored with the state) and `detail` (the step's).

    `before` is the row as it was, `row` as it is now. `at` is when it happened, `late`: entered after that.
    """

    act: "Act[Row]"
    id: Any
    before: Row
    row: Row
    body: Any
    at: datetime
    late: bool
    columns: dict[str, Any] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)


Hook = Callable[[UnitOfWork, Sequence[Doing[Row]]], Awaitable[None]]
Unless = Callable[[Actor, Row, Any], Refusal | None]
Facts = Callable[[asyncpg.Connection, Actor, Sequence[Row]], Awaitable[Sequence[Any]]]


@dataclass(frozen=True)
class Act(Generic[Row]):
    """One row of the table.

    `on`: the states it is possible in. `to`: the state it leads to; None: it stays. `who`: those who may, any of them.
    `only`, `not_for`: the sorts of object it exists for. `takes`: the type of its body. `needs`: fields of the body that
    are given and not blank, and `IF_MATCH`, `IDEMPOTENCY_KEY`. `approval`: a second person decides, always or for some
    sorts. `at`: `NOW`, or `Earlier(...)`. `clocks`: what becomes of each clock; final states stop all of them anyway.
    `tells`: the audiences that read the step in the history; nobody, unless it is said. `unless(actor, row, facts)` says
    what else stands in the way, or None; it is asked before the state is, so that it may say more than the state does. `prepare` runs before the object
    changes (what it needs checked or kept beside), `then` after it (events, deadlines); both get all objects of one step.
    """

    name: str
    title: Text
    on: Sequence[str]
    who: Sequence[Who[Row]]
    to: str | None = None
    stays: bool = False
    only: Sequence[Sort[Row]] = ()
    not_for: Sequence[Sort[Row]] = ()
    takes: type[BaseModel] | None = None
    needs: Sequence[str] = ()
    approval: Deciders | Mapping[Sort[Row], Deciders] | None = None
    days: int = 30
    at: Earlier | None = NOW
    clocks: Mapping[str, ClockMove] = field(default_factory=dict)
    tells: Sequence[str] = ()
    unless: Unless[Row] | None = None
    prepare: Hook[Row] | None = None
    then: Hook[Row] | None = None

    def exists_for(self, row: Row) -> bool:
        """Whether objects of this sort have this act at all."""
        return (not self.only or any(sort.holds(row) for sort in self.only)) and not any(
            sort.holds(row) for sort in self.not_for
        )

    def may(self, actor: Actor, row: Row) -> bool:
        """Whether the caller is one of those who may."""
        return any(who.holds(actor, row) for who in self.who)

    def deciders(self, row: Row) -> Deciders | None:
        """Who has to agree; None: nobody."""
        if isinstance(self.approval, Mapping):
            return next((deciders for sort, deciders in self.approval.items() if sort.holds(row)), None)
        return self.approval


@dataclass(frozen=True)
class Aggregate(Generic[Row]):
    """What people move from state to state: its table, who sees it, its clocks, and what goes with every move.

    `sight(actor, n)` is the SQL condition on the table's columns under which the caller sees a row, and its arguments,
    numbered from `$n` on; the platform itself sees all. `row` makes the typed row of a record. Column names: `id`,
    `state`, `revision`, `client`, `branch` (of the holder), `concerned` (persons it is about). `clock_object(row)` names
    the object of its clocks, `due` a clock and the column that says the day it ends, kept by it; `parse` makes the id of its text. `audiences(actor, row)` are those whose steps the caller reads. `moved` is told of every
    change of state. `facts(sql, actor, rows)` reads what `unless` of the acts asks for beyond the row, one for each row.
    """

    name: str
    table: str
    id: str
    row: Callable[[asyncpg.Record], Row]
    states: Sequence[str]
    begins: Sequence[str]
    final: Sequence[str]
    sight: Callable[[Actor, int], tuple[str, Sequence[Any]]]
    audiences: Callable[[Actor, Row], frozenset[str]]
    waiting: Sequence[str] = ()
    state: str = "state"
    revision: str = "revision"
    client: str | None = "client_id"
    branch: str | None = "branch_id"
    concerned: str | None = None
    clocks: Sequence[ClockKind[Row]] = ()
    clock_object: Callable[[Row], str] | None = None
    due: tuple[str, str] | None = None
    parse: Callable[[str], Any] = str
    moved: Hook[Row] | None = None
    facts: Facts[Row] | None = None

    def named(self, id: Any) -> str:
        """How audit, approvals and deadlines name one: `case/ID`."""
        return f"{self.name}/{id}"

    def of(self, row: Row, column: str | None) -> Any:
        """A column of a row, whether it is a record or a struct."""
        if column is None:
            return None
        return row[column] if isinstance(row, asyncpg.Record | Mapping) else getattr(row, column)

    def state_of(self, row: Row) -> str:
        """Its state."""
        state: str = self.of(row, self.state)
        return state

    def concerned_of(self, row: Row) -> Sequence[str]:
        """The persons it is about."""
        return self.of(row, self.concerned) or ()

    def key_of(self, row: Row) -> str:
        """What its rows and events go by: the client, or `case:ID` without one."""
        return self.of(row, self.client) or f"{self.name}:{self.of(row, self.id)}"

    def clocks_of(self, row: Row) -> str:
        """The object of its clocks."""
        return self.clock_object(row) if self.clock_object else self.named(self.of(row, self.id))


class TableOfActsInvalid(ValueError):
    """The table of acts contradicts itself."""


class Acts(Generic[Row]):
    """An aggregate's acts, by name: `ACTS.promise`. `approvals` go onto the service's page, as do the acts."""

    def __init__(self, aggregate: Aggregate[Row], table: Sequence[Act[Row]]) -> None:
        self.aggregate = aggregate
        self.table = {act.name: act for act in table}
        if faults := list(_faults(aggregate, table)):
            raise TableOfActsInvalid("; ".join(faults))
        self.approvals: dict[str, ApprovalKind] = {}

    def __getattr__(self, name: str) -> "tuple[Acts[Row], Act[Row]]":
        table: dict[str, Act[Row]] = self.__dict__.get("table", {})
        if name not in table:
            raise AttributeError(f"{self.__dict__.get('aggregate')} has no act {name!r}")
        return self, table[name]


def deciders_of(act: Act[Any]) -> Sequence[Deciders]:
    """Who may have to agree to an act."""
    if act.approval is None:
        return ()
    return list(act.approval.values()) if isinstance(act.approval, Mapping) else [act.approval]


def _faults(aggregate: Aggregate[Any], table: Sequence[Act[Any]]) -> "list[str]":
    """What cannot be true together in a table."""
    found: list[str] = []
    known, waiting, final = set(aggregate.states), set(aggregate.waiting), set(aggregate.final)
    pausable = {clock.name for clock in aggregate.clocks if clock.pausable}
    clocks = {clock.name: clock for clock in aggregate.clocks}
    if len({act.name for act in table}) != len(table):
        found.append("two acts have one name")
    for named in (aggregate.begins, aggregate.final, aggregate.waiting):
        found += [f"no state {state}" for state in named if state not in known]
    for act in table:
        on, leads = set(act.on), act.to is not None
        found += [f"{act.name}: no state {state}" for state in (on | {act.to or act.on[0]}) - known]
        found += [f"{act.name}: no clock {name}" for name in act.clocks if name != EVERY and name not in clocks]
        by_people = any(who is not PLATFORM_ITSELF for who in act.who)
        if act.to is None and by_people and not {IF_MATCH, IDEMPOTENCY_KEY} & set(act.needs):
            found.append(f"{act.name} can be done twice: it stays in its state without If-Match or Idempotency-Key")
        if act.to in on and not act.stays:
            found.append(f"{act.name} leads to its own state")
        if len(set(deciders_of(act))) > 1:
            found.append(f"{act.name}: one act has one kind of second person")
        if deciders_of(act) and act.needs and act.takes is None:
            found.append(f"{act.name}: what waits for a second person says the type of its body")
        for name, move in act.clocks.items():
            kinds = list(clocks.values()) if name == EVERY else [clocks[name]] if name in clocks else []
            if move.what == "promise" and not all(clock.promises or clock.signs for clock in kinds):
                found.append(f"{act.name}: {name} cannot be promised")
            if move.what == "pause" and not all(clock.pausable for clock in kinds):
                found.append(f"{act.name}: {name} cannot be paused")
            if move.what == "promise" and (on & waiting) and (not leads or act.to in waiting):
                found.append(f"{act.name}: a promise ends the pause of {name}, but the object goes on waiting")
        moves = {name: move.what for name, move in act.clocks.items()}
        for name in pausable:
            what = moves.get(name, moves.get(EVERY))
            enters = act.to in waiting and not on & waiting
            leaves = leads and act.to not in waiting | final and bool(on & waiting)
            if enters and what != "pause":
                found.append(f"{act.name} begins to wait, but {name} is not paused")
            if leaves and (on - waiting or what not in ("resume", "stop", "promise")):
                found.append(f"{act.name} ends the wait, but {name} does not go on")
            if what == "pause" and not enters:
                found.append(f"{act.name} pauses {name}, but the object does not begin to wait")
    for state in known - final:
        if not any(state in act.on and act.to not in (None, state) for act in table):
            found.append(f"there is no way out of {state}")
    return found
