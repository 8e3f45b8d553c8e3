"""Policy over HTTP: one set of routes for every table of every service, firm or branch, made from the policy book."""

from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from chassis import publishing, shadow
from chassis.actor import Actor, Role
from chassis.errors import Forbidden, NotFound
from chassis.http.idempotency import Once, router
from chassis.http.paging import Listing
from chassis.http.permissions import permits
from chassis.http.work import Reading, Work
from chassis.policy import PolicyBook, PolicyTable
from chassis.service import Service
from chassis.timeline import today
from contracts.fields import BusinessDate, Code, form_of, number_of, text_of

BranchCode = Annotated[str, form_of("[A-Za-z0-9-]*", 64, "the branch whose override it is; the firm's without", "B1")]
VersionNumber = Annotated[int, number_of(1, 2**31 - 1, "the number of a version")]
Branch = Annotated[str, text_of(64, 0, "the branch whose override it is; the firm's without", "B1"), Query()]
Reader = Annotated[Actor, permits("policy:read", *(role for role in Role if role is not Role.CLIENT))]
Proposer = Annotated[Actor, permits("policy:propose", Role.BRANCH_MANAGER, Role.HQ)]
Decider = Annotated[Actor, permits("policy:decide", Role.HQ, Role.COMPLIANCE)]
Trier = Annotated[Actor, permits("policy:try", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]


class PolicyDraft(BaseModel, extra="forbid"):
    """A version to propose: the whole table, as `in-force` shows it; `branch` makes it that branch's override [a.3]."""

    effective_on: BusinessDate
    body: dict[str, Any]
    reason: Annotated[str, text_of(1000, 5)]
    branch: BranchCode | None = None


class PolicyWithdrawal(BaseModel, extra="forbid"):
    """Why a scheduled version is taken back."""

    reason: Annotated[str, text_of(1000, 5)]


class PolicyTrial(BaseModel, extra="forbid"):
    """A body to try on today's data."""

    body: dict[str, Any]
    branch: BranchCode | None = None


class PolicyVersion(BaseModel):
    """A version: from which day, what it says, why it was made, by whom and who checked it. Shipped ones have nobody."""

    name: str
    branch: str | None = None
    number: int | None = None
    version: str = Field(description="what decisions store: `limits/2`, `classes/B3/1`, `limits/shipped-1`")
    effective_on: date
    state: str
    body: dict[str, Any]
    reason: str | None = None
    made_by: str | None = None
    made_at: datetime | None = None
    checked_by: str | None = None
    checked_at: datetime | None = None


class PolicyState(BaseModel):
    """A version's number and where it stands."""

    name: str
    branch: str | None
    version: int
    state: str


class PolicyDifference(BaseModel):
    """What a version changes: each place that differs from the version in force on the day before its own."""

    version: str
    against: str
    changes: list[shadow.Change]


@cache
def policy_routes(service: Service) -> APIRouter | None:
    """The routes of a service's policy book; None when it has none."""
    book = service.policy
    if book is None:
        return None
    routes = router(f"/v1/{service.name}/policies", f"{service.name} policies")
    table_of = _finder(book)

    @routes.get("")
    async def list_tables(_: Reader, sql: Reading) -> Listing[PolicyVersion]:
        """Every version kept in the database of every table, newest first; those shipped are listed table by table."""
        rows = await publishing.kept(sql, sorted(book.tables))
        return Listing[PolicyVersion](items=[_shown(book.tables[row["name"]], row) for row in rows])

    @routes.get("/{name}")
    async def list_versions(_: Reader, sql: Reading, name: Code) -> Listing[PolicyVersion]:
        """Every version of a table, those shipped first, then drafts, rejected and withdrawn ones too, as they were made."""
        return Listing[PolicyVersion](items=await _versions(table_of(name), sql))

    @routes.get("/{name}/in-force")
    async def read_in_force(
        _: Reader,
        sql: Reading,
        name: Code,
        on: Annotated[BusinessDate | None, Query(description="a day; today without")] = None,
        branch: Branch = "",
    ) -> PolicyVersion:
        """The version in force on a day."""
        table = table_of(name)
        found = (await book.read(sql)).versions[table.name].on(on or await today(sql), branch)
        return next(one for one in await _versions(table, sql) if one.version == found.name)

    @routes.post("/{name}", status_code=201)
    async def propose_version(actor: Proposer, uow: Work, _once: Once, name: Code, draft: PolicyDraft) -> PolicyState:
        """Propose a version from tomorrow at the earliest; one that does not hold together is refused with what is wrong.

        A branch manager proposes overrides for the own branch only, of tables that have any.
        """
        table = table_of(name)
        if actor.role is Role.BRANCH_MANAGER and (not table.branches or draft.branch != actor.branch_id):
            raise Forbidden("a branch manager proposes overrides for the own branch, of tables that have any")
        version = await publishing.propose(
            uow, book, name, draft.branch or "", draft.effective_on, draft.body, draft.reason
        )
        return PolicyState(name=name, branch=draft.branch, version=version, state="draft")

    @routes.get("/{name}/{version}/difference")
    async def compare_version(
        _: Reader, sql: Reading, name: Code, version: VersionNumber, branch: Branch = ""
    ) -> PolicyDifference:
        """What a version changes, place by place, against what is in force on the day before its own."""
        table = table_of(name)
        found = await publishing.find(sql, table, branch, version)
        against = (await book.read(sql)).versions[table.name].on(publishing.day_before(found["effective_on"]), branch)
        changes = shadow.changes_between(against.written, found["body"])
        return PolicyDifference(version=_name(table, found), against=against.name, changes=changes)

    @routes.post("/{name}/{version}/publication")
    async def publish_version(
        _: Decider, uow: Work, name: Code, version: VersionNumber, branch: Branch = ""
    ) -> PolicyState:
        """Publish another person's draft: it counts for what begins on its day or later, in every process."""
        await publishing.decide(uow, book, table_of(name).name, branch, version, publish=True)
        return PolicyState(name=name, branch=branch or None, version=version, state="published")

    @routes.post("/{name}/{version}/rejection")
    async def reject_version(
        _: Decider, uow: Work, name: Code, version: VersionNumber, branch: Branch = ""
    ) -> PolicyState:
        """Reject another person's draft."""
        await publishing.decide(uow, book, table_of(name).name, branch, version, publish=False)
        return PolicyState(name=name, branch=branch or None, version=version, state="rejected")

    @routes.post("/{name}/{version}/withdrawal")
    async def withdraw_version(
        _: Decider, uow: Work, name: Code, version: VersionNumber, given: PolicyWithdrawal, branch: Branch = ""
    ) -> PolicyState:
        """Take back a published version before its day: it never counts."""
        await publishing.withdraw(uow, table_of(name), branch, version, given.reason)
        return PolicyState(name=name, branch=branch or None, version=version, state="withdrawn")

    @routes.post("/{name}/shadow")
    async def try_version(actor: Trier, uow: Work, name: Code, trial: PolicyTrial) -> shadow.ShadowRun:
        """Run the coming closes with a body and without it, over today's data: what would be different. Nothing is kept."""
        branch = actor.branch_id if actor.role is Role.BRANCH_MANAGER else trial.branch
        return await shadow.run(uow, service.shadow, table_of(name), branch or "", trial.body)

    return routes


def _finder(book: type[PolicyBook]) -> Callable[[str], PolicyTable[Any]]:
    def find(name: str) -> PolicyTable[Any]:
        if name not in book.tables:
            raise NotFound
        return book.tables[name]

    return find


def _name(table: PolicyTable[Any], row: Any) -> str:
    return "/".join(filter(None, (table.prefix, row["scope"], str(row["version"]))))


def _shown(table: PolicyTable[Any], row: Any) -> PolicyVersion:
    shown = dict(row) | {"branch": row["scope"] or None, "number": row["version"], "version": _name(table, row)}
    return PolicyVersion.model_validate(shown)


async def _versions(table: PolicyTable[Any], sql: Any) -> list[PolicyVersion]:
    shipped = [
        PolicyVersion(
            name=table.name, version=one.name, effective_on=one.effective_on, state="published", body=dict(one.written)
        )
        for one in table.shipped
    ]
    return shipped + [_shown(table, row) for row in reversed(await publishing.kept(sql, [table.name]))]
