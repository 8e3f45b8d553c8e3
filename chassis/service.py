"""What a service is, on one page."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from sqlalchemy import MetaData

from contracts.base import DayClosed, Event, Registry
from contracts.broker import BrokerDayClosed

if TYPE_CHECKING:
    import asyncpg

    from chassis.acts import Acts
    from chassis.approvals import ApprovalKind
    from chassis.database import Database
    from chassis.deadlines.firing import DeadlineHandler
    from chassis.uow import UnitOfWork

Handler = Callable[[Sequence[Any], "UnitOfWork"], Awaitable[None]]
CloseDays = Callable[[Sequence[date], "UnitOfWork"], Awaitable[None]]
CatchUp = Callable[[date, "UnitOfWork"], Awaitable[bool]]
Loop = Callable[["Database"], Awaitable[bool]]
HealthCheck = Callable[["asyncpg.Connection"], Awaitable[dict[str, Any]]]
"""Looks at what a service knows: `status` (pass, warn, fail), and with it `output` and, for doctor, `fix`."""


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table of immutable rows: numbered without gaps per partition, hashed into the signed chain column by column."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """Routes (HTTP in), events heard and sent, what a closed day does, tables kept.

    `closes` is given the days to close, in order: one, or in a backlog those of a month up to its end (with deadlines,
    which come between days, always one). What it emits happened at the end of the last of them, or when `at` says.
    `catches_up` is given the last closed day and does what late facts left to do (True: there may be more).
    `waits_for` names the watermarks a day needs before it can close here; `completes` is the one sent afterwards.
    `accepts` applies the offered content of a conflict that an operator accepts.
    `deadlines` are the handlers of time, by kind (see `chassis.deadlines`).
    `loops` are turned by every worker beside the chassis' own: True when there may be more to do at once.
    `checks` are looked at by doctor and shown in `/readyz`: what fails there is for people, and stops no request.
    `approvals` are the things that take two persons (see `chassis.approvals`): their routes and run-out come with them.
    `acts` are the tables of what people move from state to state (see `chassis.acts`), with their own second persons.
    `views` names for an event heard a struct of just the fields needed of it: its handler is given that instead.
    """

    name: str
    tables: MetaData
    migrations: Path
    routes: APIRouter | None = None
    listens: Mapping[type[Event], Handler] = field(default_factory=dict)
    publishes: Sequence[type[Event]] = ()
    waits_for: Sequence[type[DayClosed]] = (BrokerDayClosed,)
    closes: CloseDays | None = None
    catches_up: CatchUp | None = None
    completes: type[DayClosed] | None = None
    sealed: Sequence[SealedTable] = ()
    views: Mapping[type[Event], type[Event]] = field(default_factory=dict)
    accepts: Mapping[type[Event], Handler] = field(default_factory=dict)
    deadlines: "Mapping[str, DeadlineHandler]" = field(default_factory=dict)
    loops: Mapping[str, Loop] = field(default_factory=dict)
    checks: Mapping[str, HealthCheck] = field(default_factory=dict)
    approvals: "Sequence[ApprovalKind]" = ()
    acts: "Sequence[Acts[Any]]" = ()

    def __post_init__(self) -> None:
        kinds = {kind.name: kind for kind in self.approvals}
        kinds |= {kind.name: kind for table in self.acts for kind in table.approvals.values()}
        if kinds:
            from chassis.approvals import DEADLINE, expirer

            object.__setattr__(self, "approvals", tuple(kinds.values()))
            object.__setattr__(self, "deadlines", {**self.deadlines, DEADLINE: expirer(self.approvals)})

    @property
    def hears(self) -> Mapping[type[Event], Handler]:
        """Everything handled: what every service that hears anything is told of the platform, then what it listens to."""
        if not self.listens:
            return {}
        from chassis.calendars import keep_calendars
        from chassis.timeline import keep_timeline
        from contracts.platform import CalendarPublished, TimelineDecided

        return {TimelineDecided: keep_timeline, CalendarPublished: keep_calendars, **self.listens}

    @property
    def registry(self) -> Registry:
        """Decoders of everything heard."""
        return Registry([*self.hears, *self.waits_for], self.views)

    @property
    def topics(self) -> list[str]:
        """Every topic read, sorted."""
        return sorted({kind.topic for kind in self.hears} | self.watermark_topics)

    @property
    def watermark_topics(self) -> set[str]:
        """The topics whose watermarks this service waits for.

        A day closes when each of them has passed it in every partition; of the broker's topics, those heard.
        """
        from contracts import broker

        heard = {kind.topic for kind in self.listens if kind.topic in broker.TOPICS}
        others = {kind.topic for kind in self.waits_for if kind is not BrokerDayClosed}
        return (heard if BrokerDayClosed in self.waits_for else set()) | others

    @property
    def own_topic(self) -> str:
        """The topic this service publishes to."""
        return f"careline.{self.name}"
