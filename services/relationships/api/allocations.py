"""Managers' profiles and runs of the allocation over HTTP [A2, A6, RE2]."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Listing, Once, Page, Reading, Work, object_scope, permits, router
from chassis.rows import columns, fetch
from chassis.timeline import effective_now, today
from contracts.fields import BusinessDate, Code, Id, Identifier, number_of, text_of
from services.relationships import allocations, managers
from services.relationships.api.shapes import STAFF, Body
from services.relationships.policy import Policies
from services.relationships.tables import Run, RunLine

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.allocations:read", *STAFF)]
Director = Annotated[Actor, permits("relationships.allocations:run", Role.BRANCH_MANAGER, Role.HQ)]
Enterer = Annotated[Actor, permits("relationships.skills:enter", Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ)]
Words = Annotated[str, text_of(400, 2)]
SkillCode = Annotated[Code, Field(examples=["stock_analysis"])]


class SkillShown(BaseModel):
    """A skill with what it is worth now, in thousandths: the best of its evidence, faded."""

    skill: str
    strength: int


class ManagerProfile(BaseModel):
    """What a manager can do, how many clients they have room for and how many they have [A6, A26]."""

    person: str
    capacity: int
    clients: int
    skills: list[SkillShown]


class SkillGiven(Body):
    """Evidence of a skill, by level 1 to 5; a self-assessment counts for less."""

    skill: SkillCode
    level: Annotated[int, number_of(1, 5, "a level")]
    kind: Literal["contest", "paper", "speech", "test", "self_assessment"]
    evidence: Words
    shown_on: BusinessDate


class CapacityGiven(Body):
    """How many clients somebody has room for."""

    capacity: Annotated[int, number_of(0, 100_000, "a number of clients")]


class RunWanted(Body):
    """What is to be allocated anew: a branch's pool, or all its clients; to the people named, or the branch's managers."""

    branch_id: Identifier
    scope: allocations.Scope = "pool"
    managers: Annotated[list[Identifier], Field(max_length=2_000, default_factory=list)]
    reason: Words


class Load(BaseModel):
    """How many clients a manager has, and would have."""

    person: str
    before: int
    after: int
    capacity: int


class Moving(BaseModel):
    """How many of so many clients would move."""

    clients: int
    moved: int


class Comparison(Moving):
    """What a run would change: who moves, ties kept and too few, for whom nobody has room, loads, and the check of a
    protected trait, which is no input."""

    ties: int
    ties_kept: int
    ties_short: int
    no_room: int
    managers: list[Load]
    by_sex: dict[str, Moving]


class RunView(BaseModel):
    """A run: what it was made with, and how what it would do compares with what is [RE2]."""

    run_id: Id
    branch_id: str
    scope: allocations.Scope
    state: Literal["asked", "solved", "applied", "refused", "rolled_back"]
    day: date
    reason: str
    asked_by: str
    asked_at: datetime
    policy: str | None
    fingerprint: str | None
    solver: str | None
    result: Comparison | None
    solved_at: datetime | None
    decided_by: str | None
    rolled_back_by: str | None


class RunLineView(BaseModel):
    """Whom a run gives a client to, and why: what the client needs, and how well the manager fits, in thousandths."""

    client_id: str
    before: str | None
    after: str | None
    fit: int
    why: Literal["kept", "pinned", "moved", "package", "no_room"]
    needs: list[str]
    weight: int


class RunDecision(Body):
    """What the second person decides."""

    approve: bool
    because: Annotated[str, text_of(400)] = ""


class Because(Body):
    """Why."""

    reason: Words


@routes.get("/managers/{person}")
async def read_manager(actor: Reader, sql: Reading, person: Identifier) -> ManagerProfile:
    """A manager's skills, room and clients. Managers read their own."""
    _require_own(actor, person)
    day = await today(sql)
    terms = (await Policies.read(sql)).allocation.on(day).body
    skills = (await managers.skills_of(sql, [person], day, terms))[person]
    clients = await sql.fetchval(
        """SELECT count(*) FROM owners WHERE person = $1 AND role = 'primary' AND since <= $2
           AND (until IS NULL OR until > $2)""",
        person,
        await effective_now(sql),
    )
    return ManagerProfile(
        person=person, capacity=(await managers.capacities_of(sql, [person], terms))[person], clients=clients,
        skills=[SkillShown(skill=skill, strength=strength) for skill, strength in sorted(skills.items())],
    )  # fmt: skip


