"""Performing an act: load, check the row of the table, lock, move state, clocks, history and audit, tell: in one step."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic

import asyncpg
from pydantic import BaseModel

from chassis import approvals
from chassis.actor import PLATFORM, Actor, Role
from chassis.acts import steps
from chassis.acts.errors import (
    AlreadyAsked,
    ConflictOfInterest,
    IllegalMove,
    NeedsMissing,
    NotForThisKind,
    NotYours,
    SignatureNeeded,
)
from chassis.acts.situation import Situation, situations
from chassis.acts.table import (
    EVERY,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    Act,
    Acts,
    Aggregate,
    ClockMove,
    Doing,
    Row,
    deciders_of,
)
from chassis.approvals import Approval, ApprovalKind, Deciders
from chassis.calendars import current
from chassis.clock import business_date, start_of
from chassis.clocks import Entry, Pause, Promise, Resume, Stop, store
from chassis.clocks.errors import ClockNotStarted, NotPausable
from chassis.clocks.store import New
from chassis.deadlines import cancel_all
from chassis.errors import FieldError, IdempotencyKeyRequired, Invalid, NotFound, PreconditionRequired, Refusal, Text
from chassis.etags import Match
from chassis.timeline import Timeline, effective_now, timeline
from chassis.uow import UnitOfWork

Bound = tuple[Acts[Row], Act[Row]]
MOMENT = timedelta(microseconds=1)
_ENTRIES: Mapping[str, type[Entry]] = {"pause": Pause, "resume": Resume, "stop": Stop, "promise": Promise}


@dataclass(frozen=True)
class Performed(Generic[Row]):
    """What became of it: the object as it is now, and what the step says; `approval` when it waits for a second person
    and nothing was done."""

    row: Row
    approval: Approval | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


async def load(sql: asyncpg.Connection, table: Acts[Row], actor: Actor, id: Any) -> Row:
    """One object, if the caller may see it.

    Raises: NotFound.
    """
    found = await _load(sql, table, actor, [id])
    if not found:
        raise NotFound
    return found[0]


async def _load(
    sql: asyncpg.Connection, table: Acts[Row], actor: Actor, ids: Sequence[Any], *, lock: bool = False
) -> list[Row]:
    aggregate = table.aggregate
    condition, arguments = ("true", []) if actor == PLATFORM else aggregate.sight(actor, 2)
    rows = await sql.fetch(
        f"""SELECT * FROM {aggregate.table} WHERE {aggregate.id} = ANY($1) AND {condition}
            ORDER BY {aggregate.id} {"FOR UPDATE" if lock else ""}""",
        list(ids),
        *arguments,
    )
    return [aggregate.row(row) for row in rows]


async def perform(
    uow: UnitOfWork, what: Bound[Row], id: Any, body: Any = None, *, at: datetime | None = None
) -> Performed[Row]:
    """Do an act to one object in the caller's name, or ask for the second person it needs.

    `at` is for the platform's own handlers: when the cause happened. People say it in the field `at` of the body. An act
    that meets a deadline of its object in a deadlock is done once more.
    Raises: NotFound, and what `chassis.acts.errors` names.
    """
    return await uow.once_more(lambda: _perform(uow, what, id, body, at))


async def _perform(uow: UnitOfWork, what: Bound[Row], id: Any, body: Any, at: datetime | None) -> Performed[Row]:
    table, act = what
    rows = await _load(uow.sql, table, uow.actor, [id], lock=True)
    if not rows:
        raise NotFound
    row = rows[0]
    _require_headers(uow, table, act, row)
    (situation,) = await situations(uow.sql, table, rows, uow.actor, facts=act.unless is not None)
    if refusal := refusal_of(table, act, uow.actor, row, situation):
        raise refusal
    _require_fields(act, body)
    when, late = (at, False) if at is not None else await _moment(uow, table, act, id, body)
    doing = Doing(act, table.aggregate.of(row, table.aggregate.id), row, row, body, when, late)
    if act.deciders(row) is not None:
        return Performed(row, await _ask(uow, table, doing))
    await _do(uow, table, [doing])
    return Performed(doing.row, detail=doing.detail)


async def perform_each(
    uow: UnitOfWork, what: Bound[Row], todo: Mapping[Any, Any], at: Mapping[Any, datetime] | datetime
) -> list[Performed[Row]]:
    """Do an act to many objects (id to body) in the platform's name, set-based; those it is not possible for are left.

    Who caused it (an operator who accepts a conflict, say) stands in history and audit, and needs no right to the act.
    """
    table, act = what
    doings: list[Doing[Row]] = []
    if not todo:
        return []
    rows = await _load(uow.sql, table, PLATFORM, list(todo), lock=True)
    found = await situations(uow.sql, table, rows, PLATFORM, facts=act.unless is not None)
    for row, situation in zip(rows, found, strict=True):
        if refusal_of(table, act, PLATFORM, row, situation) is None:
            id = table.aggregate.of(row, table.aggregate.id)
            doings.append(Doing(act, id, row, row, todo[id], at[id] if isinstance(at, Mapping) else at, False))
    if doings:
        await _do(uow, table, doings)
    return [Performed(one.row) for one in doings]


def refusal_of(table: Acts[Row], act: Act[Row], actor: Actor, row: Row, situation: Situation) -> Refusal | None:
    """Why the caller cannot do this to an object they see; None: they can."""
    aggregate, state = table.aggregate, table.aggregate.state_of(row)
    if actor.role not in (Role.CLIENT, Role.SYSTEM) and actor.person in aggregate.concerned_of(row):
        return ConflictOfInterest()
    if not act.may(actor, row):
        en, zh = (" / ".join(getattr(who.title, language) for who in act.who) for language in ("en", "zh"))
        return NotYours(Text(f"this is for: {en}", f"由以下人员办理：{zh}"), who=[who.name for who in act.who])
    if not act.exists_for(row):
        sorts = [sort.title for sort in (*act.only, *act.not_for) if sort.holds(row)] or [s.title for s in act.only]
        en, zh = ", ".join(sort.en for sort in sorts), "、".join(sort.zh for sort in sorts)
        return NotForThisKind(
            Text(f"only for: {en}", f"仅适用于：{zh}")
            if act.only and not any(s.holds(row) for s in act.only)
            else Text(f"not for: {en}", f"不适用于：{zh}")
        )
    if act.unless is not None and (refusal := act.unless(actor, row, situation.facts)) is not None:
        return refusal
    if state not in act.on:
        following = [
            one.name for one in table.table.values()
            if state in one.on and one.exists_for(row) and one.may(actor, row)
        ]  # fmt: skip
        en, zh = ", ".join(following) or "nothing", "、".join(following) or "无"
        return IllegalMove(
            Text(f"it is {state}; possible: {en}", f"当前状态为 {state}；可办理：{zh}"),
            state=state,
            following=following,
        )
    if act.name in situation.asked and act.deciders(row) is not None:
        return AlreadyAsked(approval_id=situation.asked[act.name])
    return _refusal_of_clocks(table, act, actor, row, situation)


def _refusal_of_clocks(table: Acts[Row], act: Act[Row], actor: Actor, row: Row, situation: Situation) -> Refusal | None:
    """What a clock says to it: whether it can be paused, how often it may be promised and whose signature that takes."""
    for kind in table.aggregate.clocks:
        move, now = act.clocks.get(kind.name), situation.clocks.get(kind.name)
        if move is None:
            continue
        if move.what == "pause" and now is not None and not now.stopped and not now.pausable:
            return NotPausable(Text(f"{kind.name}: it has a promised or given time", f"{kind.name}：已承诺或指定时间"))
        if move.what == "promise":
            if now is None or now.stopped:
                return ClockNotStarted(Text(f"{kind.name} does not run", f"{kind.name} 未在计时"))
            if now.promises >= kind.promises and not (kind.signs and kind.signs.holds(actor, row)):
                return SignatureNeeded(who=kind.signs and kind.signs.name)
    return None


class ActView(BaseModel):
    """One act of an object, as the caller finds it."""

    act: str
    title: dict[str, str]
    can: bool
    why_not: dict[str, str] | None = None
    needs: list[str] = []
    second_person: bool = False


async def possible(sql: asyncpg.Connection, table: Acts[Row], actor: Actor, row: Row) -> list[ActView]:
    """Every act of an object: what the caller can do now, and for the rest why not. Clients see those meant for them."""
    [acts] = await possible_of_each(sql, table, actor, [row])
    return acts


async def possible_of_each(
    sql: asyncpg.Connection, table: Acts[Row], actor: Actor, rows: Sequence[Row]
) -> list[list[ActView]]:
    """As `possible`, of the objects of a list."""
    found = await situations(sql, table, rows, actor)
    return [_views(table, actor, row, situation) for row, situation in zip(rows, found, strict=True)]


def _views(table: Acts[Row], actor: Actor, row: Row, situation: Situation) -> list[ActView]:
    shown = []
    for act in table.table.values():
        if actor.role is Role.CLIENT and not act.may(actor, row):
            continue
        refusal = refusal_of(table, act, actor, row, situation)
        why = None if refusal is None else refusal.detail if refusal.detail.en else refusal.title
        shown.append(
            ActView(
                act=act.name,
                title=_both(act.title),
                can=why is None,
                why_not=None if why is None else _both(why),
                needs=list(act.needs),
                second_person=act.deciders(row) is not None,
            )
        )
    return shown


def _both(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh-CN": text.zh}


def _require_headers(uow: UnitOfWork, table: Acts[Row], act: Act[Row], row: Row) -> None:
    if IF_MATCH in act.needs and not uow.if_match:
        raise PreconditionRequired
    if uow.if_match:
        Match(uow.if_match).check(table.aggregate.of(row, table.aggregate.revision))
    if IDEMPOTENCY_KEY in act.needs and not uow.idempotency_key:
        raise IdempotencyKeyRequired


def _require_fields(act: Act[Any], body: Any) -> None:
    given = {name: getattr(body, name, None) for name in act.needs if name not in (IF_MATCH, IDEMPOTENCY_KEY)}
    missing = [n for n, value in given.items() if value is None or (isinstance(value, str) and not value.strip())]
    if missing:
        raise NeedsMissing(errors=tuple(FieldError(f"/{name}", "is missing") for name in missing))


async def _moment(uow: UnitOfWork, table: Acts[Any], act: Act[Any], id: Any, body: Any) -> tuple[datetime, bool]:
    """When a person's act happened, and whether it is entered late."""
    now = await effective_now(uow.sql, uow.now)
    given: datetime | None = getattr(body, "at", None)
    if given is None or given == now:
        return now, False
    # No clock tells when the staff of a replayed home act: they say it themselves.
    replayed = await timeline(uow.sql) is Timeline.SIMULATED
    why = ""
    if given > (uow.now if replayed else now):
        why = "lies in the future"
    elif replayed:
        return given, False
    elif act.at is None:
        why = "is now: this is entered when it is done"
    elif not act.at.reaches(given, now, await current(uow.sql)):
        why = f"lies too far back: {act.at} at most"
    else:
        object = table.aggregate.named(id)
        last = (await steps.last_steps(uow.sql, [object])).get(object)
        if last is not None and given < last and given < await _bound(uow, last):
            why = f"is before the last step, {last.isoformat()}"
    if why:
        raise Invalid(errors=(FieldError("/at", why),))
    return given, not (act.at and act.at.same_day and business_date(given) == business_date(now - MOMENT))


