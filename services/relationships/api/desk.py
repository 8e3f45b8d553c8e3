"""What comes in at the desk and online: questions, clients who come to the branch, logs kept on paper [A30, A35, A12]."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
from pydantic import AfterValidator, BaseModel, Field

from chassis.actor import Actor, Role
from chassis.acts import ActView, load, perform, possible, possible_of_each
from chassis.errors import FieldError
from chassis.http import IfMatch, Listing, Once, Page, Reading, Tagged, Work, etag, object_scope, permits, router
from chassis.personal import mask_text
from chassis.timeline import effective_now
from contracts.fields import BusinessDate, Code, Id, Identifier, Text64, number_of, text_of
from services.relationships import paper, questions, receptions
from services.relationships.api.shapes import DESK, STAFF, Body, see_client, see_person
from services.relationships.errors import WrongValue
from services.relationships.questions import ACTS, OWNER, Asked, Listed, QuestionRow, Zone

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.questions:read", Role.CLIENT, *STAFF)]
Lister = Annotated[Actor, permits("relationships.questions:list", *STAFF, centre=True)]
Asker = Annotated[Actor, permits("relationships.questions:ask", Role.CLIENT, *DESK, centre=True)]
Site = Annotated[Actor, permits("relationships.questions:visitors", Role.SYSTEM, *DESK, centre=True)]
Answerer = Annotated[Actor, permits("relationships.questions:answer", *DESK, Role.HQ, centre=True)]
Withdrawer = Annotated[Actor, permits("relationships.questions:withdraw", Role.CLIENT)]
Receiver = Annotated[Actor, permits("relationships.receptions:make", *DESK)]
ReceptionReader = Annotated[Actor, permits("relationships.receptions:read", *STAFF)]
Typist = Annotated[Actor, permits("relationships.log:import", *DESK, Role.HQ)]
Words = Annotated[str, text_of(2000, 1), AfterValidator(mask_text)]
Codes = Annotated[list[Code], Field(max_length=20, default_factory=list)]
MOST_ROWS = 5_000


class NewQuestion(Body):
    """What a client asks. `first_asked`: who of the branch was asked first, where staff enter it."""

    zone: Zone
    words: Words
    first_asked: Identifier | None = None


class VisitorQuestion(Body):
    """What somebody asks who is no client: `visitor` is how the site, or the desk, finds them again."""

    visitor: Annotated[Text64, Field(description="how a visitor is found again", examples=["web-17"])]
    branch_id: Identifier | None = None
    words: Words


class QuestionView(BaseModel):
    """A question: whose it is, until when it is to be answered, the answer, and what the caller can do."""

    question_id: UUID
    client_id: str | None
    visitor: Annotated[str | None, Field(description="how a visitor is found again", examples=["web-17"])]
    branch_id: str | None
    zone: Zone
    through: Annotated[str, Field(description="online, on_site, phone", examples=["online"])]
    words: str
    owner: str
    asked_at: datetime
    due: datetime
    late: bool
    state: str
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None
    revision: int
    acts: list[ActView]


class NewReception(Body):
    """A client who came: what they showed and needed. `own`: themselves; `unanswered`: what stays open, a question from then on."""

    own: bool
    papers: Codes
    needs: Annotated[
        list[Code], Field(min_length=1, max_length=20, description="what they come for", examples=[["opening"]])
    ]
    forms: Codes
    account_checked: bool = False
    risk_explained: bool = False
    waited_minutes: Annotated[int, number_of(0, 1440)] = 0
    apologised: bool = False
    first_asked: Identifier | None = None
    words: Words | None = None
    unanswered: Words | None = None
    mood: Literal["calm", "annoyed", "angry"] | None = None
    grumble: bool = False


class ReceptionView(BaseModel):
    """A client who came to the branch."""

    reception_id: UUID
    contact_id: UUID
    client_id: str
    branch_id: str | None
    at: datetime
    first_asked: str
    own: bool
    papers: list[str]
    needs: Annotated[list[str], Field(description="what they came for", examples=[["opening"]])]
    forms: list[str]
    account_checked: bool
    risk_explained: bool
    waited_minutes: int
    apologised: bool
    question_id: UUID | None


class PaperLog(Body):
    """A log kept on paper, typed up: each row the texts of its columns (`client_id`, `person`, `channel`, `direction`, `at`, and as
    they are there `two_way`, `valid`, `outcome`, `mood`, `grumble`, `topics`, `words`). `scan`: where the scan of the paper lies;
    `take`: all rows or none, or the good ones."""

    scan: Annotated[str, text_of(200, 2)]
    take: Literal["all", "good"]
    rows: Annotated[
        list[dict[Code, Annotated[str, text_of(4000)]]],
        Field(
            min_length=1, max_length=MOST_ROWS, description="the rows, each with the texts of its columns",
            examples=[[{"client_id": "c-1001", "person": "s-17", "channel": "phone", "direction": "out",
                        "at": "2024-03-04T09:30:00+08:00", "words": "asked for the half-yearly report"}]],
        ),
    ]  # fmt: skip


class RowError(BaseModel):
    """What is wrong in a row, and where."""

    pointer: str
    detail: str


class RowRefused(BaseModel):
    """A row that was not taken, by its place from 0 on."""

    row: int
    errors: list[RowError]


class PaperTaken(BaseModel):
    """What was taken of a paper log: new contacts, those known from the same paper before, and the rows refused."""

    scan: str
    new: int
    known: Annotated[int, Field(description="how many were taken from the same paper before", examples=[0])]
    refused: Annotated[list[RowRefused], Field(description="the rows that were not taken")]


@routes.post("/clients/{client_id}/questions", status_code=201)
async def ask_question(
    actor: Asker, uow: Work, _: Once, client_id: Identifier, body: NewQuestion, response: Tagged
) -> QuestionView:
    """A client asks: in the business zone anything, in the investment zone who trades. Staff enter what they were asked."""
    branch_id = await see_client(uow.sql, actor, client_id)
    if body.first_asked is not None:
        if actor.role is Role.CLIENT:
            raise WrongValue(errors=(FieldError("/first_asked", "is entered by staff"),))
        await see_person(uow.sql, actor, body.first_asked)
    through: questions.Through = "online" if actor.role is Role.CLIENT else "phone"
    asked = Asked(client_id, None, branch_id, body.zone, through, body.words, body.first_asked)
    return await _one(uow.sql, actor, await questions.ask(uow, asked), response)


@routes.post("/questions", status_code=201)
async def ask_visitor_question(
    actor: Site, uow: Work, _: Once, body: VisitorQuestion, response: Tagged
) -> QuestionView:
    """Somebody asks who is no client: the business zone only."""
    branch = body.branch_id if actor.role is Role.SYSTEM or actor.is_centre else actor.branch_id
    asked = Asked(None, body.visitor, branch, "business", "online", body.words)
    return await _one(uow.sql, actor, await questions.ask(uow, asked), response)


@routes.get("/clients/{client_id}/questions")
async def list_questions_of_client(
    actor: Reader, sql: Reading, client_id: Identifier, page: Page
) -> Listing[QuestionView]:
    """What a client asked, and the answers, as they were asked."""
    await see_client(sql, actor, client_id)
    return await _listing(sql, actor, page, "q.client_id = $4", [client_id])


@routes.get("/questions")
async def list_questions(
    actor: Lister, sql: Reading, page: Page, state: Literal["open", "answered", "withdrawn"] = "open"
) -> Listing[QuestionView]:
    """Questions of one's branch, as they were asked."""
    scope, arguments = questions.sight(actor, 5)
    return await _listing(sql, actor, page, f"q.state = $4 AND {scope}", [state, *arguments])


