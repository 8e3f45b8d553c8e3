"""Questionnaires answered: drafts, submissions, the checks before an answer counts [Q5]. Only the server scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
from uuid_utils import uuid7

from chassis.actor import Role
from chassis.clock import business_date, start_of, year_before
from chassis.errors import FieldError, Text
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.suitability import QuestionnaireSubmitted
from services.suitability import assessments, history, reviews, templates
from services.suitability.assessments import Assessment
from services.suitability.decisions import Proofs, require_proofs
from services.suitability.errors import (
    AnswersContradict,
    AnswersInvalid,
    AttemptLimitReached,
    NotForThisClient,
    SchemeNotInForce,
    UnknownClient,
    UnknownTemplate,
    WrongState,
)
from services.suitability.levels import held_in
from services.suitability.policy import Policies, Policy
from services.suitability.questionnaires import contradictions
from services.suitability.questionnaires.answers import check
from services.suitability.questionnaires.contradictions import Profile
from services.suitability.questionnaires.scoring import Score, score
from services.suitability.questionnaires.template import Contradiction, Template
from services.suitability.rules import Reason, suspicious_rise
from services.suitability.situations import age_of, ever_assessed, in_force, reassessment_owed, vulnerable


@dataclass(frozen=True, slots=True)
class Submission:
    """What a client (or staff beside them) hands in."""

    client: str
    template: str
    version: int
    answers: Sequence[Mapping[str, Any]]
    channel: str
    proofs: Proofs
    device: str | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """Levels a client had before, as ranks in the firm's scheme: the one in force, and the lowest within 30 days."""

    rank: int | None
    lowest: int | None


