"""Reviews: what a person looks at before a level counts [Q5]."""

from typing import Any

from uuid_utils import uuid7

from chassis.errors import NotFound, SecondPersonNeeded
from chassis.timeline import today
from chassis.uow import UnitOfWork
from services.suitability import submissions
from services.suitability.assessments import Assessment, last_day
from services.suitability.errors import WrongState
from services.suitability.policy import Policies


async def decide(uow: UnitOfWork, review_id: str, approve: bool, note: str) -> dict[str, Any]:
    """Approve or reject. An approved submission counts from today; a rejected assessment stops counting.

    Raises: NotFound, WrongState, SecondPersonNeeded (who entered the sheet may not decide on it).
    """
    review = await uow.sql.fetchrow("SELECT * FROM reviews WHERE review_id = $1 FOR UPDATE", review_id)
    if review is None:
        raise NotFound
    if review["state"] != "open":
        raise WrongState
    submission = await uow.sql.fetchrow(
        """SELECT s.* FROM submissions s WHERE s.submission_id = coalesce($1, (
               SELECT submission_id FROM assessments WHERE assessment_id = $2))""",
        review["submission_id"],
        review["assessment_id"],
    )
    if submission is not None and submission["submitted_by"] == uow.actor.person:
        raise SecondPersonNeeded
    state = "approved" if approve else "rejected"
    await uow.sql.execute(
        "UPDATE reviews SET state = $2, decided_by = $3, decided_at = $4, note = $5 WHERE review_id = $1",
        review_id,
        state,
        uow.actor.person,
        uow.now,
        note,
    )
    uow.audit(f"{state} review", f"review/{review_id}", key=review["client_id"], note=note)
    assessment_id = review["assessment_id"]
    if approve and review["submission_id"] and submission is not None:
        assessment_id = await _take_effect(uow, submission)
    elif not approve and assessment_id:
        # What was bought under a level that no longer counts is judged again.
        await uow.sql.execute(
            """INSERT INTO due (client_id, day, levels)
               SELECT client_id, valid_from, false FROM assessments WHERE assessment_id = $1""",
            assessment_id,
        )
    return {"review_id": review_id, "state": state, "assessment_id": assessment_id}


async def _take_effect(uow: UnitOfWork, submission: Any) -> str:
    day = await today(uow.sql)
    policy = (await uow.policies(Policies)).on(day)
    assessment = Assessment(
        assessment_id=str(uuid7()),
        client_id=submission["client_id"],
        branch_id=submission["branch_id"],
        scheme=submission["scheme"],
        level=submission["level"],
        valid_from=day,
        # Twelve months of the answers, not of the approval.
        valid_until=last_day(submission["submitted_on"], policy),
        source="questionnaire",
        assessed_at=uow.now,
        submission_id=submission["submission_id"],
    )
    await submissions.take_effect(uow, assessment, policy)
    return assessment.assessment_id
