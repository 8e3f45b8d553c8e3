"""Reviews: what a person looks at before a level counts [Q5]. They are moved by the table of acts alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import asyncpg
import msgspec
from pydantic import BaseModel, ConfigDict, Field
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.acts import PLATFORM_ITSELF, Act, Aggregate, Doing, Step, Who, acts, begin, perform, perform_each
from chassis.clock import business_date, start_of
from chassis.errors import FieldError, Refusal, SecondPersonNeeded, Text
from chassis.http import object_scope
from chassis.rows import columns, fetch
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.fields import Label, text_of
from services.suitability import assessments, due, history
from services.suitability.assessments import Assessment, last_day
from services.suitability.errors import EvidenceMissing
from services.suitability.levels import held_in
from services.suitability.policy import Policies
from services.suitability.rules import suspicious_rise
from services.suitability.tables import CLIENTS, Review, Submission

STAFF = "staff"
LATE_RISE = "late_rise"
"""A level that counted until facts heard later showed that it rose too fast [Q5]: it does not while this is looked at."""
CONTROL = Who[Review](
    "control",
    Text("the branch's manager, headquarters or compliance", "营业部负责人、总部或合规"),
    lambda actor, one: (
        actor.role in (Role.HQ, Role.COMPLIANCE)
        or (actor.role is Role.BRANCH_MANAGER and actor.branch_id == one.branch_id)
    ),
)


class Looked(BaseModel):
    """What the reviewer found."""

    model_config = ConfigDict(extra="forbid")
    note: Annotated[str, text_of(1000, 1)]
    second_contact: Annotated[
        Label | None, Field(description="where the second contact with an elderly or vulnerable client is kept")
    ] = None


async def _sheets(sql: asyncpg.Connection, _: Actor, found: Sequence[Review]) -> list[Submission | None]:
    """The answers that each is about."""
    rows = await fetch(
        sql,
        _Sheet,
        f"""SELECT {columns(Submission, "s")}, n.review_id
            FROM unnest($1::text[], $2::text[], $3::text[]) AS n(review_id, submission_id, assessment_id)
            JOIN submissions s ON s.submission_id = coalesce(n.submission_id, (
                SELECT a.submission_id FROM assessments a WHERE a.assessment_id = n.assessment_id))""",
        [one.review_id for one in found],
        [one.submission_id for one in found],
        [one.assessment_id for one in found],
    )
    by_review = {row.review_id: row for row in rows}
    return [by_review.get(one.review_id) for one in found]


def _entered_by_caller(actor: Actor, _: Review, sheet: Submission | None) -> Refusal | None:
    return SecondPersonNeeded() if sheet is not None and sheet.submitted_by == actor.person else None


async def _keep_found(uow: UnitOfWork, doings: Sequence[Doing[Review]]) -> None:
    """Who found what. Raises: EvidenceMissing when the client is to be spoken to a second time and nothing says where that is."""
    day = await today(uow.sql)
    for one in doings:
        contact = one.body.second_contact
        if one.act.name == "approve" and "second_contact" in one.row.reasons and not contact:
            raise EvidenceMissing(errors=(FieldError("/second_contact", "the reference of the second contact"),))
        one.columns |= {
            "decided_by": uow.actor.person,
            "decided_at": uow.now,
            "decided_on": day,
            "note": one.body.note,
            "second_contact": contact,
        }
        one.detail |= {"note": one.body.note}


async def _count(uow: UnitOfWork, doings: Sequence[Doing[Review]]) -> None:
    """Answers that were approved count from today, unless they do already; a rise that later facts had shown counts again."""
    for one in doings:
        one.detail["assessment_id"] = one.row.assessment_id
        if LATE_RISE in one.row.reasons:
            [again] = await _assessments(uow.sql, [one.row.assessment_id])
            await due.note(uow, [due.Changed(again.valid_from, one.row.client_id)])
        if one.row.submission_id and not one.row.assessment_id:
            [sheet] = await _sheets(uow.sql, uow.actor, [one.row])
            assert sheet is not None
            one.detail["assessment_id"] = await _take_effect(uow, sheet)


async def _count_no_more(uow: UnitOfWork, doings: Sequence[Doing[Review]]) -> None:
    """A level that no longer counts covers nothing any more."""
    for one in doings:
        one.detail["assessment_id"] = one.row.assessment_id
    rejected = [one.row.assessment_id for one in doings if one.row.assessment_id and LATE_RISE not in one.row.reasons]
    await _uncover(uow, await _assessments(uow.sql, rejected))


async def _name_newer(uow: UnitOfWork, doings: Sequence[Doing[Review]]) -> None:
    for one in doings:
        one.columns |= {"superseded_by": one.body, "decided_at": uow.now}
        one.detail["superseded_by"] = one.body


REVIEW = Aggregate[Review](
    name="review",
    table="reviews",
    id="review_id",
    row=lambda record: msgspec.convert(dict(record), Review),
    states=("open", "approved", "rejected", "superseded"),
    begins=("open",),
    final=("approved", "rejected", "superseded"),
    sight=object_scope,
    audiences=lambda actor, _: frozenset() if actor.role is Role.CLIENT else frozenset({STAFF}),
    facts=_sheets,
)
ACTS = acts(
    REVIEW,
    Act("approve", Text("Approve", "通过"), on=("open",), to="approved", who=(CONTROL,), takes=Looked, needs=("note",),
        tells=(STAFF,), unless=_entered_by_caller, prepare=_keep_found, then=_count),
    Act("reject", Text("Reject", "不通过"), on=("open",), to="rejected", who=(CONTROL,), takes=Looked, needs=("note",),
        tells=(STAFF,), unless=_entered_by_caller, prepare=_keep_found, then=_count_no_more),
    Act("supersede", Text("Newer answers came", "已有更新的测评"), on=("open",), to="superseded", who=(PLATFORM_ITSELF,),
        tells=(STAFF,), prepare=_name_newer),
)  # fmt: skip


async def open_for_sheet(
    uow: UnitOfWork,
    client: str,
    branch_id: str | None,
    submission_id: str,
    reasons: Sequence[str],
    counting: str | None = None,
) -> None:
    """Put answers into the queue: they count when somebody has approved them, or already (`counting`: as which assessment)
    and until somebody rejects them."""
    await _open(uow, client, branch_id, submission_id, counting, reasons)


async def open_for_level(uow: UnitOfWork, client: str, branch_id: str | None, assessment_id: str | None) -> None:
    """Put a level in force into the queue that rose shortly before a purchase; it is there once."""
    await _open(uow, client, branch_id, None, assessment_id, ["rise_before_purchase"])


async def open_for_late_rises(uow: UnitOfWork, came: Sequence[tuple[str, datetime]]) -> None:
    """Put levels into the queue that were answered for soon after an assessment that only came now, given as (client, assessed
    at), and are a suspicious rise by it [Q5]: they would have waited had it been known, and count no more until somebody has
    approved them. One that fell all the same, from a level between, would have counted at once: it is looked at while it counts.
    A level that somebody has looked at already is not looked at again; one whose review is open waits for this too."""
    policies = await uow.policies(Policies)
    longest = max(version.body.review_rise_days for version in policies.suitability.all)
    rows = await uow.sql.fetch(
        """SELECT DISTINCT a.client_id, a.assessment_id, w.review_id
           FROM unnest($1::text[], $2::timestamptz[]) AS n(client_id, at)
           JOIN assessments a ON a.client_id = n.client_id AND a.source = 'questionnaire'
                AND a.assessed_at BETWEEN n.at AND n.at + make_interval(days => $3 + 1)
           LEFT JOIN reviews w ON w.assessment_id = a.assessment_id AND w.state = 'open' AND NOT w.reasons ? 'late_rise'
           WHERE NOT EXISTS (SELECT FROM reviews r WHERE r.review_id IS DISTINCT FROM w.review_id
                             AND (r.assessment_id = a.assessment_id OR r.submission_id = a.submission_id))""",
        *(list(column) for column in zip(*came, strict=True)),
        longest,
    )
    if not rows:
        return
    found, opened = {row["assessment_id"]: row for row in rows}, []
    branches = await CLIENTS.branches(uow.sql, [row["client_id"] for row in rows])
    for client, made in (await history.read(uow.sql, sorted({row["client_id"] for row in rows}))).items():
        for one in made:
            policy = policies.on(business_date(one.assessed_at))
            since = start_of(business_date(one.assessed_at) - timedelta(days=policy.review_rise_days))
            lowest = history.lowest(made, since, one.assessed_at, policy.scheme)
            rank = held_in(one.scheme, one.rank, policy.scheme)
            if one.assessment_id not in found or not suspicious_rise(lowest, rank, policy):
                continue
            row = found[one.assessment_id]
            held = history.at([other for other in made if other.assessed_at < one.assessed_at], one.assessed_at)
            if held is not None and rank < held_in(held.scheme, held.rank, policy.scheme):
                if row["review_id"] is None:
                    await _open(
                        uow, client, branches.get(client), one.submission_id, one.assessment_id, ["suspicious_rise"]
                    )
                continue
            opened.append(one)
            if row["review_id"] is None:
                await _open(uow, client, branches.get(client), None, one.assessment_id, [LATE_RISE])
            else:
                await uow.sql.execute(
                    """UPDATE reviews SET reasons = reasons || to_jsonb($2::text), late_rise_at = $3, revision = revision + 1
                       WHERE review_id = $1""",
                    row["review_id"],
                    LATE_RISE,
                    uow.now,
                )
    await _uncover(uow, opened)


async def _assessments(sql: asyncpg.Connection, ids: Sequence[str | None]) -> list[history.Made]:
    return await fetch(
        sql,
        history.Made,
        f"SELECT {columns(history.Made)} FROM assessments WHERE assessment_id = ANY($1::text[]) ORDER BY assessment_id",
        list(ids),
    )


async def _uncover(uow: UnitOfWork, ended: Sequence[history.Made]) -> None:
    """What was bought under levels that count no more is judged again, and what is held is matched with what holds now."""
    day = await today(uow.sql)
    policy = (await uow.policies(Policies)).on(day)
    await due.note(uow, [due.Changed(one.valid_from, one.client_id) for one in ended])
    known = await history.read(uow.sql, sorted({one.client_id for one in ended}))
    for one in ended:
        held = history.on(known[one.client_id], day)
        rank = held_in(held.scheme, held.rank, policy.scheme) if held else 0
        newer = held is not None and held.assessed_at > one.assessed_at
        if (
            one.valid_from <= day <= one.valid_until
            and not newer
            and rank < held_in(one.scheme, one.rank, policy.scheme)
        ):
            await due.note(uow, [due.Changed(day, one.client_id, cause="level_ended")])


async def _open(
    uow: UnitOfWork,
    client: str,
    branch_id: str | None,
    submission_id: str | None,
    assessment_id: str | None,
    reasons: Sequence[str],
) -> None:
    review_id = await uow.sql.fetchval(
        """INSERT INTO reviews (review_id, client_id, branch_id, submission_id, assessment_id, reasons, state, opened_at,
                                late_rise_at)
           VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8) ON CONFLICT DO NOTHING RETURNING review_id""",
        str(uuid7()), client, branch_id, submission_id, assessment_id, reasons, uow.now,
        uow.now if LATE_RISE in reasons else None,
    )  # fmt: skip
    if review_id is not None:
        await begin(uow, [Step(REVIEW.named(review_id), "open", "", "open", uow.now, tells=(STAFF,))])


async def supersede(uow: UnitOfWork, newer: Sequence[tuple[str, datetime, str]]) -> None:
    """End the reviews of answers that newer ones, given as (client, assessed at, id), have replaced.

    A level in force that rose before a purchase, or too fast by what came late, stays in the queue: what was bought under it is
    still to be judged.
    """
    replaced = await uow.sql.fetch(
        """SELECT DISTINCT ON (r.review_id) r.review_id, n.id
           FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS n(client_id, assessed_at, id)
           JOIN submissions s USING (client_id) JOIN reviews r ON r.submission_id = s.submission_id
           WHERE r.state = 'open' AND NOT r.reasons ? 'late_rise' AND s.submitted_at <= n.assessed_at ORDER BY r.review_id, n.assessed_at DESC""",
        *(list(column) for column in zip(*newer, strict=True)),
    )
    await perform_each(uow, ACTS.supersede, {review_id: id for review_id, id in replaced}, uow.now)  # noqa: C416


async def decide(uow: UnitOfWork, review_id: str, approve: bool, found: Looked) -> dict[str, Any]:
    """Approve or reject. An approved submission counts from today; a rejected assessment stops counting.

    Raises: NotFound, IllegalMove, SecondPersonNeeded (who entered the sheet may not decide on it), NotYours, EvidenceMissing.
    """
    # Behind its client: new answers of theirs wait for the decision, or it for them.
    await uow.sql.execute(
        "SELECT FROM clients WHERE client_id = (SELECT client_id FROM reviews WHERE review_id = $1) FOR UPDATE",
        review_id,
    )
    done = await perform(uow, ACTS.approve if approve else ACTS.reject, review_id, found)
    return {"review_id": review_id, "state": done.row.state, "assessment_id": done.detail["assessment_id"]}


class _Sheet(Submission, frozen=True):
    review_id: str


async def _take_effect(uow: UnitOfWork, sheet: Submission) -> str:
    """Answers that were approved count from today, in the order in which they were given."""
    day = await today(uow.sql)
    policy = (await uow.policies(Policies)).on(day)
    before = history.on((await history.read(uow.sql, [sheet.client_id]))[sheet.client_id], day)
    assessment = Assessment(
        assessment_id=str(uuid7()),
        client_id=sheet.client_id,
        branch_id=sheet.branch_id,
        scheme=sheet.scheme,
        level=sheet.level,
        valid_from=day,
        # Twelve months of the answers, not of the approval.
        valid_until=last_day(sheet.submitted_on, policy),
        source="questionnaire",
        assessed_at=sheet.submitted_at,
        submission_id=sheet.submission_id,
        rank_before=held_in(before.scheme, before.rank, policy.scheme) if before else None,
    )
    await assessments.take_effect(uow, assessment, policy)
    return assessment.assessment_id
