"""Runs of the allocation: asked by one person, solved by a worker, put in force by another, taken back as a whole [A2, RE2].

A run keeps everything it was made from: clients with what counts of them, managers with skills and room, the terms and their
version, the solver's; the same inputs give the same lines again.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from importlib.util import find_spec
from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils import uuid7

from chassis import approvals, staff
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.clock import months_after, start_of
from chassis.database import Database
from chassis.errors import Conflict, NotFound, Text
from chassis.rows import columns, fetch
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from services.relationships import assignments, managers
from services.relationships.ownership import PRIMARY
from services.relationships.policy import Allocation, Policies
from services.relationships.system import EVERYBODY
from services.relationships.tables import AssignmentFact, Run, RunLine
from services.relationships.transport import Answer, Candidate, Manager, Terms, allocate

ALLOCATED, ROLLED_BACK, NAMED = "allocation", "rollback", "named"
Scope = Literal["all", "pool"]
SOLVER_HERE = find_spec("scipy") is not None
"""The solver is an extra (`careline[allocation]`): it is larger than all the rest of an installation."""


class NotSolved(Conflict):
    """The run is not in the state for this; `state` says in which it is."""

    title = Text("Not in the state for this", "当前状态不可执行该操作")


async def ask(uow: UnitOfWork, branch_id: str, scope: Scope, named: Sequence[str], reason: str) -> Run:
    """Ask for a run: a worker solves it; it moves nobody until a second person approves."""
    run_id = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        """INSERT INTO allocation_runs (run_id, branch_id, scope, managers, state, day, reason, asked_by, asked_at)
           VALUES ($1, $2, $3, $4, 'asked', $5, $6, $7, $8)""",
        run_id, branch_id, scope, sorted(set(named)), await today(uow.sql), reason, uow.actor.person, uow.now,
    )  # fmt: skip
    await approvals.ask(uow, ALLOCATION, _named(run_id), body={"run_id": str(run_id)}, why=reason, branch_id=branch_id)
    return await find(uow.sql, run_id)


async def find(sql: asyncpg.Connection, run_id: UUID) -> Run:
    """A run.

    Raises: NotFound.
    """
    found = await fetch(sql, Run, f"SELECT {columns(Run)} FROM allocation_runs WHERE run_id = $1", run_id)
    if not found:
        raise NotFound
    return found[0]


async def check(sql: asyncpg.Connection) -> dict[str, Any]:
    """Runs that nobody solves because the solver is not installed here."""
    waiting = 0 if SOLVER_HERE else await sql.fetchval("SELECT count(*) FROM allocation_runs WHERE state = 'asked'")
    if not waiting:
        return {"status": "pass", "output": ""}
    fix = "run a worker of relationships with the solver: `pip install 'careline[allocation]'`, or an image built with SOLVER=yes"
    return {"status": "warn", "output": f"{waiting} allocation runs wait for a solver", "fix": fix}


async def solve_next(database: Database) -> bool:
    """One turn of a worker's loop: solve the run asked for first. Solved twice, it is the same; the first is kept.

    A worker installed without the solver leaves it to one that has it.
    """
    if not SOLVER_HERE:
        return False
    async with database.reading() as sql:
        run_id = await sql.fetchval(
            "SELECT run_id FROM allocation_runs WHERE state = 'asked' ORDER BY asked_at LIMIT 1"
        )
    if run_id is None:
        return False
    async with database.unit_of_work() as uow:
        run = await find(uow.sql, run_id)
        version = (await uow.policies(Policies)).allocation.on(run.day)
        people, clients = await _inputs(uow.sql, run, version.body)
        sexes = await _sexes(uow.sql, [one.client_id for one in clients], run.day)
    terms = _terms(version.body)
    answer = await asyncio.to_thread(allocate, clients, people, terms)
    async with database.unit_of_work() as uow:
        await _keep(uow, run_id, version.name, clients, people, terms, answer, sexes)
    return True


def _terms(allocation: Allocation) -> Terms:
    return Terms(allocation.base, allocation.move_cost, allocation.keep_percent, allocation.package)


async def _inputs(sql: asyncpg.Connection, run: Run, terms: Allocation) -> tuple[list[Manager], list[Candidate]]:
    """Managers and clients of a run, as its day finds them."""
    at = await effective_now(sql)
    roster = await staff.roster(sql)
    rows = await sql.fetch(
        f"""SELECT b.client_id, b.tier, b.core, b.birth_date, b.investor_type, b.worth, b.total_assets,
                   o.person, o.role, o.reason, o.since
            FROM ({EVERYBODY}) b JOIN owners o ON o.client_id = b.client_id AND o.since <= $3 AND (o.until IS NULL OR o.until > $3)
            WHERE b.branch_id = $4 AND b.opened_on <= $2 AND (b.closed_on IS NULL OR b.closed_on > $2)
            ORDER BY b.client_id""",
        None,
        run.day,
        at,
        run.branch_id,
    )
    owning = {row["person"] for row in rows if row["role"] == PRIMARY}
    seated = set(roster.seated(run.branch_id, terms.manager_seat, at))
    persons = sorted(
        person for person in (run.managers or (owning | seated)) if assignments.works_here(roster, person, at)
    )
    pinned_since = start_of(months_after(run.day, -terms.pinned_months))
    clients = []
    for row in rows:
        current = row["person"] if row["role"] == PRIMARY and row["person"] in persons else None
        named = row["reason"] == NAMED and row["since"] > pinned_since
        clients.append(
            Candidate(
                client_id=row["client_id"], weight=terms.weights[row["tier"]] + (terms.core_weight if row["core"] else 0),
                tier=row["tier"], core=row["core"], needs=_needs(row, run.day, terms), current=current,
                pinned=current is not None and (named or run.scope == "pool"), worth=int(row["worth"] or 0),
            )
        )  # fmt: skip
    return await managers.ready(sql, persons, run.day, terms), clients


def _needs(row: asyncpg.Record, day: date, terms: Allocation) -> tuple[str, ...]:
    """Which skills a client needs [A6]: who trades, stock analysis; large assets, allocation of assets; the elderly, patience."""
    needs = []
    if row["investor_type"] == "TRADER":
        needs.append(terms.trader_skill)
    if row["total_assets"] is not None and row["total_assets"] >= terms.large_assets:
        needs.append(terms.assets_skill)
    if row["birth_date"] is not None and months_after(row["birth_date"], 12 * terms.elderly_age) <= day:
        needs.append(terms.elderly_skill)
    return tuple(sorted(needs))


async def _sexes(sql: asyncpg.Connection, clients: Sequence[str], day: date) -> dict[str, str]:
    """What is stated of clients' sex: for the check of what came out alone, never an input."""
    rows = await sql.fetch(
        """SELECT DISTINCT ON (client_id) client_id, value FROM information_values
           WHERE client_id = ANY($1::text[]) AND code = 'CI-P03' AND day <= $2
           ORDER BY client_id, day DESC, own DESC, at DESC, fact_id DESC""",
        list(clients),
        day,
    )
    return {client_id: value for client_id, value in rows if value}


