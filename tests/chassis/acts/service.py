"""The worked example of `docs/acts.md`: claims at a service desk, with everything a table of acts can say."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from fastapi import Response
from pydantic import AwareDatetime, BaseModel
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.acts import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    PLATFORM_ITSELF,
    Act,
    ActView,
    Aggregate,
    ClockKind,
    Doing,
    Earlier,
    HistoryStep,
    Sort,
    Who,
    acts,
    history,
    load,
    pause,
    perform,
    possible,
    promised,
    resume,
    start,
)
from chassis.approvals import by
from chassis.clocks import Ladder, LadderStep, NaturalTime
from chassis.clocks.store import Clock, stepped
from chassis.deadlines import Due
from chassis.errors import Text
from chassis.http import IfMatch, Once, Reading, Work, etag, object_scope, permits, router
from chassis.service import Service
from chassis.tables import new_metadata
from chassis.uow import UnitOfWork
from contracts.broker import ClientOpened

RESULT = "result"
CLIENT, BRANCH, CENTRE = "client", "branch", "centre"
LADDER = Ladder((LadderStep("warn", 75), LadderStep("due")))


class Claim(msgspec.Struct, frozen=True):
    """A claim."""

    claim_id: UUID
    client_id: str
    branch_id: str
    source: str
    state: str
    owner: str | None
    concerned: list[str]
    round: int
    result: str | None
    told: int
    revision: int


OWNER = Who[Claim]("owner", Text("its owner", "承办人"), lambda actor, claim: actor.person == claim.owner)
BRANCH_STAFF = Who[Claim](
    "branch",
    Text("staff of its branch", "所属营业部人员"),
    lambda actor, claim: actor.role in (Role.AGENT, Role.BRANCH_MANAGER) and actor.branch_id == claim.branch_id,
)
MANAGER = Who[Claim](
    "manager",
    Text("its branch's manager", "营业部负责人"),
    lambda actor, claim: actor.role is Role.BRANCH_MANAGER and actor.branch_id == claim.branch_id,
)
OWN_CLIENT = Who[Claim](
    "client", Text("its client", "客户本人"), lambda actor, claim: actor.client_id == claim.client_id
)
REGULATOR = Sort[Claim]("regulator", Text("passed on by the regulator", "监管转办"), lambda c: c.source == "regulator")


def sight(actor: Actor, n: int) -> tuple[str, list[Any]]:
    """Clients see their own, staff of a branch their branch's; nobody sees what is about them."""
    condition, arguments = object_scope(actor, n)
    return f"{condition} AND NOT ${n + len(arguments)} = ANY(concerned)", [*arguments, actor.person]


def audiences(actor: Actor, claim: Claim) -> frozenset[str]:
    """Whose steps the caller reads."""
    if actor.role is Role.CLIENT:
        return frozenset({CLIENT})
    return frozenset({CLIENT, BRANCH} | ({CENTRE} if actor.sees_all_branches else set()))


async def begin(uow: UnitOfWork, claim: Claim, at: datetime) -> Clock:
    """Three days for the result; every round has a clock of its own."""
    return Clock(clock_object(claim), RESULT, claim.client_id, NaturalTime(timedelta(days=3)), at, LADDER)


def clock_object(claim: Claim) -> str:
    """The clocks' object."""
    return f"claim/{claim.claim_id}/{claim.round}"


async def count_told(uow: UnitOfWork, moved: Sequence[Doing[Claim]]) -> None:
    """The client is to be told of every new state."""
    await uow.sql.execute(
        "UPDATE claims SET told = told + 1 WHERE claim_id = ANY($1::uuid[])", [one.id for one in moved]
    )


CLAIM = Aggregate[Claim](
    name="claim",
    table="claims",
    id="claim_id",
    row=lambda record: msgspec.convert(dict(record), Claim),
    states=("received", "accepted", "awaiting_client", "closed", "withdrawn"),
    begins=("received",),
    final=("closed", "withdrawn"),
    waiting=("awaiting_client",),
    sight=sight,
    audiences=audiences,
    concerned="concerned",
    clocks=(ClockKind(RESULT, begin, pausable=True, promises=1, signs=MANAGER),),
    clock_object=clock_object,
    moved=count_told,
)


