"""Decisions over HTTP: one, its confirmation, its evidence, its why; and the screening of many."""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import Path, Request, Response
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.approvals import Approval
from chassis.database import Database
from chassis.errors import Forbidden, NotFound, Refusal, Text
from chassis.http import (
    Batched,
    Listing,
    Once,
    Page,
    Reading,
    Work,
    batched,
    may_see,
    object_scope,
    permits,
    router,
)
from chassis.http.approvals import ApprovalView, view
from chassis.http.documents import problem_answer
from chassis.http.language import Language
from chassis.http.uploads import gives
from chassis.key_history import KeyHistory
from chassis.secrets import signing_key
from chassis.uow import UnitOfWork
from contracts.fields import Code, Identifier
from services.suitability import decisions, evidence, explain, links, screening
from services.suitability.api.shapes import (
    CONTROL,
    DESK,
    EVERYBODY,
    STAFF,
    Body,
    Name,
    Reference,
    answer,
    require_client,
    see_client,
)
from services.suitability.errors import ConfirmationLinkUsed, UnknownClient
from services.suitability.levels import SCHEMES
from services.suitability.policy import Policies, Policy
from services.suitability.reasons import OUTCOMES, REASONS
from services.suitability.rules import DecisionOutcome, Reason
from services.suitability.situations import Situation

NO_KEYS: dict[int | str, dict[str, Any]] = {404: problem_answer(404, [NotFound])}
"""A home that has signed nothing yet."""
LINK_OVER: dict[int | str, dict[str, Any]] = {
    404: problem_answer(404, [NotFound]),
    409: problem_answer(409, [ConfirmationLinkUsed]),
}
routes = router("/v1/suitability", "suitability")
Asker = Annotated[Actor, permits("suitability.decisions:make", *EVERYBODY)]
Reader = Annotated[Actor, permits("suitability.decisions:read", *EVERYBODY)]
Sender = Annotated[Actor, permits("suitability.links:send", *DESK, Role.HQ, Role.SYSTEM)]
Own = Annotated[Actor, permits("suitability.links:open", Role.CLIENT)]
Screener = Annotated[Actor, permits("suitability.decisions:screen", *STAFF)]
Auditor = Annotated[Actor, permits("suitability.evidence:read", *CONTROL)]


class DecisionBody(Body):
    """May this client buy (or sell) this product?"""

    client: Name
    product: Name
    side: Literal["buy", "sell"] = "buy"
    initiator: Literal["client", "staff", "campaign"] = "client"
    channel: Name


class Said(BaseModel):
    """A reason, in both languages."""

    code: str
    zh: str
    en: str


class WarningQuestion(BaseModel):
    """A question beside the warning of a high-risk product; with another answer than `expects` it does not go on."""

    code: str
    zh: str
    en: str
    expects: Literal["yes", "no"]


class Warning(BaseModel):
    """The exact warning shown, its version, and the questions beside it."""

    version: str
    zh: str
    en: str
    questions: list[WarningQuestion] = Field(default_factory=list)


class Decision(BaseModel):
    """PASS, CONFIRM (show the warning, wait, confirm) or BLOCK, and why."""

    decision_id: str
    client: str
    product: str
    outcome: Literal["PASS", "CONFIRM", "BLOCK"]
    text: dict[str, str] = Field(description="the answer in zh and en")
    reasons: list[Said]
    level_held: str | None
    level_needed: str | None
    warning: Warning | None = Field(description="only with CONFIRM")
    needs: list[str] = Field(
        description="still needed: confirmation, signature, recording, answers, staff_review, second_contact"
    )
    not_before: datetime | None = Field(description="end of the cooling time")
    confirm_by: datetime | None
    decided_at: datetime
    policy: str


class QuestionAnswer(Body):
    """The answer to a question beside the warning."""

    question: Name
    answer: Literal["yes", "no"]


class ConfirmationBody(Body):
    """The client read the warning of this version, in this language, and insists."""

    warning_version: Name
    language: Literal["zh-CN", "en"] = "zh-CN"
    answers: Annotated[list[QuestionAnswer], Field(max_length=20, default_factory=list)]
    signature: Reference | None = None
    recording: Reference | None = None
    link: Annotated[Code | None, Field(description="of a message: the client opened it in their own zone")] = None


class LinkSent(BaseModel):
    """A link is on its way to the client: they can confirm by it between these instants, once."""

    decision_id: str
    opens_at: datetime = Field(description="the end of the cooling time, or now")
    expires_at: datetime


class Confirmation(BaseModel):
    """Until when the confirmation holds for its product."""

    decision_id: str
    product: str
    confirmed_at: datetime
    valid_until: date