async def _keep(
    uow: UnitOfWork, run_id: UUID, policy: str, clients: Sequence[Candidate], people: Sequence[Manager], terms: Terms,
    answer: Answer, sexes: Mapping[str, str],
) -> None:  # fmt: skip
    import scipy

    inputs = {
        "terms": msgspec.to_builtins(terms),
        "managers": [msgspec.to_builtins(one) for one in people],
        "clients": [msgspec.to_builtins(one) for one in clients],
    }
    taken = await uow.sql.fetchval(
        """UPDATE allocation_runs SET state = 'solved', policy = $2, inputs = $3, fingerprint = $4, solver = $5,
               result = $6, solved_at = $7 WHERE run_id = $1 AND state = 'asked' RETURNING true""",
        run_id, policy, inputs, hashlib.sha256(msgspec.json.encode(inputs, order="sorted")).hexdigest(),
        f"HiGHS of scipy {scipy.__version__}", comparison(clients, people, answer, sexes), uow.now,
    )  # fmt: skip
    if not taken:
        return
    of = {one.client_id: one for one in clients}
    await uow.sql.copy_records_to_table(
        "allocation_lines",
        records=[
            (run_id, line.client_id, line.before, line.after, line.fit, line.why,
             list(of[line.client_id].needs), of[line.client_id].weight)
            for line in answer.lines
        ],
        columns=RunLine.__struct_fields__,
    )  # fmt: skip
    uow.audit("solve allocation", _named(run_id), policy=policy, lines=len(answer.lines))


def comparison(
    clients: Sequence[Candidate], people: Sequence[Manager], answer: Answer, sexes: Mapping[str, str]
) -> dict[str, Any]:
    """What would change: who moves, the load of each manager, ties broken, and the check of a protected trait."""
    before = Counter(one.current for one in clients)
    after = Counter(line.after or line.before for line in answer.lines)
    moved = {line.client_id for line in answer.lines if line.after is not None and line.after != line.before}
    return {
        "clients": len(clients), "moved": len(moved), "ties": answer.ties, "ties_kept": answer.ties_kept,
        "ties_short": answer.ties_short, "no_room": sum(1 for line in answer.lines if line.why == "no_room"),
        "value": answer.objective,
        "managers": [
            {"person": one.person, "before": before[one.person], "after": after[one.person], "capacity": one.capacity}
            for one in people
        ],
        "by_sex": {
            sex: {"clients": count, "moved": sum(1 for client_id in moved if sexes.get(client_id) == sex)}
            for sex, count in sorted(Counter(sexes.values()).items())
        },
    }  # fmt: skip


