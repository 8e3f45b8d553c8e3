"""Questionnaires answered, over HTTP: drafts, submissions, reviews, life changes."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field

from chassis.actor import Actor, Role
from chassis.acts import ActView, HistoryStep, history, load, possible
from chassis.errors import NotFound
from chassis.http import (
    Listing,
    MatchText,
    Once,
    Page,
    Purpose,
    Reading,
    Tagged,
    Work,
    etag,
    object_scope,
    permits,
    router,
)
from chassis.http.approvals import ApprovalView, view
from chassis.http.language import Language
from chassis.timeline import today
from contracts.fields import Identifier, number_of
from services.suitability import life_changes, reviews, submissions, vulnerability
from services.suitability.api.shapes import (
    CONTROL,
    DESK,
    EVERYBODY,
    STAFF,
    Body,
    Name,
    Reference,
    Version,
    Words,
    see_client,
)
from services.suitability.decisions import Proofs
from services.suitability.life_changes import Change
from services.suitability.questionnaires.answers import sent_by_caller
from services.suitability.vulnerability import Cause

routes = router("/v1/suitability", "suitability")
Submitter = Annotated[Actor, permits("suitability.questionnaires:submit", Role.CLIENT, *DESK, Role.SYSTEM)]
Reader = Annotated[Actor, permits("suitability.questionnaires:read", *EVERYBODY)]
Lister = Annotated[Actor, permits("suitability.reviews:read", *STAFF)]
Reviewer = Annotated[Actor, permits("suitability.reviews:decide", *CONTROL)]


class Answer(BaseModel):
    """One question's answer; anything about scores in it is ignored and reported back."""

    model_config = ConfigDict(extra="allow")
    question: Name
    options: Annotated[list[Name], Field(max_length=50)]


class Sheet(BaseModel):
    """Answers to a template version."""

    model_config = ConfigDict(extra="allow")
    template: Name
    version: Version
    answers: Annotated[list[Answer], Field(max_length=200)]


class SubmissionBody(Sheet):
    """A finished questionnaire: how it came, and the signature or recording (双录) its channel demands."""

    channel: Name
    signature: Reference | None = None
    recording: Reference | None = None
    device: Reference | None = None
    seconds: Annotated[int, number_of(0, 1000000)] | None = None


class Contradiction(BaseModel):
    """Answers that do not go together."""

    code: str
    zh: str
    en: str


class Submitted(BaseModel):
    """What became of a submission. `ignored` points at scores the caller sent: only the server scores."""

    submission_id: str
    state: Literal["accepted", "in_review"]
    review_reasons: list[str]
    total: int
    scheme: str
    level: str
    gates: list[str]
    contradictions: list[Contradiction]
    assessment_id: str | None
    valid_from: date | None
    valid_until: date | None
    ignored: list[str]


class QuestionnaireDraft(BaseModel):
    """Answers saved to go on with."""

    template: str
    version: int
    answers: list[Answer]
    revision: int


class Questionnaire(BaseModel):
    """The questionnaire to answer, why, and what is answered so far; `draft_revision` is the ETag of the draft."""

    template: str
    version: int
    why: Literal["first", "life_change", "expired", "renewal"]
    why_zh: str
    why_en: str
    questions: list[dict[str, Any]]
    answers: list[Answer]
    draft_revision: int | None


class KindName(BaseModel):
    """A kind of product in both languages."""

    zh: str
    en: str


class LevelShown(BaseModel):
    """A level, what it covers, what lies above it, and the words to be signed; nothing of how the answers score."""

    level: str
    meaning_zh: str
    meaning_en: str
    covers: list[KindName]
    above: list[KindName]
    declaration_zh: str
    declaration_en: str


class LifeChange(Body):
    """A stated change of life that calls for a new assessment."""

    change: Change


class LifeChangeView(BaseModel):
    """A change of life that was stated. Which, is for those who act on it."""

    stated_on: date = Field(description="the day on which it was stated", examples=["2026-06-01"])
    change: Change | None = Field(None, description="which; null for who does not act on it", examples=["income"])
    due_on: date = Field(description="nothing is bought after it without new answers", examples=["2026-07-01"])
    stated_by: str


class VulnerabilityStated(Body):
    """What makes a client vulnerable."""

    cause: Cause


class VulnerabilityEnd(Body):
    """Why the client is not vulnerable any more."""

    reason: Words


class VulnerabilityView(BaseModel):
    """What is stated of a client from a day on. Why, and why its end is asked for, is for those who act on it."""

    since: date
    vulnerable: bool = Field(description="false: no more")
    cause: Cause | None = None
    stated_by: str
    end_asked_because: str | None = Field(
        None, description="while an end waits for a second person", examples=["reads without help by now"]
    )
    end_decided_because: str | None = Field(
        None, description="what was said when the last end asked for was decided", examples=["spoke to the client"]
    )