async def _bound(uow: UnitOfWork, last: datetime) -> datetime:
    """What lies before the last step. A home that nobody has named yet, and that closes days, knows the day alone."""
    real = await timeline(uow.sql) is Timeline.REAL
    if real or await uow.sql.fetchval("SELECT through FROM closed_days") is None:
        return last
    return start_of(business_date(last - MOMENT))


async def _ask(uow: UnitOfWork, table: Acts[Row], doing: Doing[Row]) -> Approval:
    aggregate, act, row = table.aggregate, doing.act, doing.before
    object, kind = aggregate.named(doing.id), table.approvals[act.name]
    state = aggregate.state_of(row)
    return await approvals.ask(
        uow,
        kind,
        object,
        body=doing.body.model_dump(mode="json") if isinstance(doing.body, BaseModel) else {},
        why=getattr(doing.body, "reason", None) or act.title.en,
        before={"state": state},
        after={"state": act.to or state},
        client_id=aggregate.of(row, aggregate.client),
        branch_id=aggregate.of(row, aggregate.branch),
        concerned=aggregate.concerned_of(row),
    )


def acts(aggregate: Aggregate[Row], *table: Act[Row]) -> Acts[Row]:
    """The table of acts of an aggregate.

    Raises: TableOfActsInvalid.
    """
    made = Acts(aggregate, table)
    made.approvals |= {act.name: approval_of(made, act, deciders) for act in table for deciders in deciders_of(act)[:1]}
    return made


