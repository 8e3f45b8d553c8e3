"""The routes every service has for its operators."""

import re
from dataclasses import asdict
from datetime import date, datetime, timedelta
from functools import cache
from time import monotonic
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, SecretStr

from chassis.actor import Actor, Role
from chassis.clock import utc_now
from chassis.database import Database
from chassis.erasure import answering, foreseen
from chassis.errors import NotFound, Text
from chassis.http.idempotency import router
from chassis.http.paging import Listing, Page
from chassis.http.permissions import permits
from chassis.http.reads import Purpose, require_sight_of
from chassis.http.traffic import Traffic
from chassis.http.work import Work
from chassis.operations import audit_rows, conflicts, dead_letters, deadlines, messages
from chassis.operations.audit_rows import AuditPlace, AuditWanted
from chassis.operations.lag import lag
from chassis.operations.messages import MessagePlace, MessagesWanted
from chassis.operations.status import status
from chassis.settings import Settings
from contracts.fields import Code, Identifier, Instant, Label, Number, text_of
from contracts.platform import ErasureRequested

Reader = Annotated[Actor, permits("operations:read", Role.OPERATIONS)]
Auditor = Annotated[Actor, permits("audit:read", Role.COMPLIANCE)]
Seer = Annotated[Actor, permits("messages:read", Role.OPERATIONS, Role.COMPLIANCE)]
Unmasker = Annotated[Actor, permits("messages:unmask", Role.COMPLIANCE)]
Eraser = Annotated[Actor, permits("clients:foresee_erasure", Role.COMPLIANCE, Role.HQ)]
AUDIT_DAYS = 92
"""Without a beginning the search goes so far back."""
Operator = Annotated[Actor, permits("operations:act", Role.OPERATIONS)]


class TopicLag(BaseModel):
    """Lag of one topic."""

    topic: str
    records: int
    seconds: float
    at_least: bool = Field(False, description="older than `seconds`: the oldest record is not there any more")


class LagReport(BaseModel):
    """What the service has not applied, what its outbox has not shipped, which days it has closed."""

    service: str
    records: int
    seconds: float
    unshipped: int
    topics: list[TopicLag]
    closed_through: date | None


class ServiceStatus(BaseModel):
    """One service's row in the status of all."""

    service: str
    state: Literal["up", "failing"]
    version: str
    uptime_seconds: float
    requests_per_second: float
    error_share: float = Field(description="of answers of the last five minutes that were 5xx")
    p95_ms: float
    lag_records: int
    lag_seconds: float
    unshipped: int
    dead_letters: int
    conflicts: int
    deadlines_due: int = 0
    deadlines_failed: int = 0
    deadlines_late: int = Field(0, description="fired more than a minute late in the last 24 hours")
    calendar_last_day: date | None = None
    calendar_warning: str = ""
    closed_through: date | None
    failing_loops: dict[str, str]


class DeadLetter(BaseModel):
    """A record that no handler could take."""

    id: int
    at: datetime
    topic: str
    partition: int
    offset: int
    key: str | None
    type: str | None
    event_id: str | None
    event_source: str | None
    event_time: datetime | None
    reason: str
    error: str
    redriven_at: datetime | None
    redriven_by: str | None
    skipped_at: datetime | None = None
    skipped_by: str | None = None
    skipped_because: str | None = None


class DeadLetterWithValue(DeadLetter):
    """The same with the record's value as text, the key's bytes in base64 and, of an unusual envelope, its headers."""

    value: str
    raw_key: str | None
    raw_headers: list[tuple[str, str | None]] | None


class RedriveOrder(BaseModel, extra="forbid"):
    """Which dead letters to give to their handler again: `ids`, or all open ones."""

    ids: list[Number] | None = Field(None, max_length=1000)
    all: bool = False
    dry_run: bool = False


class Redriven(BaseModel):
    """What became of one dead letter."""

    id: int
    outcome: Literal["done", "would_pass", "failed"]
    error: str


class SkipOrder(BaseModel, extra="forbid"):
    """Which dead letters stay undone, and why."""

    ids: list[Number] = Field(min_length=1, max_length=1000)
    reason: Annotated[str, text_of(500, 1)]


class CorrectedOrder(BaseModel, extra="forbid"):
    """What the value should have been, and why. A dry run keeps nothing."""

    value: Annotated[str, text_of(1_000_000, 1)]
    reason: Annotated[str, text_of(500, 3)]
    dry_run: bool = False


class ToldMessage(BaseModel):
    """A message as the log keeps it."""

    topic: str
    partition: int
    offset: int
    written_at: datetime = Field(description="when the log took it", examples=["2024-03-04T10:00:00+08:00"])
    key: str
    type: str
    id: str
    source: str
    time: datetime
    traceparent: str | None = Field(
        description="the trace it belongs to", examples=["00-01890a5dac96774bbcceb302099a8057-bcceb302099a8057-01"]
    )
    value: Any = Field(description="the event, with marks for what is personal", examples=[{"client_id": "c-1"}])