class ReviewDecision(reviews.Looked):
    """What the reviewer found, and whether it may count."""

    approve: bool


class Review(BaseModel):
    """A submission or assessment a person looks at."""

    review_id: str
    client_id: str
    branch_id: str | None
    submission_id: str | None
    assessment_id: str | None
    reasons: list[str]
    state: str
    opened_at: Any
    decided_by: str | None
    note: str | None
    superseded_by: str | None


class OneReview(Review):
    """A review with its acts and its steps."""

    acts: list[ActView]
    history: list[HistoryStep]


@routes.put("/clients/{client_id}/draft")
async def save_draft(
    actor: Submitter,
    uow: Work,
    client_id: Identifier,
    body: Sheet,
    response: Tagged,
    if_match: Annotated[MatchText | None, Header(description="the ETag you read; none for a first save")] = None,
) -> QuestionnaireDraft:
    """Save answers to go on with later; may be incomplete, and counts as no submission."""
    await see_client(uow.sql, actor, client_id)
    given = (if_match or "").strip('"')
    revision = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None
    answers = [answer.model_dump() for answer in body.answers]
    saved = await submissions.save_draft(uow, client_id, body.template, body.version, answers, revision)
    response.headers["etag"] = etag(saved)
    return QuestionnaireDraft(template=body.template, version=body.version, answers=body.answers, revision=saved)


@routes.get("/clients/{client_id}/draft")
async def read_draft(
    actor: Reader, sql: Reading, client_id: Identifier, template: Name, response: Tagged
) -> QuestionnaireDraft:
    """The saved answers of a template, with the ETag to save them again."""
    await see_client(sql, actor, client_id)
    row = await sql.fetchrow("SELECT * FROM drafts WHERE client_id = $1 AND template = $2", client_id, template)
    if row is None:
        raise NotFound
    response.headers["etag"] = etag(row["revision"])
    answers = [Answer(question=question, options=options) for question, options in row["answers"].items()]
    return QuestionnaireDraft(template=template, version=row["version"], answers=answers, revision=row["revision"])


@routes.get("/clients/{client_id}/questionnaire")
async def read_questionnaire(actor: Reader, uow: Work, client_id: Identifier) -> Questionnaire:
    """What the client is to answer today and why it is asked for, with the answers saved so far: in the client's own zone and
    at the counter the same, so that one goes on where the other stopped. To who may hand it in it is put: the server measures
    from then on."""
    await see_client(uow.sql, actor, client_id)
    day = await today(uow.sql)
    if actor.role in (Role.CLIENT, *DESK):
        return Questionnaire.model_validate(await submissions.put(uow, client_id, day))
    return Questionnaire.model_validate(await submissions.asked_for(uow.sql, client_id, day))


@routes.post("/clients/{client_id}/level-shown")
async def show_level(actor: Submitter, uow: Work, client_id: Identifier, body: Sheet) -> LevelShown:
    """What complete answers lead to and what that means, before they are signed; they are saved as the draft."""
    await see_client(uow.sql, actor, client_id)
    answers = [answer.model_dump() for answer in body.answers]
    shown = await submissions.show_level(uow, client_id, body.template, body.version, answers)
    return LevelShown.model_validate(shown)


@routes.post("/clients/{client_id}/submissions", status_code=201)
async def submit(actor: Submitter, uow: Work, _: Once, client_id: Identifier, body: SubmissionBody) -> Submitted:
    """Hand in a questionnaire. It is scored here; the level counts at once, or after a person has looked [Q5]."""
    await see_client(uow.sql, actor, client_id)
    sent = body.model_dump()
    handed_in = submissions.Submission(
        client=client_id,
        template=body.template,
        version=body.version,
        answers=sent["answers"],
        channel=body.channel,
        proofs=Proofs(body.signature, body.recording),
        device=body.device,
        seconds=body.seconds,
    )
    return Submitted.model_validate({**await submissions.submit(uow, handed_in), "ignored": sent_by_caller(sent)})


@routes.get("/clients/{client_id}/submissions")
async def list_submissions(actor: Reader, sql: Reading, client_id: Identifier, page: Page) -> Listing[dict[str, Any]]:
    """Every questionnaire a client handed in, newest first, with answers, score and state."""
    await see_client(sql, actor, client_id)
    at, number = page.after or ("9999-12-31T00:00:00+00:00", 0)
    rows = await sql.fetch(
        """SELECT s.submission_id, s.template, s.version, s.answers, s.points, s.total, s.scheme, s.level, s.gates,
                  s.contradictions, s.submitted_at, s.channel, s.assisted, s.signature, s.recording, s.number,
                  CASE r.state WHEN 'open' THEN 'in_review' WHEN 'approved' THEN 'accepted' ELSE coalesce(r.state, 'accepted') END AS state
           FROM submissions s LEFT JOIN reviews r USING (submission_id)
           WHERE s.client_id = $1 AND (s.submitted_at, s.number) < ($2, $3)
           ORDER BY s.submitted_at DESC, s.number DESC LIMIT $4""",
        client_id,
        datetime.fromisoformat(str(at)),
        int(number),
        page.limit + 1,
    )
    found = page.result([dict(row) for row in rows], lambda row: (row["submitted_at"].isoformat(), row["number"]))
    for one in found["items"]:
        del one["number"]
        if actor.role is Role.CLIENT:
            del one["points"]  # which answer does what
    return Listing[dict[str, Any]].model_validate(found)