class ScreeningBody(Body):
    """Many clients, or a branch's, or all one may see, against some products."""

    clients: Annotated[list[Name], Field(min_length=1, max_length=100_000)] | None = None
    branch: Name | None = None
    products: Annotated[list[Name], Field(min_length=1, max_length=1_000)]
    side: Literal["buy", "sell"] = "buy"
    initiator: Literal["client", "staff", "campaign"] = "campaign"


class Screening(BaseModel):
    """Answers as [client, product, outcome, reasons]; nothing of them is kept, each sale needs its own decision."""

    counts: dict[str, int]
    answers: list[tuple[str, str, str, list[str]]]
    unknown_clients: list[str]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by whom, in which trace."""

    ask: decisions.Ask
    actor: Actor
    traceparent: str | None


async def decide_all(database: Database, questions: Sequence[Question]) -> list[dict[str, Any] | Refusal]:
    """Decide questions that came at the same time, in one transaction: of each the decision's row or its refusal."""
    answers: list[dict[str, Any] | Refusal] = []
    async with database.unit_of_work() as uow:
        found = await decisions.read_situations(uow, [(q.ask.client, q.ask.product) for q in questions])
        for question, situation in zip(questions, found, strict=True):
            uow.traceparent = question.traceparent
            try:
                answers.append(await _decide(uow, question, situation))
            except Refusal as refusal:
                answers.append(refusal)
    return answers


async def _decide(uow: UnitOfWork, question: Question, found: tuple[Situation, Policy] | None) -> dict[str, Any]:
    if found is None or not may_see(question.actor, question.ask.client, found[0].branch_id):
        raise UnknownClient
    (situation, policy), ask = found, question.ask
    decisions.demanded_by(ask.channel, policy)
    return await decisions.make_decision(uow, ask, situation, policy, question.actor.person)


@routes.post("/decisions", status_code=201, response_model=Decision)
async def decide(
    actor: Asker, desk: Annotated[Batched[Question, dict[str, Any]], batched(decide_all)], request: Request,
    body: DecisionBody,
) -> Response:  # fmt: skip
    """Decide and keep the decision with everything it rests on."""
    if actor.role is Role.CLIENT and body.initiator != "client":
        raise Forbidden(Text("a client starts their own purchases only", "客户只能发起本人的购买"))
    ask = decisions.Ask(body.client, body.product, body.side, body.initiator, body.channel)
    return answer(_shown(await desk.ask(Question(ask, actor, request.headers.get("traceparent")))), 201)


@routes.get("/decisions/{decision_id}", response_model=Decision)
async def read_decision(actor: Reader, sql: Reading, decision_id: Identifier) -> Response:
    """A decision as it was made."""
    return answer(_shown(await _visible(sql, actor, decision_id)))


@routes.get("/decisions/{decision_id}/explain")
async def explain_decision(actor: Reader, sql: Reading, decision_id: Identifier) -> dict[str, Any]:
    """Why: every reason as a sentence, and the facts the rule saw."""
    return explain.decision(await _visible(sql, actor, decision_id))


@routes.post(
    "/decisions/{decision_id}/confirmation",
    status_code=201,
    responses={202: {"model": ApprovalView, "description": "It waits for another person to check it"}},
)
async def confirm(
    actor: Asker, uow: Work, decision_id: Identifier, body: ConfirmationBody, response: Response,
    accept_language: Language = "",
) -> Confirmation | ApprovalView:  # fmt: skip
    """Complete a CONFIRM: after the cooling time, with the warning shown and what the channel demands [Q4]. The client
    confirms in their own name; what staff enter at the counter or on the telephone another person checks first (202), and
    so every high-risk purchase of an elderly or vulnerable client."""
    decision = await _visible(uow.sql, actor, decision_id)
    proofs = decisions.Proofs(body.signature, body.recording)
    answers = {one.question: one.answer for one in body.answers}
    insisted = decisions.Insisted(body.warning_version, body.language, answers)
    link = None
    if body.link is not None:
        link = await links.opened(uow.sql, uow.database.settings, actor, body.link)
        if link.decision_id != decision_id:
            raise NotFound
    done = await decisions.confirm(uow, decision, insisted, proofs, link)
    if not isinstance(done, Approval):
        return Confirmation.model_validate(done)
    response.status_code = 202
    return view("suitability", decisions.CONFIRMATION, done, accept_language)


@routes.post("/decisions/{decision_id}/link", status_code=201)
async def send_link(actor: Sender, uow: Work, _: Once, decision_id: Identifier) -> LinkSent:
    """Have a link delivered by which the client confirms in their own zone, signed in as themselves; it comes when the cooling
    time is over, is good once, and one sent before is good no more [Q4]."""
    link = await links.send(uow, await _visible(uow.sql, actor, decision_id))
    return LinkSent(decision_id=decision_id, opens_at=link.opens_at, expires_at=link.expires_at)