class Unmasking(BaseModel, extra="forbid"):
    """Why it is to be read in clear."""

    reason: Annotated[str, text_of(500, 3)]


class Unmasked(BaseModel):
    """The members of a message that name or reach a person; null where the key is gone."""

    id: str
    type: str
    key: str
    members: dict[str, str | None] = Field(description="the values in clear, by member", examples=[{"name": "王芳"}])


class ForeseenErasure(BaseModel):
    """What an erasure would meet in this service. `over`: nothing keeps the client; `removes`: sealed values that could be read
    no more, by table and column; `keeps`: rows that stay under the bare id, by table."""

    client_id: str
    over: bool = Field(description="nothing keeps the client", examples=[False])
    reason: str = Field(description="what keeps the client; empty: nothing", examples=["account open"])
    kept_until: date | None
    removes: dict[str, int] = Field(description="sealed values, by table and column", examples=[{"clients.name": 1}])
    keeps: dict[str, int] = Field(description="rows, by table", examples=[{"clients": 1}])


class SettingsShown(BaseModel):
    """Settings by name, and the service's own checks by name."""

    service: str
    settings: dict[str, str] = Field(description="settings by name, without secrets", examples=[{"partitions": "4"}])
    checks: dict[str, Any] = Field(description="checks by name", examples=[{"calendar": {"status": "pass"}}])


_SECRET_OPTION = re.compile(r"((?:[?&\s]|^)[^=?&\s]*(?:pass|secret|token|key)[^=?&\s]*=)[^&\s]*", re.IGNORECASE)


def shown_settings(settings: Settings) -> dict[str, str]:
    """Each setting as text: of a secret whether it is set, of an address neither login nor options that are secret."""
    return {name: _shown(getattr(settings, name)) for name in sorted(type(settings).model_fields)}


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, SecretStr):
        return "set"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(one)}" for name, one in sorted(value.items())) or "-"
    return _SECRET_OPTION.sub(r"\1•••", re.sub(r"//[^/@]*@", "//", str(value)))


class RedriveReport(BaseModel):
    """What became of each."""

    dry_run: bool
    results: list[Redriven]


class ConflictRow(BaseModel):
    """A fact that came again with other content."""

    id: int
    at: datetime
    type: str
    client_id: str
    identity: str
    known: Any
    offered: Any
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None


class ConflictDecision(BaseModel, extra="forbid"):
    """Accept what was offered, or leave what is known; and why."""

    decision: Literal["accepted", "rejected"]
    reason: Annotated[str, text_of(500, 1)]


class DeadlineCounts(BaseModel):
    """Deadlines armed, due now, due in the next hour, put aside; late is more than a minute."""

    timeline: Literal["real", "simulated"] | None
    armed: int
    due: int
    next_hour: int
    failed: int
    late_last_day: int
    oldest_late_seconds: float


class DeadlineRow(BaseModel):
    """One armed deadline."""

    generation: int
    kind: str
    object: str
    step: str
    key: str
    due: datetime
    payload: dict[str, Any]
    armed_at: datetime
    failed_at: datetime | None
    error: str | None


class StepOrder(BaseModel, extra="forbid"):
    """Which deadline to fire: its generation, without it the next by due. A dry run keeps nothing."""

    generation: Number | None = None
    dry_run: bool = False


class ToldRow(BaseModel):
    """A message that a deadline's handler sent, or in a dry run would send."""

    type: str
    key: str
    time: datetime
    data: Any


class FiredReport(BaseModel):
    """What one deadline did, or would do."""

    generation: int
    kind: str
    object: str
    step: str
    due: datetime
    outcome: Literal["fired", "would_fire", "failed"]
    told: list[ToldRow]
    error: str


class AuditRow(BaseModel):
    """Who did or read what, when, why and about whom; `clients`: those the row names, of a list the first fifty."""

    at: datetime
    actor: str
    person: str
    role: str
    action: str
    object: str
    purpose: str | None
    path: str | None
    clients: list[str]