@routes.post("/managers/{person}/skills", status_code=201)
async def add_skill(actor: Enterer, uow: Work, _: Once, person: Identifier, body: SkillGiven) -> ManagerProfile:
    """Enter evidence of a skill: managers assess themselves, everything else is entered by who leads them."""
    _require_own(actor, person)
    if actor.role is Role.CLIENT_MANAGER and body.kind != managers.SELF:
        raise NotFound
    await managers.add_skill(uow, person, body.skill, body.level, body.kind, body.evidence, body.shown_on)
    return await read_manager(actor, uow.sql, person)


@routes.post("/managers/{person}/capacity", status_code=201)
async def set_capacity(actor: Director, uow: Work, _: Once, person: Identifier, body: CapacityGiven) -> ManagerProfile:
    """Say how many clients somebody has room for."""
    await managers.set_capacity(uow, person, body.capacity)
    return await read_manager(actor, uow.sql, person)


def _require_own(actor: Actor, person: str) -> None:
    if actor.role in (Role.CLIENT_MANAGER, Role.AGENT) and actor.person != person:
        raise NotFound


@routes.post("/allocations", status_code=202)
async def ask_allocation(actor: Director, uow: Work, _: Once, body: RunWanted) -> RunView:
    """Ask for a dry run: a worker solves it, and nothing moves until a second person approves."""
    if not actor.sees_all_branches and actor.branch_id != body.branch_id:
        raise NotFound
    return _run(await allocations.ask(uow, body.branch_id, body.scope, body.managers, body.reason))


@routes.get("/allocations")
async def list_allocations(actor: Reader, sql: Reading, page: Page) -> Listing[RunView]:
    """Runs, by when they were asked for."""
    scope, arguments = object_scope(actor, 3)
    rows = await fetch(
        sql,
        Run,
        f"""SELECT {columns(Run)} FROM allocation_runs WHERE run_id::text > $1 AND {scope} ORDER BY run_id LIMIT $2""",
        str((page.after or ("",))[0]),
        page.limit + 1,
        *arguments,
    )
    found = page.result([_run(row).model_dump() for row in rows], lambda row: (str(row["run_id"]),))
    return Listing[RunView].model_validate(found)


@routes.get("/allocations/{run_id}")
async def read_allocation(actor: Reader, sql: Reading, run_id: Id) -> RunView:
    """A run, with the comparison once it is solved."""
    return _run(await _seen(actor, await allocations.find(sql, run_id)))


@routes.get("/allocations/{run_id}/lines")
async def list_allocation_lines(
    actor: Reader, sql: Reading, run_id: Id, page: Page, person: Identifier | None = None
) -> Listing[RunLineView]:
    """Whom a run gives each client to, and why: everybody's, or what concerns one manager."""
    await _seen(actor, await allocations.find(sql, run_id))
    rows = await fetch(
        sql,
        RunLine,
        f"""SELECT {columns(RunLine)} FROM allocation_lines WHERE run_id = $1 AND client_id > $2
              AND ($3::text IS NULL OR before = $3 OR after = $3) ORDER BY client_id LIMIT $4""",
        run_id,
        str((page.after or ("",))[0]),
        person,
        page.limit + 1,
    )
    names = RunLineView.model_fields
    shown = [{name: getattr(row, name) for name in names} for row in rows]
    return Listing[RunLineView].model_validate(page.result(shown, lambda row: (row["client_id"],)))


@routes.post("/allocations/{run_id}/approval")
async def decide_allocation(actor: Director, uow: Work, _: Once, run_id: Id, body: RunDecision) -> RunView:
    """Put a solved run in force, or refuse it, as the second person."""
    await _seen(actor, await allocations.find(uow.sql, run_id))
    return _run(await allocations.decide(uow, run_id, agree=body.approve, because=body.because))


@routes.post("/allocations/{run_id}/rollback")
async def roll_back_allocation(actor: Director, uow: Work, _: Once, run_id: Id, body: Because) -> RunView:
    """Give everybody back whom the run moved and who is still where it put them."""
    await _seen(actor, await allocations.find(uow.sql, run_id))
    return _run(await allocations.roll_back(uow, run_id, body.reason))


async def _seen(actor: Actor, run: Run) -> Run:
    if not actor.sees_all_branches and actor.branch_id != run.branch_id:
        raise NotFound
    return run


def _run(run: Run) -> RunView:
    return RunView(**{n: getattr(run, n) for n in RunView.model_fields})
