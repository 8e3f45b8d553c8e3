"""What a service is, on one page."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
from fastapi import APIRouter
from pydantic_settings import BaseSettings
from sqlalchemy import MetaData

from chassis.acts import Acts
from chassis.approvals import DEADLINE, ApprovalKind, expirer
from chassis.database import Database
from chassis.deadlines.due import DeadlineHandler
from chassis.exports import Export
from chassis.invariants import Invariant
from chassis.objections import keep_objections
from chassis.policy import PolicyBook
from chassis.publishing import Proof, approval_of
from chassis.replans import Replan
from chassis.sealed import AUDIT, CLOCK_ENTRIES, SealedTable
from chassis.shadow import Shadow
from chassis.uow import UnitOfWork
from contracts import broker, platform
from contracts.base import DayClosed, Event, Registry
from contracts.broker import BrokerDayClosed
from contracts.relationships import ObjectionChanged

Handler = Callable[[Sequence[Any], UnitOfWork], Awaitable[None]]
CloseDays = Callable[[Sequence[date], UnitOfWork], Awaitable[None]]
CatchUp = Callable[[date, UnitOfWork], Awaitable[bool]]
Loop = Callable[[Database], Awaitable[bool]]
HealthCheck = Callable[[asyncpg.Connection], Awaitable[dict[str, Any]]]
"""Looks at what a service knows: `status` (pass, warn, fail), and with it `output` and, for doctor, `fix`."""


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """Routes (HTTP in), events heard and sent, what a closed day does, tables kept.

    `closes` is given the days to close, in order: one, or in a backlog those of a month up to its end (with deadlines,
    which come between days, always one). What it emits happened at the end of the last of them, or when `at` says.
    `catches_up` is given the last closed day and does what late facts left to do (True: there may be more).
    `waits_for` names the watermarks a day needs before it can close here; `completes` is the one sent afterwards.
    `accepts` applies the offered content of a conflict that an operator accepts.
    `deadlines` are the handlers of time, by kind (see `chassis.deadlines`). `replans` say of each kind that goes by working
    or trading days how a new calendar moves the open ones (see `chassis.replans`); clocks move by themselves.
    `loops` are turned by every worker beside the chassis' own: True when there may be more to do at once. They are turned every
    few seconds, and at once after `uow.notify("loops:SERVICE")`.
    `checks` are looked at by doctor and shown in `/readyz`: what fails there is for people, and stops no request.
    `invariants` hold in what it keeps: `careline verify` looks (see `chassis.invariants`).
    `exports` are its `careline export NAME`. `client_parts` are its parts of the 360 view of a client: the name of each, and
    what follows `/v1/SERVICE/clients/ID` in its address. `signs` what it hands out with the sealing key, `keeps_evidence` files:
    what its processes are given where each has its own keys and volumes.
    `policy` declares the tables of numbers the business changes (see `chassis.policy`); `shadow` runs what a close from
    a day on would do, for a draft of them (see `chassis.shadow`); `proofs` name for a table what looks at everybody before a version
    of it is published (see `chassis.publishing`).
    `approvals` are the things that take two persons (see `chassis.approvals`): their routes and run-out come with them.
    `acts` are the tables of what people move from state to state (see `chassis.acts`), with their own second persons.
    `settings` are those only this service has: judged with all others when a command begins.
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
    deadlines: Mapping[str, DeadlineHandler] = field(default_factory=dict)
    replans: Mapping[str, Replan] = field(default_factory=dict)
    loops: Mapping[str, Loop] = field(default_factory=dict)
    checks: Mapping[str, HealthCheck] = field(default_factory=dict)
    invariants: Sequence[Invariant] = ()
    exports: Mapping[str, Export] = field(default_factory=dict)
    client_parts: Mapping[str, str] = field(default_factory=dict)
    signs: bool = False
    keeps_evidence: bool = False
    policy: type[PolicyBook] | None = None
    shadow: Shadow | None = None
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    approvals: Sequence[ApprovalKind] = ()
    acts: Sequence[Acts[Any]] = ()
    settings: Sequence[type[BaseSettings]] = ()

    def __post_init__(self) -> None:
        if (
            self.listens and ObjectionChanged not in self.publishes
        ):  # who may not be looked at is known to every service [A16]
            object.__setattr__(self, "listens", {**self.listens, ObjectionChanged: keep_objections})
        policy = () if self.policy is None else (approval_of(self.policy, self.proofs),)
        kinds = (*self.approvals, *policy, *(kind for table in self.acts for kind in table.approvals.values()))
        object.__setattr__(self, "approvals", tuple({kind.name: kind for kind in kinds}.values()))
        if self.approvals:
            object.__setattr__(self, "deadlines", {**self.deadlines, DEADLINE: expirer(self.approvals)})

    @property
    def every_sealed(self) -> tuple[SealedTable, ...]:
        """Its sealed tables: those of every service, and its own."""
        return (AUDIT, CLOCK_ENTRIES, *self.sealed)

    @property
    def hears(self) -> Sequence[type[Event]]:
        """Everything heard: what every service that listens is told of the platform, then what it listens to."""
        return (*platform.TOLD_TO_EVERYBODY, *self.listens) if self.listens else ()

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
        heard = {kind.topic for kind in self.listens if kind.topic in broker.TOPICS}
        others = {kind.topic for kind in self.waits_for if kind is not BrokerDayClosed}
        return (heard if BrokerDayClosed in self.waits_for else set()) | others

    @property
    def own_topic(self) -> str:
        """The topic this service publishes to."""
        return f"careline.{self.name}"