class Entered(BaseModel, extra="forbid"):
    """An act, and when it happened."""

    at: AwareDatetime | None = None


class Reasoned(Entered):
    """An act with a reason."""

    reason: str = ""


class Promise(Entered):
    """The time by which there is a result."""

    due: AwareDatetime
    reason: str = ""


class Wait(Reasoned):
    """For how long about."""

    until: AwareDatetime | None = None


class Close(Entered):
    """What came of it."""

    result: str


async def own(uow: UnitOfWork, doings: Sequence[Doing[Claim]]) -> None:
    """Whoever accepts owns it."""
    for one in doings:
        one.columns["owner"] = uow.actor.person


async def keep_result(uow: UnitOfWork, doings: Sequence[Doing[Claim]]) -> None:
    """The result stays with the claim."""
    for one in doings:
        one.columns["result"] = one.detail["result"] = one.body.result


async def next_round(uow: UnitOfWork, doings: Sequence[Doing[Claim]]) -> None:
    """A claim that is opened again has clocks of its own."""
    for one in doings:
        one.columns |= {"round": one.before.round + 1, "result": None}


OPEN = ("received", "accepted", "awaiting_client")
ACTS = acts(
    CLAIM,
    Act("accept", Text("Accept", "受理"), on=("received",), to="accepted", who=(BRANCH_STAFF,), needs=(IF_MATCH,),
        clocks={RESULT: start}, tells=(CLIENT, BRANCH, CENTRE), prepare=own),
    Act("wait", Text("Wait for the client", "等待客户"), on=("accepted",), to="awaiting_client", who=(OWNER,),
        not_for=(REGULATOR,), takes=Wait, needs=("reason",), clocks={RESULT: pause("until")}, tells=(CLIENT, BRANCH)),
    Act("reply", Text("Note the client's reply", "登记答复"), on=("awaiting_client",), to="accepted",
        who=(OWN_CLIENT, OWNER), at=Earlier(timedelta(days=7)), clocks={RESULT: resume}, tells=(CLIENT, BRANCH)),
    Act("promise", Text("Promise a time", "承诺时间"), on=("accepted",), who=(OWNER, MANAGER), takes=Promise,
        not_for=(REGULATOR,), needs=("due", "reason", IDEMPOTENCY_KEY), clocks={RESULT: promised("due")},
        tells=(CLIENT, BRANCH)),
    Act("note", Text("Add a note", "备注"), on=OPEN, who=(BRANCH_STAFF,), takes=Reasoned,
        needs=("reason", IDEMPOTENCY_KEY), tells=(BRANCH,)),
    Act("close", Text("Close", "办结"), on=("accepted",), to="closed", who=(OWNER,), takes=Close, needs=("result",),
        prepare=keep_result, tells=(CLIENT, BRANCH, CENTRE)),
    Act("withdraw", Text("Withdraw", "撤回"), on=OPEN, to="withdrawn", who=(OWN_CLIENT, OWNER), takes=Reasoned,
        needs=("reason",), approval={REGULATOR: by(Role.COMPLIANCE)}, tells=(CLIENT, BRANCH, CENTRE)),
    Act("reopen", Text("Open again", "重新受理"), on=("closed", "withdrawn"), to="accepted", who=(MANAGER,),
        only=(REGULATOR,), takes=Reasoned, needs=("reason",), clocks={RESULT: start}, prepare=next_round),
    Act("lapse", Text("Lapse", "逾期关闭"), on=("received",), to="closed", who=(PLATFORM_ITSELF,)),
)  # fmt: skip

routes = router("/v1/desk/claims", "desk")
Anybody = Annotated[Actor, permits("claims:handle", *Role)]


class NewClaim(BaseModel):
    """A claim to make."""

    client_id: str
    branch_id: str
    source: str = "client"
    concerned: list[str] = []