@routes.get("/questions/{question_id}")
async def read_question(actor: Reader, sql: Reading, question_id: Id, response: Tagged) -> QuestionView:
    """One question."""
    return await _one(sql, actor, await load(sql, ACTS, actor, question_id), response)


@routes.post("/questions/{question_id}/answer")
async def answer_question(
    actor: Answerer, uow: Work, question_id: Id, body: questions.Answer, response: Tagged
) -> QuestionView:
    """Answer a question: it is a contact of the service log from then on."""
    return await _one(uow.sql, actor, (await perform(uow, ACTS.answer, question_id, body)).row, response)


@routes.post("/questions/{question_id}/hand-on")
async def hand_question_on(
    actor: Answerer, uow: Work, question_id: Id, _match: IfMatch, body: questions.HandingOn, response: Tagged
) -> QuestionView:
    """Give a question to somebody else: the clock goes on."""
    return await _one(uow.sql, actor, (await perform(uow, ACTS.hand_on, question_id, body)).row, response)


@routes.post("/questions/{question_id}/withdraw")
async def withdraw_question(actor: Withdrawer, uow: Work, question_id: Id, response: Tagged) -> QuestionView:
    """The client does not need the answer any more."""
    return await _one(uow.sql, actor, (await perform(uow, ACTS.withdraw, question_id)).row, response)