def approval_of(table: Acts[Row], act: Act[Row], deciders: Deciders) -> ApprovalKind:
    """The second person of an act: agreeing does it, if it still is possible."""
    aggregate = table.aggregate

    async def locked(uow: UnitOfWork, approval: Approval) -> Row:
        id = aggregate.parse(approval.object.removeprefix(f"{aggregate.name}/"))
        rows = await _load(uow.sql, table, PLATFORM, [id], lock=True)
        if not rows:
            raise NotFound
        return rows[0]

    async def present(uow: UnitOfWork, approval: Approval) -> Any:
        row = await locked(uow, approval)
        state = aggregate.state_of(row)
        # Another state from which the act is possible as well does not make another question of it.
        return approval.before if state in act.on and act.exists_for(row) else {"state": state}

    async def concerned(sql: asyncpg.Connection, approval: Approval) -> Sequence[str]:
        id = aggregate.parse(approval.object.removeprefix(f"{aggregate.name}/"))
        return [one for row in await _load(sql, table, PLATFORM, [id]) for one in aggregate.concerned_of(row)]

    async def apply(uow: UnitOfWork, approval: Approval) -> None:
        row = await locked(uow, approval)
        body = act.takes.model_validate(approval.body) if act.takes else None
        now = await effective_now(uow.sql, uow.now)
        given = getattr(body, "at", None)
        if given is not None and await timeline(uow.sql) is Timeline.SIMULATED:
            now = given  # as in `_moment`: who asked has said when
        doing = Doing(act, aggregate.of(row, aggregate.id), row, row, body, now, False)
        doing.detail |= {"asked_by": approval.asked_by, "approval": str(approval.approval_id)}
        await _do(uow, table, [doing], audited=False)  # the approval's own row says all of it

    return ApprovalKind(
        f"{aggregate.name}.{act.name}", act.title, deciders, apply, act.days, present=present, concerned=concerned
    )