class ClaimView(BaseModel):
    """A claim, with what the caller can do to it."""

    claim_id: UUID
    state: str
    owner: str | None
    result: str | None
    revision: int
    acts: list[ActView]


async def shown(sql: asyncpg.Connection, actor: Actor, claim: Claim, response: Response) -> ClaimView:
    """As the caller sees it."""
    response.headers["etag"] = etag(claim.revision)
    can = await possible(sql, ACTS, actor, claim)
    return ClaimView.model_validate(msgspec.structs.asdict(claim) | {"acts": can})


async def make(uow: UnitOfWork, new: NewClaim) -> UUID:
    """A new claim: the one statement that gives a state without an act."""
    claim_id = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        "INSERT INTO claims (claim_id, client_id, branch_id, source, state, concerned) VALUES ($1, $2, $3, $4, $5, $6)",
        claim_id, new.client_id, new.branch_id, new.source, CLAIM.begins[0], new.concerned,
    )  # fmt: skip
    return claim_id


@routes.post("", status_code=201)
async def enter(_: Anybody, uow: Work, new: NewClaim) -> dict[str, UUID]:
    """Make a claim."""
    return {"claim_id": await make(uow, new)}


@routes.get("/{claim_id}")
async def read(actor: Anybody, sql: Reading, claim_id: UUID, response: Response) -> ClaimView:
    """One claim."""
    return await shown(sql, actor, await load(sql, ACTS, actor, claim_id), response)


@routes.get("/{claim_id}/history")
async def read_history(actor: Anybody, sql: Reading, claim_id: UUID) -> list[HistoryStep]:
    """What happened to it, as far as the caller may read."""
    return await history(sql, ACTS, actor, await load(sql, ACTS, actor, claim_id))


@routes.post("/{claim_id}/accept")
async def accept(
    actor: Anybody, uow: Work, _match: IfMatch, claim_id: UUID, body: Entered, response: Response
) -> ClaimView:
    """Accept it."""
    return await shown(uow.sql, actor, (await perform(uow, ACTS.accept, claim_id, body)).row, response)


@routes.post("/{claim_id}/promise")
async def promise(
    actor: Anybody, uow: Work, _once: Once, claim_id: UUID, body: Promise, response: Response
) -> ClaimView:
    """Promise a time."""
    return await shown(uow.sql, actor, (await perform(uow, ACTS.promise, claim_id, body)).row, response)


@routes.post("/{claim_id}/withdraw")
async def withdraw(actor: Anybody, uow: Work, claim_id: UUID, body: Reasoned, response: Response) -> ClaimView:
    """Withdraw it; 202 while a second person has to agree."""
    done = await perform(uow, ACTS.withdraw, claim_id, body)
    if done.approval is not None:
        response.status_code = 202
        response.headers["location"] = f"/v1/desk/approvals/{done.approval.approval_id}"
    return await shown(uow.sql, actor, done.row, response)


@routes.post("/{claim_id}/reply")
async def reply(actor: Anybody, uow: Work, claim_id: UUID, body: Entered, response: Response) -> ClaimView:
    """Note the client's reply."""
    return await shown(uow.sql, actor, (await perform(uow, ACTS.reply, claim_id, body)).row, response)


@routes.post("/{claim_id}/wait")
async def wait(actor: Anybody, uow: Work, claim_id: UUID, body: Wait, response: Response) -> ClaimView:
    """Wait for the client."""
    return await shown(uow.sql, actor, (await perform(uow, ACTS.wait, claim_id, body)).row, response)


async def let_be(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """Who hears anything hears of the timeline too."""


async def warn(due: Sequence[Due], uow: UnitOfWork) -> None:
    """A step of the result clock fired."""


DESK = Service(
    name="desk",
    tables=new_metadata(),
    migrations=Path(__file__).parent / "desk",
    routes=routes,
    listens={ClientOpened: let_be},
    waits_for=(),
    deadlines={RESULT: stepped(warn)},
    acts=[ACTS],
)