async def _listing(
    sql: asyncpg.Connection, actor: Actor, page: Page, condition: str, arguments: list[str | None]
) -> Listing[QuestionView]:
    now = await effective_now(sql)
    after = page.after[0] if page.after else None
    found = await questions.listed(sql, now, condition, arguments, after, page.limit + 1)
    can = await possible_of_each(sql, ACTS, actor, [each.one for each in found])
    views = [_question(each, now, acts) for each, acts in zip(found, can, strict=True)]
    return Listing[QuestionView].model_validate(page.result(views, lambda one: (str(one.question_id),)))


async def _one(sql: asyncpg.Connection, actor: Actor, one: QuestionRow, response: Tagged) -> QuestionView:
    response.headers["etag"] = etag(one.revision)
    now = await effective_now(sql)
    owner = await sql.fetchval(f"SELECT {OWNER} FROM questions q WHERE q.question_id = $2", now, one.question_id)
    return _question(Listed(one, owner), now, await possible(sql, ACTS, actor, one))


def _question(each: Listed, now: datetime, acts: list[ActView]) -> QuestionView:
    one = each.one
    told = {
        name: getattr(one, name)
        for name in QuestionRow.__struct_fields__
        if name not in ("own", "first_asked", "handed_to", "lead")
    }
    late = one.state != "withdrawn" and (one.answered_at or now) >= one.due
    return QuestionView(**told, owner=each.owner, late=late, acts=acts)


@routes.post("/clients/{client_id}/receptions", status_code=201)
async def receive_client(
    actor: Receiver, uow: Work, _: Once, client_id: Identifier, body: NewReception
) -> ReceptionView:
    """A client came to the branch: a contact of the service log, and what could not be answered a question with a clock."""
    branch_id = await see_client(uow.sql, actor, client_id)
    if body.first_asked is not None:
        await see_person(uow.sql, actor, body.first_asked)
    return _reception(await receptions.receive(uow, client_id, branch_id, receptions.Came(**body.model_dump())))


@routes.get("/receptions")
async def list_receptions(
    actor: ReceptionReader, sql: Reading, page: Page, since: BusinessDate, until: BusinessDate,
    client_id: Identifier | None = None,
) -> Listing[ReceptionView]:  # fmt: skip
    """Clients who came to the branch on some days, as they came."""
    first: date = since
    scope, arguments = object_scope(actor, 6)
    after = page.after[0] if page.after else None
    found = await receptions.listed(sql, first, until, client_id, after, page.limit + 1, scope, arguments)
    views = [_reception(one) for one in found]
    return Listing[ReceptionView].model_validate(page.result(views, lambda one: (str(one.reception_id),)))


def _reception(one: receptions.ReceptionRow) -> ReceptionView:
    return ReceptionView(**{name: getattr(one, name) for name in ReceptionView.model_fields})


@routes.post("/contacts/paper", status_code=201)
async def take_paper_log(_: Typist, uow: Work, once: Once, body: PaperLog) -> PaperTaken:
    """Take in a log kept on paper: with `take` all, one wrong row refuses everything and the answer names each."""
    found = await paper.take(uow, body.scan, body.rows, whole=body.take == "all")
    refused = [
        RowRefused(
            row=one.place, errors=[RowError(pointer=each.pointer, detail=each.detail) for each in one.errors]
        )
        for one in found.refused
    ]  # fmt: skip
    return PaperTaken(scan=body.scan, new=found.new, known=found.known, refused=refused)
