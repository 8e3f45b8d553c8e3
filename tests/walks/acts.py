"""Walks a table of acts: every act x every state that can be reached x every person x every sort of object.

    walk = Walk(world, "desk", ACTS, people=PEOPLE, make=make, sorts=("client", "regulator"), bodies=BODIES)
    await walk.run()

Situations are found by doing: from a new object on, every act that anybody can do is done, every second person agrees,
and time passes until the next deadline. In each situation `possible` and `perform` must say the same of everybody, an
act leaves exactly one step and one audit row, the same act again changes nothing, what a refused one wrote is gone; and
waiting means paused, running means armed, and somebody present can take an open object on.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from chassis import approvals
from chassis.actor import PLATFORM, Actor
from chassis.acts import IDEMPOTENCY_KEY, IF_MATCH, Acts
from chassis.acts.performing import load, perform, possible
from chassis.deadlines.firing import Firing
from chassis.errors import NotFound, Refusal
from chassis.http import etag
from chassis.uow import UnitOfWork
from tests.world import World

LATER = timedelta(hours=1)
TIME = "time passes"
Step = tuple[str, str]
"""An act and who does it; `approve`; or `TIME`."""


class RolledBackError(Exception):
    """Leaves the database as it was."""


@dataclass(frozen=True, slots=True)
class Here:
    """The object in one situation: whatever is tried is taken back, so it is read once."""

    id: Any
    row: Any
    counts: tuple[int, int, int]
    waiting: Sequence[approvals.Approval]


@dataclass
class Walk:
    """One walk. `make(uow, sort)` makes a new object and returns its id; `bodies[act](uow)` makes an act's body."""

    world: World
    service: str
    table: Acts[Any]
    people: Mapping[str, Actor]
    make: Callable[[UnitOfWork, str], Awaitable[Any]]
    sorts: Sequence[str]
    bodies: Mapping[str, Callable[[UnitOfWork], Any]] = field(default_factory=dict)
    longest: int = 9
    more: Callable[[Any], tuple[Any, ...]] = lambda _: ()
    """What else of a row makes another situation of it."""
    seen: dict[tuple[Any, ...], list[Step]] = field(default_factory=dict)
    """Every situation that was checked, and the path it was found by."""
    met: set[tuple[Any, ...]] = field(default_factory=set)
    """Those a step leads to: each is gone to once, by the first path."""
    tried: int = 0

    async def run(self) -> None:
        """Walk all of it."""
        for sort in self.sorts:
            waiting: list[list[Step]] = [[]]
            while waiting:
                path = waiting.pop(0)
                for step in await self._look(sort, path):
                    if len(path) < self.longest:
                        waiting.append([*path, step])

    async def _look(self, sort: str, path: list[Step]) -> list[Step]:
        """Check the situation at the end of a path; the steps that lead on, none when it was seen before."""
        on: list[Step] = []
        try:
            async with self.world.database(self.service).unit_of_work() as uow:
                id = await self.make(uow, sort)
                for step in path:
                    await self._take(uow, id, step)
                situation = (sort, *await self._situation(uow, id))
                if situation not in self.seen:
                    self.seen[situation] = path
                    await self._check_clocks(uow, id)
                    on = await self._try_all(uow, sort, id)
                raise RolledBackError
        except RolledBackError:
            return on
        except AssertionError as error:
            raise AssertionError(f"{sort}, after {path}: {error}") from error

    async def _take(self, uow: UnitOfWork, id: Any, step: Step) -> None:
        what, who = step
        uow.now += LATER
        if what == TIME:
            await self._let_time_pass(uow, id)
            return
        uow.actor = self.people[who]
        if what.startswith("approve "):
            await self._approve(uow, id, what.removeprefix("approve "))
        else:
            await self._perform(uow, what, id, await load(uow.sql, self.table, PLATFORM, id))
        uow.actor = PLATFORM

    async def _perform(self, uow: UnitOfWork, act: str, id: Any, row: Any) -> Any:
        body = self.bodies[act](uow) if act in self.bodies else None
        aggregate = self.table.aggregate
        uow.if_match = etag(aggregate.of(row, aggregate.revision))
        uow.idempotency_key = "walk"
        return await perform(uow, getattr(self.table, act), id, body)

    async def _waiting(self, uow: UnitOfWork, id: Any) -> list[approvals.Approval]:
        rows = await uow.sql.fetch(
            "SELECT * FROM approvals WHERE object = $1 AND state = 'waiting'", self.table.aggregate.named(id)
        )
        return [approvals.Approval(**row) for row in rows]

    async def _approve(self, uow: UnitOfWork, id: Any, act: str) -> None:
        kind = self.table.approvals[act]
        for one in await self._waiting(uow, id):
            if one.kind == kind.name:
                await approvals.approve(uow, kind, one.approval_id)

    async def _next_due(self, uow: UnitOfWork, id: Any) -> Any:
        return await uow.sql.fetchval(
            "SELECT min(due) FROM deadlines WHERE object = $1", await self._clocks_of(uow, id)
        )

    async def _let_time_pass(self, uow: UnitOfWork, id: Any) -> None:
        due = await self._next_due(uow, id)
        uow.now = max(uow.now, due) + LATER
        handlers = self.world.platform.workers[self.service].service.deadlines
        await Firing(self.service, handlers).due_by(uow, due, due, 1000)

    async def _clocks_of(self, uow: UnitOfWork, id: Any) -> str:
        return self.table.aggregate.clocks_of(await load(uow.sql, self.table, PLATFORM, id))

    async def _situation(self, uow: UnitOfWork, id: Any) -> tuple[Any, ...]:
        row = await load(uow.sql, self.table, PLATFORM, id)
        clocks = await uow.sql.fetch(
            """SELECT clock, state, (SELECT count(*) FROM clock_steps s WHERE s.object = c.object AND s.clock = c.clock
                                       AND s.round = 1 + (SELECT count(*) FROM clock_entries e WHERE e.object = c.object
                                                            AND e.clock = c.clock AND e.kind = 'promise')),
                      (SELECT least(count(*), 2) FROM clock_entries e
                       WHERE e.object = c.object AND e.clock = c.clock AND e.kind = 'promise')
               FROM clocks c WHERE object = $1 ORDER BY clock""",
            self.table.aggregate.clocks_of(row),
        )
        asked = sorted(one.kind for one in await self._waiting(uow, id))
        return self.table.aggregate.state_of(row), tuple(map(tuple, clocks)), tuple(asked), *self.more(row)

    async def _check_clocks(self, uow: UnitOfWork, id: Any) -> None:
        """Waiting means paused; due with steps left means armed, and nothing else does."""
        aggregate = self.table.aggregate
        row = await load(uow.sql, self.table, PLATFORM, id)
        state, object = aggregate.state_of(row), aggregate.clocks_of(row)
        pausable = {clock.name for clock in aggregate.clocks if clock.pausable}
        for clock in await uow.sql.fetch(
            """SELECT c.*, jsonb_array_length(steps) - (SELECT count(*) FROM clock_steps s
                      WHERE s.object = c.object AND s.clock = c.clock
                        AND s.round = 1 + (SELECT count(*) FROM clock_entries e WHERE e.object = c.object
                                             AND e.clock = c.clock AND e.kind = 'promise')) AS unfired,
                      (SELECT count(*) FROM deadlines d WHERE d.object = c.object AND d.kind = c.clock) AS armed
               FROM clocks c WHERE object = $1""",
            object,
        ):
            name = clock["clock"]
            if clock["state"] != "stopped" and name in pausable:
                assert (clock["state"] == "paused") == (state in aggregate.waiting), f"{state}: {name} {clock['state']}"
            # A pause keeps what is left of the time, and undoes no breach: what was due before it goes on.
            goes_on = clock["state"] != "stopped" and clock["due"] is not None and clock["unfired"] > 0
            assert clock["armed"] == int(goes_on), f"{state}: {name} is {clock['state']}, {clock['armed']} armed"
            if state in aggregate.final:
                assert clock["state"] == "stopped", f"{state}: {name} goes on"
        if state in aggregate.final:
            left = await uow.sql.fetch("SELECT * FROM deadlines WHERE object IN ($1, $2)", object, aggregate.named(id))
            assert not left, f"{state}: armed {left}"

    async def _try_all(self, uow: UnitOfWork, sort: str, id: Any) -> list[Step]:
        """Try everything in one situation; the steps that lead to one not met before."""
        aggregate, on = self.table.aggregate, list[Step]()
        row = await load(uow.sql, self.table, PLATFORM, id)
        exits = state_is_final = aggregate.state_of(row) in aggregate.final
        here = Here(id, row, await self._counts(uow, id), await self._waiting(uow, id))

        def lead(step: Step, to: tuple[Any, ...] | None) -> None:
            if to is not None and (sort, *to) not in self.met:
                self.met.add((sort, *to))
                on.append(step)

        for name, actor in self.people.items():
            try:
                seen = await load(uow.sql, self.table, actor, id)
            except NotFound:
                seen = None
            can = {} if seen is None else {one.act: one.can for one in await possible(uow.sql, self.table, actor, seen)}
            for act in self.table.table.values():
                to = await self._try(uow, here, act.name, actor, can.get(act.name, False), seen is not None)
                exits = exits or (to is not None and act.to not in (None, aggregate.state_of(row)))
                lead((act.name, name), to)
            for one in here.waiting:
                act_name = one.kind.removeprefix(f"{aggregate.name}.")
                lead((f"approve {act_name}", name), await self._try_approval(uow, here, act_name, actor, one))
        assert exits, f"nobody can take it on from {aggregate.state_of(row)}"
        if not state_is_final and await self._next_due(uow, id):
            on.append((TIME, ""))
        return on

    async def _counts(self, uow: UnitOfWork, id: Any) -> tuple[int, int, int]:
        counted = await uow.sql.fetchrow(
            """SELECT (SELECT count(*) FROM act_steps WHERE object = $1),
                      (SELECT count(*) FROM approvals WHERE object = $1),
                      (SELECT count(*) FROM clock_steps WHERE object LIKE $1 || '%')""",
            self.table.aggregate.named(id),
        )
        assert counted is not None
        return tuple(counted)

    async def _try(
        self, uow: UnitOfWork, here: Here, act: str, actor: Actor, can: bool, sees: bool
    ) -> tuple[Any, ...] | None:
        """Do one act and take it back; the situation it leads to, None when it was refused."""
        self.tried += 1
        id, before = here.id, here.counts
        spec, mark, now, was = self.table.table[act], uow.mark(), uow.now, uow.actor
        to: tuple[Any, ...] | None = None
        refusal: Refusal | None = None
        transaction = uow.sql.transaction()
        await transaction.start()
        uow.actor, uow.now = actor, now + LATER
        try:
            done = await self._perform(uow, act, id, here.row)
        except Refusal as caught:
            refusal = caught
        else:
            to = await self._situation(uow, id)
            after, waits = await self._counts(uow, id), done.approval is not None
            kind = f"{self.table.aggregate.name}.{act}"
            left = [row["action"] for table, _, row in uow._sealed[mark.sealed :] if table == "audit"]
            # What waited for a second person ends with the object: a row of its own for each.
            ended = [f"{one.kind}.withdrawn" for one in here.waiting]
            assert [one for one in left if one not in ended] == [f"{kind}.asked" if waits else act], (
                f"{act}: left {left}"
            )
            assert (after[0] - before[0], after[1] - before[1]) == ((0, 1) if waits else (1, 0)), (
                f"{act}: {before} {after}"
            )
            assert after[2] >= before[2], f"{act}: a recorded step of a clock is gone"
            if waits or IDEMPOTENCY_KEY not in spec.needs:
                await self._again(uow, id, act, spec.needs)
        finally:
            await transaction.rollback()
            uow.rollback_to(mark)
            uow.actor, uow.now = was, now
        assert (refusal is None) == can, f"{act} by {actor.person}: shown {'' if can else 'im'}possible, {refusal!r}"
        assert sees or isinstance(refusal, NotFound), f"{act} by {actor.person}, who does not see it: {refusal!r}"
        return to

    async def _again(self, uow: UnitOfWork, id: Any, act: str, needs: Sequence[str]) -> None:
        """The same once more: refused, as it was asked of the object as it was."""
        stale = uow.if_match if IF_MATCH in needs else None
        before = await self._counts(uow, id)
        body = self.bodies[act](uow) if act in self.bodies else None
        uow.if_match = stale
        try:
            async with uow.sql.transaction():
                await perform(uow, getattr(self.table, act), id, body)
        except Refusal:
            assert await self._counts(uow, id) == before
        else:
            raise AssertionError(f"{act} was done twice")

    async def _try_approval(
        self, uow: UnitOfWork, here: Here, act: str, actor: Actor, one: approvals.Approval
    ) -> tuple[Any, ...] | None:
        """Agree and take it back; the situation it leads to, None when the caller was not the second person."""
        kind, mark, now, was = self.table.approvals[act], uow.mark(), uow.now, uow.actor
        transaction = uow.sql.transaction()
        await transaction.start()
        uow.actor, uow.now = actor, now + LATER
        try:
            await approvals.approve(uow, kind, one.approval_id)
        except Refusal as refusal:
            second = one.asked_by != actor.person and approvals.may_see({kind.name: kind}, actor, one)
            if second:
                raise AssertionError(f"{actor.person} could not agree to {act}: {refusal!r}") from refusal
            return None
        else:
            assert one.asked_by != actor.person, f"{act}: {actor.person} agreed with themselves"
            # An act that ends the object also ends what else waits for it: each with a row of its own.
            sealed = [row["action"] for table, _, row in uow._sealed[mark.sealed :] if table == "audit"]
            assert (sealed.count(f"{kind.name}.approved"), act in sealed) == (1, False), sealed
            return await self._situation(uow, here.id)
        finally:
            await transaction.rollback()
            uow.rollback_to(mark)
            uow.actor, uow.now = was, now