@cache  # however many apps one process makes of a service, its routes are analysed once
def operators_routes(service: str) -> APIRouter:
    """The operators' routes of one service."""
    routes = router(f"/v1/{service}/operations", "operations")

    @routes.get("/status")
    async def read_status(_: Reader, request: Request) -> ServiceStatus:
        """State, version, uptime, rate, errors, p95, lag, dead letters and conflicts of this service."""
        state = request.app.state
        traffic: Traffic = state.traffic
        recently = traffic.recently()
        return ServiceStatus(
            uptime_seconds=round(monotonic() - traffic.started, 1),
            requests_per_second=recently.rate,
            error_share=recently.errors,
            p95_ms=recently.p95_ms,
            **await status(state.service, state.database, state.settings, state.worker),
        )

    @routes.get("/lag")
    async def read_lag(_: Reader, request: Request) -> LagReport:
        """How far this service is behind, by topic."""
        state = request.app.state
        return LagReport.model_validate(asdict(await lag(state.service, state.database, state.settings)))

    @routes.get("/audit")
    async def search_audit(
        actor: Auditor,
        request: Request,
        page: Page,
        purpose: Purpose,
        client: Identifier | None = None,
        person: Identifier | None = None,
        action: Annotated[Label | None, Query(description="the action, or how it begins")] = None,
        since: Instant | None = None,
        until: Instant | None = None,
    ) -> Listing[AuditRow]:
        """Audit rows, newest first: about a client (whose object or inputs name it), by a person, of an action; without `since` all of a
        client's, and of others those of the last 92 days. The search itself leaves a row."""
        database: Database = request.app.state.database
        async with database.unit_of_work(actor) as uow:
            uow.audit(
                "read",
                "audit",
                permission="audit:read",
                purpose=purpose,
                path=request.url.path,
                about=client,
                of=person,
            )
            last = until or uow.now
        begin = since or (last - timedelta(days=AUDIT_DAYS) if client is None else None)
        wanted = AuditWanted(begin, last, client, person, action)
        place = page.after
        after = AuditPlace(datetime.fromisoformat(str(place[0])), int(place[1]), int(place[2])) if place else None
        rows = await audit_rows.listed(database, wanted, after, page.limit + 1)
        found = page.result(rows, lambda row: (row["at"].isoformat(), row["partition"], row["number"]))
        return Listing[AuditRow].model_validate(found)

    @routes.get("/dead-letters")
    async def list_dead_letters(
        _: Reader, request: Request, page: Page, state: Annotated[dead_letters.State, Query()] = "open"
    ) -> Listing[DeadLetter]:
        """Dead letters, oldest first."""
        after = int(page.after[0]) if page.after else 0
        rows = await dead_letters.listed(request.app.state.database, state, after=after, limit=page.limit + 1)
        return Listing[DeadLetter].model_validate(page.result(rows, lambda row: (row["id"],)))

    @routes.get("/dead-letters/{letter}")
    async def read_dead_letter(_: Reader, request: Request, letter: Number) -> DeadLetterWithValue:
        """One dead letter with its value."""
        return DeadLetterWithValue.model_validate(await dead_letters.shown(request.app.state.database, letter))

    @routes.post("/dead-letters/redrive")
    async def redrive_dead_letters(actor: Operator, request: Request, order: RedriveOrder) -> RedriveReport:
        """Give dead letters to their handler again. One that fails stays, with its new error."""
        state = request.app.state
        ids = None if order.all else order.ids or []
        results = await dead_letters.redrive(state.service, state.database, actor, ids, dry_run=order.dry_run)
        return RedriveReport(dry_run=order.dry_run, results=[Redriven.model_validate(asdict(one)) for one in results])

    @routes.post("/dead-letters/{letter}/corrected")
    async def redrive_corrected(
        actor: Operator, request: Request, letter: Number, order: CorrectedOrder
    ) -> RedriveReport:
        """Give one dead letter to its handler with another value, and say why; the letter keeps what came."""
        state = request.app.state
        correction = dead_letters.Correction(order.value, order.reason)
        result = await dead_letters.redrive_corrected(
            state.service, state.database, actor, letter, correction, dry_run=order.dry_run
        )
        return RedriveReport(dry_run=order.dry_run, results=[Redriven.model_validate(asdict(result))])

    @routes.get("/messages")
    async def list_told(
        actor: Seer,
        request: Request,
        page: Page,
        type: Code | None = None,
        key: Identifier | None = None,
        id: Identifier | None = None,
        trace: Annotated[Identifier | None, Query(description="the trace, or the request, that made it")] = None,
        since: Instant | None = None,
        until: Instant | None = None,
    ) -> Listing[ToldMessage]:
        """Messages this service told, newest first; a day back without `since`. What names or reaches a person is a mark;
        findings and what is restricted are for compliance."""
        state = request.app.state
        if key:
            await require_sight_of(request, actor, key)
        last = until or utc_now()
        wanted = MessagesWanted(
            since or last - timedelta(days=1), last, type, key, id, trace.replace("-", "") if trace else None
        )
        place = page.after
        after = MessagePlace(datetime.fromisoformat(str(place[0])), str(place[1]), int(place[2]), int(place[3])) if place else None  # fmt: skip
        rows = await messages.listed(state.service, state.database, wanted, after, page.limit + 1,
                                     everything=actor.role is Role.COMPLIANCE)  # fmt: skip
        found = page.result(
            rows, lambda row: (row["written_at"].isoformat(), row["topic"], row["partition"], row["offset"])
        )
        return Listing[ToldMessage].model_validate(found)

    @routes.post("/messages/{topic}/{partition}/{offset}/unmask")
    async def unmask_message(
        _: Unmasker, request: Request, uow: Work, topic: Code, partition: Number, offset: Number, why: Unmasking
    ) -> Unmasked:
        """What one message says of a person, in clear: a right of compliance, with a reason, and on record."""
        found = await messages.unmasked(request.app.state.service, uow, topic, partition, offset, why.reason)
        return Unmasked.model_validate(found)

    @routes.get("/erasures/{client_id}")
    async def foresee_erasure(
        _: Eraser, request: Request, uow: Work, purpose: Purpose, client_id: Identifier
    ) -> ForeseenErasure:
        """What erasing a client would meet here: what keeps them and until when, what could be read no more, what stays under
        the bare id. Nothing is begun; looking is on record."""
        service = request.app.state.service
        handler = service.listens.get(ErasureRequested)
        if not isinstance(handler, answering):
            raise NotFound(Text("nothing of clients is kept here", "此服务不保存客户信息"))
        found = await foreseen(uow, service.tables, handler.judge, client_id)
        uow.audit("read", f"client/{client_id}", key=client_id, permission="clients:foresee_erasure", purpose=purpose,
                  path=request.url.path)  # fmt: skip
        return ForeseenErasure(
            client_id=client_id, over=not found.judgement.reason, reason=found.judgement.reason,
            kept_until=found.judgement.kept_until, removes=dict(found.removes), keeps=dict(found.keeps),
        )  # fmt: skip

    @routes.get("/settings")
    async def read_settings(_: Reader, request: Request) -> SettingsShown:
        """The settings of this process, without what is secret, and what its own checks say."""
        state = request.app.state
        async with state.database.reading() as sql:
            checks = {name: await check(sql) for name, check in sorted(state.service.checks.items())}
        return SettingsShown(service=state.service.name, settings=shown_settings(state.settings), checks=checks)

    @routes.post("/dead-letters/skip", status_code=204)
    async def skip_dead_letters(actor: Operator, request: Request, order: SkipOrder) -> None:
        """Decide that dead letters stay undone: all of them or none. They are kept, with who, when and why."""
        await dead_letters.skip(request.app.state.database, actor, order.ids, order.reason)

    @routes.get("/deadlines/counts")
    async def count_deadlines(_: Reader, request: Request) -> DeadlineCounts:
        """How many deadlines are due, late, due in the next hour."""
        async with request.app.state.database.reading() as sql:
            return DeadlineCounts.model_validate(await deadlines.counted(sql))

    @routes.get("/deadlines")
    async def list_deadlines(
        _: Reader, request: Request, page: Page, which: Annotated[deadlines.Which, Query()] = "all"
    ) -> Listing[DeadlineRow]:
        """Armed deadlines by due: all, due, soon (the next hour) or failed."""
        after = (datetime.fromisoformat(str(page.after[0])), int(page.after[1])) if page.after else None
        rows = await deadlines.listed(request.app.state.database, which, after=after, limit=page.limit + 1)
        found = page.result(rows, lambda row: (row["due"].isoformat(), row["generation"]))
        return Listing[DeadlineRow].model_validate(found)

    @routes.post("/deadlines/step")
    async def step_deadline(actor: Operator, request: Request, order: StepOrder) -> FiredReport:
        """Fire one deadline, never early; one put aside may be fired again. A dry run shows what it would do."""
        state = request.app.state
        fired = await deadlines.step(state.service, state.database, actor, order.generation, dry_run=order.dry_run)
        if fired is None:
            raise NotFound(Text("nothing is armed", "没有待触发的期限"))
        told = [{**asdict(one), "data": msgspec.json.decode(one.data)} for one in fired.told]
        return FiredReport.model_validate(asdict(fired) | {"told": told})

    @routes.get("/conflicts")
    async def list_conflicts(_: Reader, request: Request, page: Page, undecided: bool = True) -> Listing[ConflictRow]:
        """Facts that came again with other content."""
        after = int(page.after[0]) if page.after else 0
        rows = await conflicts.listed(
            request.app.state.database, undecided=undecided, after=after, limit=page.limit + 1
        )
        return Listing[ConflictRow].model_validate(page.result(rows, lambda row: (row["id"],)))

    @routes.post("/conflicts/{conflict}/decision")
    async def decide_conflict(
        actor: Operator, request: Request, conflict: Number, wanted: ConflictDecision
    ) -> ConflictRow:
        """Accept the offered content, or leave what is known."""
        state = request.app.state
        row = await conflicts.decide(state.service, state.database, actor, conflict, wanted.decision, wanted.reason)
        return ConflictRow.model_validate(row)

    return routes