@routes.post("/clients/{client_id}/life-changes", status_code=201)
async def state_life_change(actor: Submitter, uow: Work, client_id: Identifier, body: LifeChange) -> dict[str, Any]:
    """State a change of life: a new questionnaire is due; without one nothing may be bought after the due day [Q5]."""
    branch = await see_client(uow.sql, actor, client_id)
    day, due_on = await life_changes.state(uow, client_id, branch, body.change)
    return {"client_id": client_id, "change": body.change, "stated_on": day, "due_on": due_on}


@routes.get("/clients/{client_id}/life-changes")
async def read_life_changes(actor: Reader, uow: Work, purpose: Purpose, client_id: Identifier) -> list[LifeChangeView]:
    """What changes of life the client stated, oldest first; which, only for the client, who serves them, and compliance. A read
    carries a purpose and is recorded."""
    await see_client(uow.sql, actor, client_id)
    return [LifeChangeView.model_validate(row) for row in await life_changes.read(uow, client_id, purpose)]


@routes.get("/clients/{client_id}/vulnerability")
async def read_vulnerability(
    actor: Reader, uow: Work, purpose: Purpose, client_id: Identifier
) -> list[VulnerabilityView]:
    """What was stated of the client over time, oldest first; why only for the client, who serves them, and compliance;
    headquarters read why an end is asked for. A read carries a purpose and is recorded."""
    await see_client(uow.sql, actor, client_id)
    return [VulnerabilityView.model_validate(row) for row in await vulnerability.read(uow, client_id, purpose)]


@routes.post("/clients/{client_id}/vulnerability", status_code=201)
async def state_vulnerability(
    actor: Submitter, uow: Work, client_id: Identifier, body: VulnerabilityStated
) -> list[VulnerabilityView]:
    """State that the client is vulnerable: from today on a person looks at their sheets and high-risk purchases."""
    await vulnerability.state(uow, client_id, await see_client(uow.sql, actor, client_id), body.cause)
    return [
        VulnerabilityView(since=row.since, vulnerable=row.vulnerable, stated_by=row.stated_by)
        for row in await vulnerability.history(uow.sql, client_id)
    ]


@routes.post("/clients/{client_id}/vulnerability/end", status_code=202)
async def end_vulnerability(
    actor: Submitter, uow: Work, client_id: Identifier, body: VulnerabilityEnd, accept_language: Language = ""
) -> ApprovalView:
    """Ask that the client is treated as others are again: a second person decides."""
    branch = await see_client(uow.sql, actor, client_id)
    asked = await vulnerability.ask_end(uow, client_id, branch, body.reason)
    return view("suitability", vulnerability.END, asked, accept_language)


@routes.get("/reviews")
async def list_reviews(
    actor: Lister, sql: Reading, page: Page, state: Literal["open", "approved", "rejected", "superseded"] = "open"
) -> Listing[Review]:
    """The review queue, oldest first."""
    condition, arguments = object_scope(actor, 4)
    after = page.after or ("",)
    rows = await sql.fetch(
        f"""SELECT * FROM reviews WHERE state = $1 AND review_id > $2 AND {condition}
            ORDER BY review_id LIMIT $3""",
        state,
        str(after[0]),
        page.limit + 1,
        *arguments,
    )
    found = page.result([dict(row) for row in rows], lambda row: (row["review_id"],))
    return Listing[Review].model_validate(found)


@routes.get("/reviews/{review_id}")
async def read_review(actor: Lister, sql: Reading, review_id: Identifier) -> OneReview:
    """A review with what the caller can do with it now, why not the rest, and its steps."""
    row = await load(sql, reviews.ACTS, actor, review_id)
    return OneReview(
        **msgspec.to_builtins(row),
        acts=await possible(sql, reviews.ACTS, actor, row),
        history=await history(sql, reviews.ACTS, actor, row),
    )


@routes.post("/reviews/{review_id}/decision")
async def decide_review(_: Reviewer, uow: Work, review_id: Identifier, body: ReviewDecision) -> dict[str, Any]:
    """Approve or reject; who entered the sheet may not decide on it."""
    found = reviews.Looked(note=body.note, second_contact=body.second_contact)
    return await reviews.decide(uow, review_id, body.approve, found)
