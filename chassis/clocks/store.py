"""Where a service keeps its clocks: the append-only ledger, the steps that fired, and the one pending step of each.

    await start(uow, [Clock("case/7", "result", client_id, WorkingDays(3), ladder, started=received_at)])
    await append(uow, [New("case/7", "result", Pause, effective, {"reason": "waits for the client"})])
    readings = await readings(uow.sql, ["case/7"])           # {("case/7", "result"): Kept}
    lines = await explained(sql, "case/7", "result", as_of=instant)
    deadlines={"result": stepped(deadlines.escalate)}        # the handler of each clock's steps, by the clock's name

A clock's deadlines have its name as `kind`, its object as `object` and the step's name as `step`; the steps are those
of its ladder (warnings are steps with a share), or one step "due" without a ladder. A promise starts a round of its own,
from the first step on; what fired before stays. One step is pending at a time [C27]; `stepped` notes a step as fired and arms the next before the service's own handler runs. A new version of the
calendar re-plans every clock that has not stopped; closed ones keep what they were told.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from chassis.calendar import Calendar, CalendarEnds
from chassis.calendars import current, named
from chassis.clocks.entries import Entry, Promise, Start, detail_of, entry_from, kind_of
from chassis.clocks.errors import ClockNotStarted, StartedTwice
from chassis.clocks.explain import Line, explain
from chassis.clocks.ladder import Fired, Ladder, LadderStep, next_step
from chassis.clocks.limits import Limit, limit_from, mapping_of
from chassis.clocks.reading import ClockReading
from chassis.clocks.replay import read
from chassis.deadlines import Deadline, DeadlineHandler, Due, arm
from chassis.sealed import CLOCK_ENTRIES as ENTRIES
from chassis.uow import UnitOfWork

ClockId = tuple[str, str]
"""(object, clock): `("case/7", "result")`."""
DUE_ONLY = Ladder((LadderStep("due"),))
CLOCKS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock to start: the object it is about, its name, the client id or `case:ID` as `key`, its limit and steps."""

    object: str
    clock: str
    key: str
    limit: Limit
    started: datetime
    ladder: Ladder = DUE_ONLY
    reason: str = ""


@dataclass(frozen=True, slots=True)
class New:
    """An entry to append: its kind (`Pause`, `Resume`, ...), since when it holds, and what else it says."""

    object: str
    clock: str
    kind: type[Entry]
    effective: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """A clock as stored: its limit and ladder, its entries, the steps that fired with their answers."""

    object: str
    clock: str
    key: str
    limit: Limit
    ladder: Ladder
    entries: Sequence[Entry]
    fired: Sequence[Fired]
    calendar: str

    @property
    def round(self) -> int:
        """A promise starts a round of its own: its warnings, its due, the ladder from its first step [C6]."""
        return 1 + sum(isinstance(entry, Promise) for entry in self.entries)

    @property
    def fired_in_round(self) -> Sequence[Fired]:
        """The steps that fired since the last promise."""
        return [one for one in self.fired if one.round == self.round]

    def read(self, calendar: Calendar, known_at: datetime | None = None) -> ClockReading:
        """What the ledger says under a calendar."""
        return read(self.entries, self.limit, calendar, known_at)


async def start(
    uow: UnitOfWork, clocks: Sequence[Clock], calendar: Calendar | None = None
) -> dict[ClockId, ClockReading]:
    """Start clocks and arm their first steps; the readings by clock.

    Raises: StartedTwice for one that was started before; CalendarEnds; nothing is kept then.
    """
    calendar = calendar or await current(uow.sql)
    rows = sorted(clocks, key=lambda one: (one.object, one.clock))
    made = await uow.sql.fetch(
        """INSERT INTO clocks (object, clock, key, "limit", steps, acknowledge_seconds, state, calendar)
           SELECT o, c, k, l::jsonb, s::jsonb, a, 'running', $7
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[]) AS n(o, c, k, l, s, a)
           ON CONFLICT DO NOTHING RETURNING object""",
        [one.object for one in rows],
        [one.clock for one in rows],
        [one.key for one in rows],
        [_text(mapping_of(one.limit)) for one in rows],
        [_text([_step_row(step) for step in one.ladder.steps]) for one in rows],
        [int(one.ladder.acknowledge_within.total_seconds()) for one in rows],
        calendar.version,
    )
    if len(made) != len(rows):
        raise StartedTwice
    kept = [
        Kept(
            one.object, one.clock, one.key, one.limit, one.ladder,
            [Start(number=0, effective=one.started, recorded=uow.now, reason=one.reason)], (), calendar.version,
        )
        for one in rows
    ]  # fmt: skip
    readings = await _plan(uow, kept, calendar)
    await _write(uow, [(one, one.entries[0]) for one in kept])
    return readings