@routes.get("/confirmation-links/{link}", response_model=Decision, responses=LINK_OVER)
async def open_link(
    actor: Own, sql: Reading, request: Request, link: Annotated[Code, Path(description="as the message says it")]
) -> Response:
    """The decision that a link of a message asks the client to confirm, with its warning."""
    found = await links.opened(sql, request.app.state.settings, actor, link)
    decision = await _visible(sql, actor, found.decision_id)
    policy = (await Policies.read(sql)).on(decision["decided_on"])
    others = [name for name in decision["needs"] if name not in ("signature", "recording")]
    return answer(_shown(decision | {"needs": [*others[:1], *policy.link_evidence, *others[1:]]}))


@routes.get("/decisions/{decision_id}/evidence", response_model=dict[str, Any])
async def export_evidence(actor: Auditor, sql: Reading, request: Request, decision_id: Identifier) -> Response:
    """The signed bundle of a decision as one file; `careline verify-evidence FILE` checks it offline."""
    decision = await _visible(sql, actor, decision_id)
    key = signing_key(request.app.state.settings, "seal")
    content = evidence.canonical(await evidence.bundle(sql, decision, key))
    name = base64.urlsafe_b64encode(decision_id.encode()).decode() if not decision_id.isascii() else decision_id
    headers = {"content-disposition": f'attachment; filename="evidence-{name}.json"'}
    return Response(content, media_type="application/json", headers=headers)


@routes.get("/evidence/keys", response_class=Response, responses=gives("text/plain") | NO_KEYS)
async def publish_keys(_: Reader, request: Request) -> Response:
    """The public keys that have signed bundles, each signed for by the one before: `careline verify-evidence --keys FILE`."""
    history = KeyHistory(request.app.state.settings)
    if not history.there:
        raise NotFound
    return Response(await asyncio.to_thread(history.path.read_bytes), media_type="text/plain")


@routes.get("/clients/{client_id}/decisions")
async def list_decisions(actor: Reader, sql: Reading, client_id: Identifier, page: Page) -> Listing[Decision]:
    """A client's decisions, newest first."""
    await see_client(sql, actor, client_id)
    at, behind = page.after or ("9999-12-31T00:00:00+00:00", "")
    rows = await sql.fetch(
        """SELECT * FROM decisions WHERE client_id = $1 AND (decided_at < $2 OR decided_at = $2 AND decision_id > $3)
           ORDER BY decided_at DESC, decision_id LIMIT $4""",
        client_id,
        datetime.fromisoformat(str(at)),
        str(behind),
        page.limit + 1,
    )
    found = page.result(
        [_shown(dict(row)) for row in rows], lambda row: (row["decided_at"].isoformat(), row["decision_id"])
    )
    return Listing[Decision].model_validate(found)


@routes.post("/screenings", response_model=Screening)
async def screen(actor: Screener, uow: Work, body: ScreeningBody) -> Response:
    """Screen many clients or products at once, set-based: a campaign's list before anybody is called."""
    screened = await screening.screen(
        uow, body.clients, body.branch, body.products, body.side, body.initiator, object_scope(actor, 3)
    )
    uow.audit("screen", "screening", clients=len(screened.answers), products=body.products[:20], side=body.side)
    answers = [(client, product, v.outcome.value, v.reasons) for client, product, v in screened.answers]
    return answer({"counts": screened.counts, "answers": answers, "unknown_clients": screened.unknown})


async def _visible(sql: asyncpg.Connection, actor: Actor, decision_id: str) -> dict[str, Any]:
    row = await sql.fetchrow("SELECT * FROM decisions WHERE decision_id = $1", decision_id)
    if row is None:
        raise NotFound
    await require_client(sql, actor, row["client_id"])
    return dict(row)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    facts, outcome = row["facts"], DecisionOutcome(row["outcome"])
    scheme = SCHEMES[facts["scheme"]]
    held, needed = facts["holder"]["held"], facts["target"]["needed"]
    return {
        "decision_id": row["decision_id"],
        "client": row["client_id"],
        "product": row["product"],
        "outcome": outcome.value,
        "text": {"zh": OUTCOMES[outcome].zh, "en": OUTCOMES[outcome].en},
        "reasons": [_said(Reason(reason)) for reason in row["reasons"]],
        "level_held": scheme.level(held).code if held else None,
        "level_needed": scheme.level(needed).code if needed else None,
        "warning": row["warning"],
        "needs": row["needs"],
        "not_before": row["not_before"],
        "confirm_by": row["confirm_by"],
        "decided_at": row["decided_at"],
        "policy": row["policy"],
    }


def _said(reason: Reason) -> dict[str, str]:
    return {"code": reason.value, "zh": REASONS[reason].zh, "en": REASONS[reason].en}
