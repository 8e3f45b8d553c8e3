"""Assessments made elsewhere: one a client and date; what no questionnaire can say is refused with a reason [K6]."""

from collections.abc import Sequence
from datetime import date

from chassis import conflicts
from chassis.clock import start_of
from chassis.conflicts import Conflict
from chassis.uow import UnitOfWork
from contracts.broker import AssessmentRecorded
from services.suitability import assessments, due, reviews
from services.suitability.assessments import Assessment, last_day
from services.suitability.ids import derived_id
from services.suitability.levels import UnknownLevel, recognise
from services.suitability.policy import Policies


async def keep(uow: UnitOfWork, events: Sequence[AssessmentRecorded]) -> None:
    """Assessments made elsewhere: one a client and date; what no questionnaire can say is refused with a reason [K6]."""
    policies = await uow.policies(Policies)
    new: dict[tuple[str, date], Assessment] = {}
    said: dict[tuple[str, date], AssessmentRecorded] = {}
    for event, record in zip(events, uow.records(AssessmentRecorded), strict=True):
        try:
            scheme, rank = recognise(event.scheme, event.level)
        except UnknownLevel as refused:
            await _refuse_import(uow, event, record.id, refused)
            continue
        key = (event.client_id, event.assessed_on)
        offered = Assessment(
            assessment_id=derived_id("assessment", *key),
            client_id=event.client_id,
            branch_id=None,
            scheme=scheme.code,
            level=scheme.level(rank).code,
            valid_from=event.assessed_on,
            valid_until=last_day(event.assessed_on, policies.on(event.assessed_on)),
            source="imported",
            assessed_at=start_of(event.assessed_on),
        )
        kept = new.setdefault(key, offered)
        said.setdefault(key, event)
        if kept != offered:
            await _conflict(uow, kept.scheme, kept.level, event)
    # What a client answers meanwhile waits, and is looked at with what comes here.
    await uow.sql.execute(
        'SELECT FROM clients WHERE client_id = ANY($1::text[]) ORDER BY client_id COLLATE "C" FOR UPDATE',
        [client for client, _ in new],
    )
    known = await uow.sql.fetch(
        """SELECT a.client_id, a.valid_from, a.scheme, a.level FROM assessments a
           JOIN unnest($1::text[], $2::date[]) AS n(client_id, day)
             ON n.client_id = a.client_id AND n.day = a.valid_from WHERE a.source = 'imported'""",
        [client for client, _ in new],
        [day for _, day in new],
    )
    for row in known:
        key = (row["client_id"], row["valid_from"])
        offered = new.pop(key)
        if (row["scheme"], row["level"]) != (offered.scheme, offered.level):
            await _conflict(uow, row["scheme"], row["level"], said[key])
    if new:
        made = [new[key] for key in sorted(new)]
        await assessments.keep(uow, made, policies.on(made[0].valid_from).version)
        await reviews.supersede(uow, [(a.client_id, a.assessed_at, a.assessment_id) for a in made])
        await due.note(uow, [due.Changed(day, client, cause="level_lowered") for client, day in new])
        await reviews.open_for_late_rises(uow, [(a.client_id, a.assessed_at) for a in made])


async def _conflict(uow: UnitOfWork, scheme: str, level: str, offered: AssessmentRecorded) -> None:
    known = {"scheme": scheme, "level": level}
    await conflicts.note(uow, [Conflict.of(offered, offered.client_id, known, offered.assessed_on.isoformat())])


async def _refuse_import(uow: UnitOfWork, event: AssessmentRecorded, event_id: str, refused: UnknownLevel) -> None:
    await uow.sql.execute(
        """INSERT INTO refused_imports (client_id, event_id, scheme, level, assessed_on, reason_en, reason_zh, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING""",
        event.client_id,
        event_id,
        event.scheme,
        event.level,
        event.assessed_on,
        refused.text.en,
        refused.text.zh,
        uow.now,
    )