async def _apply(uow: UnitOfWork, approval: Approval) -> None:
    run = await _locked(uow, UUID(approval.body["run_id"]), "solved")
    at = await effective_now(uow.sql, uow.now)
    roster = await staff.roster(uow.sql)
    rows = await uow.sql.fetch(
        """SELECT l.client_id, l.after FROM allocation_lines l
           JOIN owners o ON o.client_id = l.client_id AND o.since <= $2 AND (o.until IS NULL OR o.until > $2)
           WHERE l.run_id = $1 AND l.after IS NOT NULL AND l.after IS DISTINCT FROM l.before
             AND l.before IS NOT DISTINCT FROM CASE o.role WHEN 'primary' THEN o.person END""",
        run.run_id,
        at,
    )
    given = {client_id: after for client_id, after in rows if assignments.works_here(roster, after, at)}
    await _name(uow, run.run_id, given, ALLOCATED, at)
    await _move(uow, run.run_id, "applied")


async def _not_done(uow: UnitOfWork, approval: Approval) -> None:
    await uow.sql.execute(
        "UPDATE allocation_runs SET state = 'refused', decided_by = $2, decided_at = $3 WHERE run_id = $1 AND state <> 'refused'",
        UUID(approval.body["run_id"]),
        uow.actor.person,
        uow.now,
    )


ALLOCATION = ApprovalKind(
    "allocation", Text("Allocation of clients", "客户分配"), by(Role.BRANCH_MANAGER, Role.HQ), _apply, ended=_not_done
)


async def decide(uow: UnitOfWork, run_id: UUID, *, agree: bool, because: str) -> Run:
    """Put a run in force, or refuse it, as the second person.

    Raises: NotFound, SecondPersonNeeded, AlreadyDecided; NotSolved while a worker is at it.
    """
    await approvals.decide(uow, ALLOCATION, _named(run_id), agree=agree, because=because)
    return await find(uow.sql, run_id)


async def roll_back(uow: UnitOfWork, run_id: UUID, reason: str) -> Run:
    """Give everybody back whom a run moved and who is still where it put them.

    Raises: NotFound, NotSolved.
    """
    await _locked(uow, run_id, "applied")
    at = await effective_now(uow.sql, uow.now)
    rows = await uow.sql.fetch(
        """SELECT l.client_id, l.before FROM allocation_lines l
           JOIN owners o ON o.client_id = l.client_id AND o.since <= $2 AND (o.until IS NULL OR o.until > $2)
           WHERE l.run_id = $1 AND o.run = $3 AND o.person = l.after""",
        run_id, at, str(run_id),
    )  # fmt: skip
    await _name(uow, run_id, {client_id: before for client_id, before in rows}, ROLLED_BACK, at)  # noqa: C416
    await uow.sql.execute(
        "UPDATE allocation_runs SET state = 'rolled_back', rolled_back_by = $2, rolled_back_at = $3 WHERE run_id = $1",
        run_id,
        uow.actor.person,
        uow.now,
    )
    uow.audit("roll back allocation", _named(run_id), reason=reason, clients=len(rows))
    return await find(uow.sql, run_id)


async def _name(uow: UnitOfWork, run_id: UUID, given: Mapping[str, str | None], reason: str, at: datetime) -> None:
    """Facts of a run: from now on these clients are these people's; nobody's are the pool's."""
    await assignments.keep(
        uow,
        [
            AssignmentFact(
                client_id=client_id, fact_id=assignments.fact_id(reason, str(run_id), client_id), role=PRIMARY,
                person=person or "", since=at, said_at=at, begins=person is not None, reason=reason, run=str(run_id),
                said_by=uow.actor.person, recorded_at=uow.now,
            )
            for client_id, person in sorted(given.items())
        ],
    )  # fmt: skip
    await assignments.project(uow, given)


async def _locked(uow: UnitOfWork, run_id: UUID, state: str) -> Run:
    await uow.sql.execute("SELECT FROM allocation_runs WHERE run_id = $1 FOR UPDATE", run_id)
    run = await find(uow.sql, run_id)
    if run.state != state:
        raise NotSolved(state=run.state)
    return run


async def _move(uow: UnitOfWork, run_id: UUID, state: str) -> None:
    await uow.sql.execute(
        "UPDATE allocation_runs SET state = $2, decided_by = $3, decided_at = $4 WHERE run_id = $1",
        run_id,
        state,
        uow.actor.person,
        uow.now,
    )


def _named(run_id: UUID) -> str:
    return f"allocation/{run_id}"