async def append(
    uow: UnitOfWork, entries: Sequence[New], calendar: Calendar | None = None
) -> dict[ClockId, ClockReading]:
    """Append entries, each checked against its clock's ledger, and move the pending steps; the readings by clock.

    Raises: ClockNotStarted, and what `clocks.errors` refuses; nothing is kept then.
    """
    calendar = calendar or await current(uow.sql)
    wanted = sorted({(one.object, one.clock) for one in entries})
    known = {(one.object, one.clock): one for one in await _load(uow.sql, wanted, lock=True)}
    appended: defaultdict[ClockId, list[Entry]] = defaultdict(list)
    for new in entries:
        clock = known.get((new.object, new.clock))
        if clock is None:
            raise ClockNotStarted
        number = max(entry.number for entry in clock.entries) + 1 + len(appended[new.object, new.clock])
        entry = entry_from(new.kind.__name__.lower(), number, new.effective, uow.now, new.detail)
        appended[new.object, new.clock].append(entry)
    grown = [replace(known[name], entries=[*known[name].entries, *appended[name]]) for name in wanted]
    readings = await _plan(uow, grown, calendar)
    await _write(uow, [(one, entry) for one in grown for entry in appended[one.object, one.clock]])
    return readings


async def load(sql: asyncpg.Connection, objects: Iterable[str]) -> dict[ClockId, Kept]:
    """Every clock of some objects with its ledger."""
    names = await sql.fetch("SELECT object, clock FROM clocks WHERE object = ANY($1::text[])", list(objects))
    found = await _load(sql, [(object_, clock) for object_, clock in names])
    return {(one.object, one.clock): one for one in found}


async def readings(
    sql: asyncpg.Connection, objects: Iterable[str], known_at: datetime | None = None
) -> dict[ClockId, ClockReading]:
    """What every clock of some objects says, with the entries recorded by an instant or with all."""
    found: dict[ClockId, ClockReading] = {}
    for name, kept in (await load(sql, objects)).items():
        if known_at is None or any(e.recorded <= known_at and isinstance(e, Start) for e in kept.entries):
            found[name] = kept.read(await _calendar_of(sql, kept, known_at), known_at)
    return found


async def explained(
    sql: asyncpg.Connection, object: str, clock: str, as_of: datetime | None = None
) -> tuple[Line, ...]:
    """Why the clock is due when it is, also as known at an earlier instant, by the calendar of that time.

    Raises: ClockNotStarted.
    """
    found = await _load(sql, [(object, clock)])
    if not found:
        raise ClockNotStarted
    return explain(found[0].entries, found[0].limit, await _calendar_of(sql, found[0], as_of), as_of)


async def _calendar_of(sql: asyncpg.Connection, kept: Kept, as_of: datetime | None) -> Calendar:
    # A clock that stopped keeps the calendar it was told by; one that runs was moved to the newest.
    return await named(sql, kept.calendar) if as_of is None else await current(sql, as_of)


async def acknowledge(uow: UnitOfWork, answered: Sequence[tuple[str, str, str]], at: datetime) -> int:
    """Note (object, clock, step) as acknowledged by the actor, and move the steps after them; how many were open."""
    rows = await uow.sql.fetch(
        """UPDATE clock_steps s SET acknowledged_at = $4, acknowledged_by = $5
           FROM unnest($1::text[], $2::text[], $3::text[]) AS w(object, clock, step)
           WHERE (s.object, s.clock, s.step) = (w.object, w.clock, w.step) AND s.acknowledged_at IS NULL
           RETURNING s.object, s.clock""",
        [object_ for object_, _, _ in answered],
        [clock for _, clock, _ in answered],
        [step for _, _, step in answered],
        at,
        uow.actor.person,
    )
    names = sorted({(row["object"], row["clock"]) for row in rows})
    await _plan(uow, await _load(uow.sql, names, lock=True), await current(uow.sql))
    return len(rows)