async def _do(uow: UnitOfWork, table: Acts[Row], doings: Sequence[Doing[Row]], *, audited: bool = True) -> None:
    """Move locked objects: the object, then its clocks and deadlines; then whoever is told."""
    aggregate, act = table.aggregate, doings[0].act
    happened_at, uow.happened_at = uow.happened_at, max(one.at for one in doings)
    if act.prepare is not None:
        await act.prepare(uow, doings)
    await _update(uow, table, doings)
    await _move_clocks(uow, table, doings)
    await steps.add(uow, table, doings)
    if audited:
        for one in doings:
            uow.audit(
                act.name, aggregate.named(one.id), key=aggregate.key_of(one.row), at=one.at,
                before=aggregate.state_of(one.before), after=aggregate.state_of(one.row), **one.detail,
            )  # fmt: skip
    moved = [one for one in doings if aggregate.state_of(one.before) != aggregate.state_of(one.row)]
    if moved and act.to in aggregate.final:
        objects = [aggregate.named(one.id) for one in moved]
        await cancel_all(uow, objects)
        for object in objects:
            await approvals.withdraw_all(uow, list(table.approvals.values()), object, act.name)
    if moved and aggregate.moved is not None:
        await aggregate.moved(uow, moved)
    if act.then is not None:
        await act.then(uow, doings)
    uow.happened_at = happened_at