async def submit(uow: UnitOfWork, handed_in: Submission) -> dict[str, Any]:
    """Check, score and keep a questionnaire; its level counts from now on, or after a review [Q5].

    One client's submissions come one after the other: the client's row is locked.

    Raises: UnknownClient, WrongState (account closed), UnknownTemplate, TemplateNotInForce, NotForThisClient,
        SchemeNotInForce, AnswersInvalid, AnswersContradict, EvidenceMissing, UnknownChannel, AttemptLimitReached.
    """
    client = await uow.sql.fetchrow("SELECT * FROM clients WHERE client_id = $1 FOR UPDATE", handed_in.client)
    if client is None:
        raise UnknownClient
    day = await today(uow.sql)
    if client["closed_on"] is not None and client["closed_on"] <= day:
        raise WrongState(Text("the account is closed", "账户已销户"))
    policy = (await uow.policies(Policies)).on(day)
    template = await templates.to_answer(uow.sql, handed_in.template, handed_in.version, day)
    await _require_for(uow.sql, template, client["kind"], policy, day)
    sheet = _complete(template, handed_in.answers)
    clashes = _contradictions(template, sheet, client, day)
    require_proofs(handed_in.channel, handed_in.proofs, policy)
    await _require_attempt(uow, handed_in.client, day, policy)
    answered_at = await effective_now(uow.sql, uow.now)
    result, before = score(template, sheet), await levels_before(uow.sql, handed_in.client, answered_at, policy)
    reasons = _review_reasons(template, result, before, clashes, policy)
    rank, prepared = held_in(template.scheme, result.rank, policy.scheme), await _take_draft(uow, handed_in, policy)
    if prepared.shown is not None and rank > prepared.shown:
        reasons.append("changed_after_shown")
    reasons += await _care_reasons(uow, client, day, policy)
    # A level that falls counts at once, whatever is to be looked at: until then the lower of the two holds.
    counts = not reasons or (before.rank is not None and rank < before.rank)
    submission_id = str(uuid7())
    await reviews.supersede(uow, [(handed_in.client, answered_at, submission_id)])
    await _keep(
        uow, submission_id, handed_in, client["branch_id"], sheet, template, result, clashes, reasons, answered_at, day,
        prepared.seconds, in_review=not counts,
    )  # fmt: skip
    assessment = None
    if counts:
        assessment = Assessment(
            assessment_id=str(uuid7()),
            client_id=handed_in.client,
            branch_id=client["branch_id"],
            scheme=template.scheme,
            level=result.level,
            valid_from=day,
            valid_until=assessments.last_day(day, policy),
            source="questionnaire",
            assessed_at=answered_at,
            submission_id=submission_id,
            rank_before=before.rank,
        )
        await assessments.take_effect(uow, assessment, policy)
    if reasons:
        counting = assessment.assessment_id if assessment else None
        await reviews.open_for_sheet(uow, handed_in.client, client["branch_id"], submission_id, reasons, counting)
    return {
        "submission_id": submission_id,
        "state": "accepted" if counts else "in_review",
        "review_reasons": reasons,
        "total": result.total,
        "scheme": template.scheme,
        "level": result.level,
        "gates": [*result.gates],
        "contradictions": [plain_contradiction(rule) for rule in clashes],
        "assessment_id": assessment.assessment_id if assessment else None,
        "valid_from": assessment.valid_from if assessment else None,
        "valid_until": assessment.valid_until if assessment else None,
    }


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What went before a sheet: the lowest level shown, and how long the answers took, as far as the server knows."""

    shown: int | None
    seconds: int | None


async def _take_draft(uow: UnitOfWork, handed_in: Submission, policy: Policy) -> _Prepared:
    """The draft is used up. A level shown longer ago than a rise is looked back at is forgotten [Q5]."""
    draft = await uow.sql.fetchrow(
        "DELETE FROM drafts WHERE client_id = $1 AND template = $2 RETURNING opened_at, shown",
        handed_in.client,
        handed_in.template,
    )
    opened: datetime | None = await uow.sql.fetchval(
        "DELETE FROM openings WHERE client_id = $1 AND template = $2 RETURNING opened_at",
        handed_in.client,
        handed_in.template,
    )
    since = uow.now - timedelta(days=policy.review_rise_days)
    shown = [int(rank) for rank, at in (draft["shown"] if draft else {}).items() if datetime.fromisoformat(at) > since]
    began = draft["opened_at"] or opened if draft else opened
    return _Prepared(min(shown, default=None), int((uow.now - began).total_seconds()) if began else None)


async def _require_for(
    sql: asyncpg.Connection, template: Template, kind: str | None, policy: Policy, day: date
) -> None:
    """Refuse answers to a template for others, of a scheme that is not in force for this kind of client [Q6], or whose place
    another template has taken.

    Raises: NotForThisClient, SchemeNotInForce, TemplateNotInForce.
    """
    if kind is not None and kind not in template.kinds:
        raise NotForThisClient(kinds=[*template.kinds])
    if template.scheme != (scheme := policy.scheme_of(kind)).code:
        raise SchemeNotInForce(scheme=scheme.code)
    await templates.require_newest(sql, template, kind, day)


def _complete(template: Template, answers: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    sheet, problems = check(template, answers)
    if problems:
        raise AnswersInvalid(errors=problems)
    return sheet


def _contradictions(
    template: Template, sheet: Mapping[str, Sequence[str]], client: asyncpg.Record, day: date
) -> tuple[Contradiction, ...]:
    """Contradictions for a person to look at.

    Raises: AnswersContradict for those that must be corrected.
    """
    born = client["birth_year"]
    profile = Profile(client["kind"], day.year - born if born else None, client["experience_years"])
    clashes = contradictions.found(template, sheet, profile)
    if refused := [rule for rule in clashes if rule.severity == "refuse"]:
        raise AnswersContradict(
            Text("; ".join(rule.text.en for rule in refused), ";".join(rule.text.zh for rule in refused)),
            errors=tuple(
                FieldError(f"/answers/{place}", rule.text.en)
                for rule in refused
                for place, code in enumerate(sheet)
                if code in rule.answers
            ),
        )
    return clashes


async def _require_attempt(uow: UnitOfWork, client: str, day: date, policy: Policy) -> None:
    row = await uow.sql.fetchrow(
        """SELECT count(*) FILTER (WHERE submitted_on = $2) AS on_day,
                  count(*) FILTER (WHERE submitted_on > $3) AS in_year
           FROM submissions WHERE client_id = $1""",
        client,
        day,
        year_before(day),
    )
    assert row is not None
    for made, limit, en, zh in (
        (row["on_day"], policy.submissions_per_day, "a day", "每日"),
        (row["in_year"], policy.submissions_per_year, "in twelve months", "十二个月内"),
    ):
        if made >= limit:
            raise AttemptLimitReached(Text(f"at most {limit} {en}", f"{zh}至多 {limit} 次"), limit=limit)


async def levels_before(sql: asyncpg.Connection, client: str, answered_at: datetime, policy: Policy) -> Before:
    """The levels in force before answers given at an instant."""
    made = (await history.read(sql, [client]))[client]
    held = history.at(made, answered_at)
    since = start_of(business_date(answered_at) - timedelta(days=policy.review_rise_days))
    return Before(
        held_in(held.scheme, held.rank, policy.scheme) if held else None,
        history.lowest(made, since, answered_at, policy.scheme),
    )


def _review_reasons(
    template: Template, result: Score, before: Before, clashes: Sequence[Contradiction], policy: Policy
) -> list[str]:
    reasons = [f"contradiction:{rule.code}" for rule in clashes]
    rank = held_in(template.scheme, result.rank, policy.scheme)
    if suspicious_rise(before.lowest, rank, policy):
        reasons.append("suspicious_rise")
    return reasons


async def _care_reasons(uow: UnitOfWork, client: asyncpg.Record, day: date, policy: Policy) -> list[str]:
    """Why a person looks at every sheet of an elderly or vulnerable client, or one whose age nobody knows."""
    age = age_of(client["birth_year"], day)
    unknown = policy.age_is_missing(age, client["kind"])
    stated = await uow.sql.fetchval(f"SELECT {vulnerable('$1', '$2::date')}", client["client_id"], day)
    told = (
        (Reason.CARE_ELDERLY.value, policy.is_elderly(age)),
        (Reason.CARE_AGE_UNKNOWN.value, unknown),
        (Reason.CARE_VULNERABLE.value, stated),
        ("second_contact", stated or policy.is_to_be_spoken_to(age)),
    )
    return [reason for reason, so in told if so]


def plain_contradiction(rule: Contradiction) -> dict[str, str]:
    """A contradiction as callers see it."""
    return {"code": rule.code, "zh": rule.text.zh, "en": rule.text.en}


async def _keep(
    uow: UnitOfWork,
    submission_id: str,
    handed_in: Submission,
    branch_id: str | None,
    sheet: Mapping[str, Sequence[str]],
    template: Template,
    result: Score,
    clashes: Sequence[Contradiction],
    reasons: Sequence[str],
    answered_at: datetime,
    day: date,
    measured: int | None,
    *,
    in_review: bool,
) -> None:
    partition = uow.partition_of(handed_in.client)
    number = (await uow.numbers("submissions", {partition: 1}))[partition]
    row = {
        "partition": partition,
        "number": number,
        "submission_id": submission_id,
        "client_id": handed_in.client,
        "branch_id": branch_id,
        "template": handed_in.template,
        "version": handed_in.version,
        "answers": sheet,
        "points": result.points,
        "total": result.total,
        "band_level": result.band_level,
        "scheme": template.scheme,
        "level": result.level,
        "gates": [*result.gates],
        "contradictions": [plain_contradiction(rule) for rule in clashes],
        "review_reasons": reasons,
        "submitted_at": answered_at,
        "submitted_on": day,
        "channel": handed_in.channel,
        "submitted_by": uow.actor.person,
        "assisted": uow.actor.role is not Role.CLIENT,
        "signature": handed_in.proofs.signature,
        "recording": handed_in.proofs.recording,
        "device": handed_in.device,
        "seconds": handed_in.seconds,
        "policy": (await uow.policies(Policies)).on(day).version,
        "measured_seconds": measured,
    }
    await uow.sql.copy_records_to_table("submissions", records=[tuple(row.values())], columns=list(row))
    uow.emit(
        QuestionnaireSubmitted(
            client_id=handed_in.client,
            branch_id=branch_id,
            submission_id=submission_id,
            template=handed_in.template,
            template_version=handed_in.version,
            submitted_at=answered_at,
            in_review=in_review,
        )
    )


_OPENED = "coalesce((SELECT opened_at FROM openings WHERE client_id = $1 AND template = $2), $5)"
"""When the questions were put to whom a first draft is saved for, or now."""


async def save_draft(
    uow: UnitOfWork, client: str, code: str, version: int, answers: Sequence[Mapping[str, Any]], revision: int | None
) -> int:
    """Save answers to go on with later; drafts are free [Q5]. `revision`: the one read, None for a first save.

    Returns the new revision; None of it counts as a submission.

    Raises: UnknownClient, UnknownTemplate, TemplateNotInForce, NotForThisClient, SchemeNotInForce, AnswersInvalid,
        WrongState (changed meanwhile).
    """
    known = await uow.sql.fetchrow("SELECT kind FROM clients WHERE client_id = $1", client)
    if known is None:
        raise UnknownClient
    day = await today(uow.sql)
    template = await templates.to_answer(uow.sql, code, version, day)
    await _require_for(uow.sql, template, known["kind"], (await uow.policies(Policies)).on(day), day)
    sheet, problems = check(template, answers, complete=False)
    if problems:
        raise AnswersInvalid(errors=problems)
    saved: int | None = await uow.sql.fetchval(
        f"""INSERT INTO drafts (client_id, template, version, answers, saved_at, opened_at)
           VALUES ($1, $2, $3, $4, $5, {_OPENED})
           ON CONFLICT (client_id, template) DO UPDATE
           SET version = $3, answers = $4, saved_at = $5, revision = drafts.revision + 1
           WHERE drafts.revision = $6 RETURNING revision""",
        client,
        code,
        version,
        sheet,
        uow.now,
        revision,
    )
    if saved is None:
        raise WrongState(Text("the draft was changed meanwhile: read it again", "草稿已被修改,请重新读取"))
    return saved


async def put(uow: UnitOfWork, client: str, day: date) -> dict[str, Any]:
    """Put the questionnaire to a client: as `asked_for`, and from now on the server measures how long the answers take, however
    often it is looked at and whatever was refused meanwhile; of answers that were saved, since they were begun."""
    asked = await asked_for(uow.sql, client, day)
    await uow.sql.execute(
        """INSERT INTO openings (client_id, template, opened_at) VALUES ($1, $2, $3)
           ON CONFLICT DO NOTHING""",
        client,
        asked["template"],
        uow.now,
    )
    return asked


async def asked_for(sql: asyncpg.Connection, client: str, day: date) -> dict[str, Any]:
    """The questionnaire that a client is to answer on a day, why it is asked for, and the answers saved of it so far.

    Raises: UnknownClient, UnknownTemplate.
    """
    known = await sql.fetchrow("SELECT kind FROM clients WHERE client_id = $1", client)
    if known is None:
        raise UnknownClient
    kind = known["kind"] or "individual"
    scheme = (await Policies.read(sql)).on(day).scheme_of(kind)
    row = await templates.in_force_for(sql, scheme.code, kind, day)
    if row is None:
        raise UnknownTemplate
    draft = await sql.fetchrow("SELECT * FROM drafts WHERE client_id = $1 AND template = $2", client, row["code"])
    saved = draft["answers"] if draft and draft["version"] == row["version"] else {}
    why = await _why(sql, client, day)
    return {
        "template": row["code"],
        "version": row["version"],
        "why": why,
        "why_zh": WHY[why].zh,
        "why_en": WHY[why].en,
        "questions": [_without_scores(question) for question in row["body"]["questions"]],
        "answers": [{"question": question, "options": options} for question, options in saved.items()],
        "draft_revision": draft["revision"] if draft else None,
    }


def _without_scores(question: Mapping[str, Any]) -> dict[str, Any]:
    """A question as it is put: what an answer scores is not said."""
    options = [{"code": option["code"], "text": option["text"]} for option in question["options"]]
    return {
        "code": question["code"],
        "text": question["text"],
        "multiple": question.get("multiple", False),
        "options": options,
    }


_PURPOSE = Text(
    "The law asks us to know your means, experience and wishes, so that we offer you only what suits you.",
    "根据适当性管理规定,我们需要了解您的财务状况、投资经验和投资目标,以便向您提供合适的产品。",
)
WHY: Mapping[str, Text] = {
    "first": Text(f"You have not been assessed yet. {_PURPOSE.en}", f"您尚未进行风险测评。{_PURPOSE.zh}"),
    "life_change": Text(
        f"You told us of a change in your life. {_PURPOSE.en}", f"您告知的个人情况已发生变化。{_PURPOSE.zh}"
    ),
    "expired": Text(f"Your assessment has ended. {_PURPOSE.en}", f"您的风险测评已过期。{_PURPOSE.zh}"),
    "renewal": Text(
        f"You may answer anew at any time; the newest answers count. {_PURPOSE.en}",
        f"您可随时重新测评,以最新结果为准。{_PURPOSE.zh}",
    ),
}
"""Why a questionnaire is asked for, in words for the client."""


async def _why(sql: asyncpg.Connection, client: str, day: date) -> str:
    row = await sql.fetchrow(
        f"""SELECT {ever_assessed("$1", "$2::date")} AS assessed, EXISTS ({in_force("$1", "$2::date")}) AS held,
                   {reassessment_owed("$1", "$2::date")} AS changed""",
        client,
        day,
    )
    assert row is not None
    if not row["assessed"]:
        return "first"
    if row["changed"]:
        return "life_change"
    return "renewal" if row["held"] else "expired"


async def show_level(
    uow: UnitOfWork, client: str, code: str, version: int, answers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What the answers lead to and what that means, before they are signed; nothing counts yet. The answers are saved as the
    draft. Whoever then hands in answers to a higher level than was shown is looked at (`changed_after_shown`).

    Raises: as `submit` for answers that cannot be handed in.
    """
    known = await uow.sql.fetchrow("SELECT * FROM clients WHERE client_id = $1 FOR UPDATE", client)
    if known is None:
        raise UnknownClient
    day = await today(uow.sql)
    policy = (await uow.policies(Policies)).on(day)
    template = await templates.to_answer(uow.sql, code, version, day)
    await _require_for(uow.sql, template, known["kind"], policy, day)
    sheet = _complete(template, answers)
    _contradictions(template, sheet, known, day)
    result = score(template, sheet)
    rank = held_in(template.scheme, result.rank, policy.scheme)
    await uow.sql.execute(
        f"""INSERT INTO drafts AS d (client_id, template, version, answers, saved_at, opened_at, shown)
           VALUES ($1, $2, $3, $4, $5, {_OPENED}, $6)
           ON CONFLICT (client_id, template) DO UPDATE
           SET version = $3, answers = $4, saved_at = $5, revision = d.revision + 1, shown = d.shown || excluded.shown""",
        client,
        code,
        version,
        sheet,
        uow.now,
        {str(rank): uow.now.isoformat()},
    )
    level = policy.own_scheme.level(rank)
    kinds = [
        (policy.kinds[name], needed) for name, needed in policy.rank_of_kind.items() if not name.startswith("service:")
    ]
    return {
        "level": level.code,
        "meaning_zh": f"您的风险承受能力为“{level.text.zh}”({level.display.zh})。",
        "meaning_en": f"Your risk tolerance is {level.text.en} ({level.display.en}).",
        "covers": [{"zh": kind.zh, "en": kind.en} for kind, needed in kinds if needed <= rank],
        "above": [{"zh": kind.zh, "en": kind.en} for kind, needed in kinds if needed > rank],
        "declaration_zh": template.declaration.zh,
        "declaration_en": template.declaration.en,
    }