async def change_ladder(uow: UnitOfWork, object: str, clock: str, ladder: Ladder, at: datetime) -> list[str]:
    """Put a clock on another ladder from an instant on; the names of its steps that were to be taken before.

    Steps that fired stay with their answers; a step of the same name does not fire again. Steps whose share of the
    clock is over by then count as fired at `at`, and the caller tells whom they tell; nothing after 100 % is skipped.

    Raises: ClockNotStarted.
    """
    found = await _load(uow.sql, [(object, clock)], lock=True)
    if not found:
        raise ClockNotStarted
    kept, calendar = found[0], await current(uow.sql)
    climbed = kept.ladder.steps[: len(kept.fired_in_round)]
    names = {step.name for step in climbed}
    steps = (*climbed, *(step for step in ladder.steps if step.name not in names))
    kept = replace(kept, ladder=replace(ladder, steps=steps))
    reading = kept.read(calendar)
    overtaken: list[str] = []
    while (following := next_step(kept.ladder, reading, calendar, kept.fired_in_round)) is not None:
        step, due = following
        if due > at or reading.due is None or due >= reading.due:
            break
        await uow.sql.execute(
            "INSERT INTO clock_steps (object, clock, number, step, fired_at, round) VALUES ($1, $2, $3, $4, $5, $6)",
            object,
            clock,
            len(kept.fired),
            step.name,
            at,
            kept.round,
        )
        overtaken.append(step.name)
        kept = replace(kept, fired=(*kept.fired, Fired(at, round=kept.round)))
    await uow.sql.execute(
        "UPDATE clocks SET steps = $3, acknowledge_seconds = $4 WHERE object = $1 AND clock = $2",
        object,
        clock,
        [_step_row(step) for step in steps],
        int(ladder.acknowledge_within.total_seconds()),
    )
    await _plan(uow, [kept], calendar)
    return overtaken


def stepped(handler: DeadlineHandler) -> DeadlineHandler:
    """The handler of a clock's steps: each is noted as fired and the next one armed, then `handler` acts."""

    async def handle(due: Sequence[Due], uow: UnitOfWork) -> None:
        names = sorted({(one.object, one.kind) for one in due})
        known = await _load(uow.sql, names, lock=True)
        fired = {(one.object, one.kind): one for one in due}
        await uow.sql.execute(
            """INSERT INTO clock_steps (object, clock, number, step, fired_at, round)
               SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::timestamptz[], $6::int[])""",
            [one.object for one in known],
            [one.clock for one in known],
            [len(one.fired) for one in known],
            [fired[one.object, one.clock].step for one in known],
            [fired[one.object, one.clock].at for one in known],
            [one.round for one in known],
        )
        grown = [
            replace(one, fired=(*one.fired, Fired(fired[one.object, one.clock].at, round=one.round))) for one in known
        ]
        await _plan(uow, grown, await current(uow.sql))
        await handler(due, uow)

    return handle


async def replan_all(uow: UnitOfWork, calendar: Calendar) -> int:
    """Move every clock that has not stopped to a new calendar version; what moved is kept. How many dues moved."""
    moved, after = 0, ("", "")
    while True:
        names = await uow.sql.fetch(
            """SELECT object, clock FROM clocks WHERE state <> 'stopped' AND (object, clock) > ($1, $2)
               ORDER BY object, clock LIMIT $3""",
            *after,
            CLOCKS_AT_ONCE,
        )
        if not names:
            return moved
        after = (names[-1]["object"], names[-1]["clock"])
        clocks = await _load(uow.sql, [(object_, clock) for object_, clock in names], lock=True)
        before = dict[ClockId, datetime | None](
            ((row["object"], row["clock"]), row["due"])
            for row in await uow.sql.fetch(
                """SELECT object, clock, due FROM clocks JOIN unnest($1::text[], $2::text[]) AS w(object, clock)
                   USING (object, clock)""",
                [one.object for one in clocks],
                [one.clock for one in clocks],
            )
        )
        readings = await _plan(uow, clocks, calendar)
        changed = [one for one in clocks if readings[one.object, one.clock].due != before[one.object, one.clock]]
        moved += len(changed)
        await uow.sql.execute(
            """INSERT INTO clock_replans (object, clock, at, calendar_before, calendar_after, due_before, due_after)
               SELECT o, c, $5, b, $6, x, y FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[],
                                                        $7::timestamptz[]) AS n(o, c, b, x, y)""",
            [one.object for one in changed],
            [one.clock for one in changed],
            [one.calendar for one in changed],
            [before[one.object, one.clock] for one in changed],
            uow.now,
            calendar.version,
            [readings[one.object, one.clock].due for one in changed],
        )