async def _update(uow: UnitOfWork, table: Acts[Row], doings: Sequence[Doing[Row]]) -> None:
    """State, revision and columns; one statement for all with the same columns."""
    aggregate = table.aggregate
    alike: defaultdict[tuple[str, ...], list[Doing[Row]]] = defaultdict(list)
    for one in doings:
        one.columns |= {aggregate.state: one.act.to or aggregate.state_of(one.before)}
        alike[tuple(sorted(one.columns))].append(one)
    for names, group in alike.items():
        rows = await uow.sql.fetch(
            f"""UPDATE {aggregate.table} t SET {aggregate.revision} = t.{aggregate.revision} + 1,
                       {", ".join(f"{name} = n.{name}" for name in names)}
                FROM jsonb_populate_recordset(NULL::{aggregate.table}, $1) n
                WHERE t.{aggregate.id} = n.{aggregate.id} RETURNING t.*""",
            [{aggregate.id: one.id} | one.columns for one in group],
        )
        changed = {row[aggregate.id]: row for row in rows}
        for one in group:
            one.row = aggregate.row(changed[one.id])


async def _move_clocks(uow: UnitOfWork, table: Acts[Row], doings: Sequence[Doing[Row]]) -> None:
    aggregate, act = table.aggregate, doings[0].act
    ends = act.to in aggregate.final
    if not aggregate.clocks or not (act.clocks or ends):
        return
    running: defaultdict[str, list[str]] = defaultdict(list)
    for object, clock in await uow.sql.fetch(
        "SELECT object, clock FROM clocks WHERE object = ANY($1::text[]) AND state <> 'stopped' ORDER BY clock",
        [aggregate.clocks_of(one.before) for one in doings],
    ):
        running[object].append(clock)
    entries, started = [], []
    for one in doings:
        object = aggregate.clocks_of(one.before)
        moves = {name: move for name, move in act.clocks.items() if name != EVERY}
        rest = act.clocks.get(EVERY) or (ClockMove("stop") if ends else None)
        if rest is not None:
            moves |= {name: rest for name in running[object] if name not in moves}
        for name, move in moves.items():
            if move.what == "start":
                kind = next(kind for kind in aggregate.clocks if kind.name == name)
                started.append(await kind.begin(uow, one.row, one.at))
            elif move.what == "promise" or name in running[object]:
                entries.append(New(object, name, _ENTRIES[move.what], one.at, _detail(one, move)))
    if entries:
        await store.append(uow, entries)
    if started:
        await store.start(uow, started)
    if aggregate.due is not None and (entries or started):
        await _read_due(uow, table, aggregate.due, doings)


async def _read_due(uow: UnitOfWork, table: Acts[Row], due: tuple[str, str], doings: Sequence[Doing[Row]]) -> None:
    """The day an object is due is what its clock says: none while it is paused; a clock that stopped leaves its last word."""
    (clock, column), aggregate = due, table.aggregate
    rows = await uow.sql.fetch(
        f"""UPDATE {aggregate.table} t
            SET {column} = ((c.due - interval '1 microsecond') AT TIME ZONE 'Asia/Shanghai')::date
            FROM jsonb_populate_recordset(NULL::{aggregate.table}, $1) w
            JOIN jsonb_to_recordset($2) AS n(id text, object text) ON n.id = w.{aggregate.id}::text
            JOIN clocks c ON c.object = n.object AND c.clock = $3
            WHERE t.{aggregate.id} = w.{aggregate.id} AND c.state <> 'stopped' RETURNING t.*""",
        [{aggregate.id: one.id} for one in doings],
        [{"id": str(one.id), "object": aggregate.clocks_of(one.row)} for one in doings],
        clock,
    )
    changed = {row[aggregate.id]: row for row in rows}
    for one in doings:
        if one.id in changed:
            one.row = aggregate.row(changed[one.id])


def _detail(doing: Doing[Any], move: ClockMove) -> dict[str, Any]:
    detail: dict[str, Any] = {"reason": getattr(doing.body, "reason", None) or doing.act.name}
    given = getattr(doing.body, move.field, None) if move.field else None
    if given is not None:
        detail["due" if move.what == "promise" else "expected_end"] = given
    return detail
