"""Reviews: what a person looks at before a level counts [Q5]."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from uuid_utils import uuid7

from chassis.errors import FieldError, NotFound, SecondPersonNeeded, Text
from chassis.rows import columns, fetch
from chassis.timeline import today
from chassis.uow import UnitOfWork
from services.suitability import assessments, due, history
from services.suitability.assessments import Assessment, last_day
from services.suitability.errors import EvidenceMissing, WrongState
from services.suitability.levels import held_in
from services.suitability.policy import Policies
from services.suitability.tables import Review, Submission


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


async def _open(
    uow: UnitOfWork,
    client: str,
    branch_id: str | None,
    submission_id: str | None,
    assessment_id: str | None,
    reasons: Sequence[str],
) -> None:
    await uow.sql.execute(
        """INSERT INTO reviews (review_id, client_id, branch_id, submission_id, assessment_id, reasons, state, opened_at)
           VALUES ($1, $2, $3, $4, $5, $6, 'open', $7) ON CONFLICT DO NOTHING""",
        str(uuid7()), client, branch_id, submission_id, assessment_id, reasons, uow.now,
    )  # fmt: skip


async def supersede(uow: UnitOfWork, newer: Sequence[tuple[str, datetime, str]]) -> None:
    """End the reviews of answers that newer ones, given as (client, assessed at, id), have replaced.

    A level in force that rose before a purchase stays in the queue: what was bought under it is still to be judged.
    """
    await uow.sql.execute(
        """UPDATE reviews r SET state = 'superseded', decided_at = $4, superseded_by = n.id
           FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS n(client_id, assessed_at, id)
           JOIN submissions s USING (client_id)
           WHERE r.submission_id = s.submission_id AND r.state = 'open' AND s.submitted_at <= n.assessed_at""",
        *(list(column) for column in zip(*newer, strict=True)),
        uow.now,
    )


async def decide(
    uow: UnitOfWork, review_id: str, approve: bool, note: str, second_contact: str | None = None
) -> dict[str, Any]:
    """Approve or reject. An approved submission counts from today; a rejected assessment stops counting.

    Raises: NotFound, WrongState, SecondPersonNeeded (who entered the sheet may not decide on it); EvidenceMissing when the
        client is to be spoken to a second time and `second_contact` does not say where that is kept.
    """
    review = await _locked(uow, review_id)
    if review.state != "open":
        raise WrongState(Text(f"it is {review.state}", f"当前状态为 {review.state}"))
    sheets = await fetch(
        uow.sql,
        Submission,
        f"""SELECT {columns(Submission, "s")} FROM submissions s WHERE s.submission_id = coalesce($1, (
                SELECT submission_id FROM assessments WHERE assessment_id = $2))""",
        review.submission_id,
        review.assessment_id,
    )
    if any(sheet.submitted_by == uow.actor.person for sheet in sheets):
        raise SecondPersonNeeded
    if approve and "second_contact" in review.reasons and not second_contact:
        raise EvidenceMissing(errors=(FieldError("/second_contact", "the reference of the second contact"),))
    state = "approved" if approve else "rejected"
    await uow.sql.execute(
        """UPDATE reviews SET state = $2, decided_by = $3, decided_at = $4, note = $5, second_contact = $6
           WHERE review_id = $1""",
        review_id,
        state,
        uow.actor.person,
        uow.now,
        note,
        second_contact,
    )
    uow.audit(f"{state} review", f"review/{review_id}", key=review.client_id, note=note)
    assessment_id = review.assessment_id
    if approve and review.submission_id and not assessment_id:
        assessment_id = await _take_effect(uow, sheets[0])
    elif not approve and assessment_id:
        # What was bought under a level that no longer counts is judged again.
        began = await uow.sql.fetchval("SELECT valid_from FROM assessments WHERE assessment_id = $1", assessment_id)
        await due.note(uow, [due.Changed(began, review.client_id, cause="level_lowered")])
    return {"review_id": review_id, "state": state, "assessment_id": assessment_id}


async def _locked(uow: UnitOfWork, review_id: str) -> Review:
    """The review, locked behind its client: new answers of theirs wait for the decision, or it for them.

    Raises: NotFound.
    """
    await uow.sql.execute(
        "SELECT FROM clients WHERE client_id = (SELECT client_id FROM reviews WHERE review_id = $1) FOR UPDATE",
        review_id,
    )
    found = await fetch(
        uow.sql, Review, f"SELECT {columns(Review)} FROM reviews WHERE review_id = $1 FOR UPDATE", review_id
    )
    if not found:
        raise NotFound
    return found[0]


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