async def _plan(uow: UnitOfWork, clocks: Sequence[Kept], calendar: Calendar) -> dict[ClockId, ClockReading]:
    """Read the clocks, store what they say, and leave exactly the next step of each armed."""
    found = {(one.object, one.clock): one.read(calendar) for one in clocks}
    pending = {(one.object, one.clock): _next(one, found[one.object, one.clock], calendar) for one in clocks}
    steps = [pending[one.object, one.clock] for one in clocks]
    await uow.sql.execute(
        """UPDATE clocks c SET state = n.state, due = n.due, calendar = $5
           FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS n(object, clock, state, due)
           WHERE (c.object, c.clock) = (n.object, n.clock)""",
        [one.object for one in clocks],
        [one.clock for one in clocks],
        [found[one.object, one.clock].state.value for one in clocks],
        [found[one.object, one.clock].due for one in clocks],
        calendar.version,
    )
    await uow.sql.execute(
        """DELETE FROM deadlines d USING unnest($1::text[], $2::text[], $3::text[]) AS n(object, clock, step)
           WHERE d.object = n.object AND d.kind = n.clock AND d.step IS DISTINCT FROM n.step""",
        [one.object for one in clocks],
        [one.clock for one in clocks],
        [step[0].name if step else None for step in steps],
    )
    await arm(
        uow,
        [
            Deadline(one.clock, one.object, one.key, step[1], step=step[0].name)
            for one, step in zip(clocks, steps, strict=True)
            if step
        ],
    )
    return found


def _next(one: Kept, reading: ClockReading, calendar: Calendar) -> tuple[LadderStep, datetime] | None:
    try:
        return next_step(one.ladder, reading, calendar, one.fired_in_round)
    except CalendarEnds:
        # The step before it must not fail for this one's sake: the calendar's next version plans every clock anew.
        return None


async def _load(sql: asyncpg.Connection, names: Sequence[ClockId], *, lock: bool = False) -> list[Kept]:
    objects, clocks = [object_ for object_, _ in names], [clock for _, clock in names]
    rows = await sql.fetch(
        f"""SELECT c.* FROM clocks c JOIN unnest($1::text[], $2::text[]) AS w(object, clock) USING (object, clock)
            ORDER BY c.object, c.clock {"FOR UPDATE OF c" if lock else ""}""",
        objects,
        clocks,
    )
    entries: defaultdict[ClockId, list[Entry]] = defaultdict(list)
    for e in await sql.fetch(
        """SELECT e.* FROM clock_entries e JOIN unnest($1::text[], $2::text[]) AS w(object, clock)
           USING (object, clock) ORDER BY e.number""",
        objects,
        clocks,
    ):
        entries[e["object"], e["clock"]].append(
            entry_from(e["kind"], e["number"], e["effective"], e["recorded"], e["detail"])
        )
    fired: defaultdict[ClockId, list[Fired]] = defaultdict(list)
    for s in await sql.fetch(
        """SELECT s.* FROM clock_steps s JOIN unnest($1::text[], $2::text[]) AS w(object, clock)
           USING (object, clock) ORDER BY s.number""",
        objects,
        clocks,
    ):
        fired[s["object"], s["clock"]].append(Fired(s["fired_at"], s["acknowledged_at"], s["round"]))
    return [
        Kept(
            row["object"],
            row["clock"],
            row["key"],
            limit_from(row["limit"]),
            Ladder.from_rows(row["steps"], timedelta(seconds=row["acknowledge_seconds"])),
            entries[row["object"], row["clock"]],
            tuple(fired[row["object"], row["clock"]]),
            row["calendar"],
        )
        for row in rows
    ]


async def _write(uow: UnitOfWork, entries: Sequence[tuple[Kept, Entry]]) -> None:
    """Write entries under gapless numbers; last, because it locks the heads the numbers come from."""
    partitions = [uow.partition_of(clock.key) for clock, _ in entries]
    counts: defaultdict[int, int] = defaultdict(int)
    for partition in partitions:
        counts[partition] += 1
    following = await uow.numbers(ENTRIES.name, counts) if counts else {}
    rows = []
    for partition, (clock, entry) in zip(partitions, entries, strict=True):
        rows.append(
            (
                partition, following[partition], clock.object, clock.clock, kind_of(entry), entry.effective,
                entry.recorded, uow.actor.person, detail_of(entry),
            )
        )  # fmt: skip
        following[partition] += 1
    await uow.sql.copy_records_to_table(ENTRIES.name, records=rows, columns=ENTRIES.columns)


def _step_row(step: LadderStep) -> dict[str, object]:
    return {"name": step.name} | ({"share": step.share} if step.after is None else mapping_of(step.after))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
