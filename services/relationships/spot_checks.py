"""Spot checks of the service log (抽查): drawn with a seed that is kept, scored, answered, reported each quarter [A14]."""

import hashlib
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any
from uuid import UUID, uuid5

import asyncpg
import msgspec
from pydantic import AfterValidator, BaseModel
from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from uuid_utils import uuid7

from chassis import staff
from chassis.actor import Actor, Role
from chassis.acts import Act, Aggregate, Doing, Step, Who, acts, begin
from chassis.calendar import Calendar
from chassis.calendars import current
from chassis.clock import business_date, end_of, month_end
from chassis.errors import FieldError, Refusal
from chassis.errors import Text as Words
from chassis.http import object_scope
from chassis.personal import mask_text
from chassis.rows import Column, Row, columns, fetch, table
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.fields import Text500, number_of
from contracts.relationships import FindingRaised
from services.relationships.changes import quarter_of
from services.relationships.errors import AnswerAwaited, NotAllChecked, QuarterReported, WrongValue
from services.relationships.policy import Policies, SpotChecks
from services.relationships.tables import metadata

STAFF = "staff"
NOT_TRUE = "log_not_true"
OF_NOBODY = ("messaging", "complaints")
"""Sources whose contacts are nobody's log."""
_FINDINGS = UUID("7d5a2f9e-5d0d-5d0f-9a4e-0c7f3f6a9b31")
Said = Annotated[Text500, AfterValidator(mask_text)]


class SpotCheckRow(Row, frozen=True):
    """An entry of somebody's log that was drawn to be checked."""

    check_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    draw_id: Annotated[UUID, Column(PgUUID(as_uuid=True))]
    quarter_end: date
    branch_id: Annotated[str, Column(comment="of the person when it was drawn")]
    person: Annotated[str, Column(comment="whose log it is")]
    contact_id: Annotated[UUID, Column(PgUUID(as_uuid=True))]
    client_id: str
    state: str
    drawn_at: datetime
    score: int | None
    as_logged: Annotated[bool | None, Column(comment="whether the contact was as the log says")]
    findings: str | None
    scored_by: str | None
    answer_until: datetime | None
    answer: Annotated[str | None, Column(comment="of the person")]
    closing: Annotated[str | None, Column(comment="what was decided after the answer")]
    revision: Annotated[int, Column(server_default="0")]


spot_checks = table(
    "spot_checks",
    metadata,
    SpotCheckRow,
    CheckConstraint("state IN ('drawn', 'scored', 'answered', 'closed')", name="state"),
    CheckConstraint("score BETWEEN 0 AND 100", name="score"),
    Index("uq_spot_checks_contact_id", "contact_id", unique=True),
    Index(None, "branch_id", "quarter_end", "person"),
)


class DrawRow(Row, frozen=True):
    """A draw: its seed, up to which day entries were looked at, and how many of whose were drawn."""

    draw_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    branch_id: str
    quarter_end: date
    seed: int
    through: date
    counts: Annotated[dict[str, Any], Column(JSONB, comment="by person: entries, needed, drawn before, drawn now")]
    policy: str
    asked_by: str
    drawn_at: datetime


spot_draws = table("spot_draws", metadata, DrawRow, Index(None, "branch_id", "quarter_end"))


class ReportRow(Row, frozen=True):
    """What a branch reported of a quarter to headquarters."""

    branch_id: Annotated[str, Column(primary_key=True)]
    quarter_end: Annotated[date, Column(primary_key=True)]
    figures: Annotated[list[dict[str, Any]], Column(JSONB)]
    due_on: date
    made_by: str
    made_at: datetime


spot_reports = table("spot_reports", metadata, ReportRow)


def needed(entries: int, terms: SpotChecks) -> int:
    """How many of somebody's entries of a quarter are checked: the share, rounded up, at least so many, never more than there are."""
    return min(entries, max(terms.least, -(-entries * terms.percent // 100)))


def drawn(seed: int, entries: Iterable[UUID], count: int) -> list[UUID]:
    """The entries a seed draws: the same seed and entries give the same, in whatever order they come."""
    ranked = sorted(entries, key=lambda one: hashlib.sha256(f"{seed}/{one}".encode()).digest())
    return ranked[: max(count, 0)]


def quarter_end_of(day: date) -> date:
    """The last day of a day's quarter."""
    first = quarter_of(day)
    return month_end(first.replace(month=first.month + 2))


def last_working_day(day: date, calendar: Calendar) -> date:
    """The last working day up to a day: when a quarter is to be reported."""
    while not calendar.is_working_day(day):
        day -= timedelta(days=1)
    return day


class Scoring(BaseModel, extra="forbid"):
    """What the check found: how good the entry is, and whether the contact was as it says."""

    score: Annotated[int, number_of(0, 100)]
    as_logged: bool
    findings: Said | None = None


class Answering(BaseModel, extra="forbid"):
    """What who was checked says to it."""

    answer: Said


class Closing(BaseModel, extra="forbid"):
    """What is decided after the answer."""

    score: Annotated[int, number_of(0, 100)]
    as_logged: bool
    closing: Said


def sight(actor: Actor, next_argument: int) -> tuple[str, Sequence[Any]]:
    """Who is checked sees it once it is scored, so that nobody mends what was drawn; who leads the branch, its people's."""
    if actor.role is Role.CLIENT:
        return "false", []
    if actor.role in (Role.CLIENT_MANAGER, Role.AGENT):
        return f"(person = ${next_argument} AND state <> 'drawn')", [actor.person]
    return object_scope(actor, next_argument)


def _checks(actor: Actor, one: SpotCheckRow) -> bool:
    leads = actor.role is Role.HQ or (actor.role is Role.BRANCH_MANAGER and actor.branch_id == one.branch_id)
    return leads and actor.person != one.person


CHECKER = Who[SpotCheckRow](
    "checker",
    Words("who leads the branch, or headquarters, not who is checked", "营业部负责人或总部(非被抽查人)"),
    _checks,
)
CHECKED = Who[SpotCheckRow](
    "checked", Words("who is checked", "被抽查人"), lambda actor, one: actor.person == one.person
)


async def _now(sql: asyncpg.Connection, _: Actor, rows: Sequence[SpotCheckRow]) -> Sequence[datetime]:
    return [await effective_now(sql)] * len(rows)


CHECK = Aggregate[SpotCheckRow](
    name="spot-check",
    table="spot_checks",
    id="check_id",
    row=lambda record: msgspec.convert(dict(record), SpotCheckRow),
    states=("drawn", "scored", "answered", "closed"),
    begins=("drawn",),
    final=("closed",),
    sight=sight,
    audiences=lambda actor, _: frozenset() if actor.role is Role.CLIENT else frozenset({STAFF}),
    parse=UUID,
    facts=_now,
)


async def _score(uow: UnitOfWork, doings: Sequence[Doing[SpotCheckRow]]) -> None:
    calendar, policies = await uow.cached(current), await uow.policies(Policies)
    for one in doings:
        day = business_date(one.at)
        until = end_of(calendar.add_days(day, policies.spot_checks.on(day).body.answer_days))
        one.columns |= one.body.model_dump() | {"scored_by": uow.actor.person, "answer_until": until}
        one.detail |= one.body.model_dump(exclude_none=True)


async def _answer(_: UnitOfWork, doings: Sequence[Doing[SpotCheckRow]]) -> None:
    for one in doings:
        one.columns["answer"] = one.body.answer


async def _close(_: UnitOfWork, doings: Sequence[Doing[SpotCheckRow]]) -> None:
    for one in doings:
        one.columns |= one.body.model_dump()
        one.detail |= one.body.model_dump()


async def _raise(uow: UnitOfWork, doings: Sequence[Doing[SpotCheckRow]]) -> None:
    """A contact that was not as logged is for compliance."""
    for one in doings:
        if not one.row.as_logged:
            uow.emit(
                FindingRaised(
                    finding_id=uuid5(_FINDINGS, str(one.row.check_id)), client_id=one.row.client_id,
                    staff_id=one.row.person, kind=NOT_TRUE, subject=f"contact/{one.row.contact_id}", raised_at=one.at,
                )
            )  # fmt: skip


def _may_answer(_: Actor, one: SpotCheckRow, now: datetime) -> Refusal | None:
    waits = one.state == "scored" and one.answer_until is not None and now < one.answer_until
    return AnswerAwaited() if waits else None


ACTS = acts(
    CHECK,
    Act("score", Words("Score it", "评分"), on=("drawn",), to="scored", who=(CHECKER,), takes=Scoring,
        needs=("score", "as_logged"), tells=(STAFF,), prepare=_score),
    Act("answer", Words("Answer", "说明"), on=("scored",), to="answered", who=(CHECKED,), takes=Answering,
        needs=("answer",), tells=(STAFF,), prepare=_answer),
    Act("close", Words("Close it", "结案"), on=("scored", "answered"), to="closed", who=(CHECKER,), takes=Closing,
        needs=("score", "as_logged", "closing"), tells=(STAFF,), unless=_may_answer, prepare=_close, then=_raise),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry that can be drawn; `checked`: it was."""

    contact_id: UUID
    person: str
    client_id: str
    checked: bool


async def entries_of(sql: asyncpg.Connection, persons: Sequence[str], first: date, last: date) -> list[Logged]:
    """The entries of some people's logs on some days."""
    rows = await sql.fetch(
        """SELECT c.contact_id, c.person, c.client_id, s.contact_id IS NOT NULL
           FROM contacts c LEFT JOIN spot_checks s USING (contact_id)
           WHERE c.person = ANY($1::text[]) AND c.day BETWEEN $2 AND $3 AND c.source <> ALL($4::text[])""",
        list(persons),
        first,
        last,
        list(OF_NOBODY),
    )
    return [Logged(*row) for row in map(tuple, rows)]


async def people_of(sql: asyncpg.Connection, branch_id: str, at: datetime) -> list[str]:
    """Who works in a branch at an instant."""
    roster = await staff.roster(sql)
    here = [(one, roster.person(one, at)) for one in roster.people]
    return sorted(one for one, known in here if known and known.branch_id == branch_id and not roster.has_left(one, at))


async def draw(uow: UnitOfWork, branch_id: str, quarter_end: date) -> DrawRow:
    """Draw what is still to be drawn of a branch's people's entries of a quarter, up to today.

    Raises: WrongValue for what is no quarter's end, or one that has not begun.
    """
    day = await today(uow.sql)
    if quarter_end != quarter_end_of(quarter_end) or quarter_of(quarter_end) > day:
        raise WrongValue(errors=(FieldError("/quarter_end", "is no end of a quarter that has begun"),))
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtext('spot_draws'), hashtext($1))", str(quarter_end))
    policy, through = (await uow.policies(Policies)).spot_checks.on(quarter_end), min(day, quarter_end)
    at, seed = await effective_now(uow.sql, uow.now), secrets.randbits(31)
    made = DrawRow(
        UUID(bytes=uuid7().bytes), branch_id, quarter_end, seed, through, {}, policy.name, uow.actor.person, at
    )
    people = {*await people_of(uow.sql, branch_id, at), *await _checked_in(uow.sql, branch_id, quarter_end)}
    entries = await entries_of(uow.sql, sorted(people), quarter_of(quarter_end), through)
    chosen, counts = choose(seed, entries, policy.body)
    await _keep(uow, made, chosen)
    made = msgspec.structs.replace(made, counts=counts)
    await uow.sql.execute(
        f"INSERT INTO spot_draws ({columns(DrawRow)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *msgspec.structs.astuple(made),
    )
    uow.audit(
        "draw spot checks",
        f"draw/{made.draw_id}",
        branch_id=branch_id,
        quarter_end=quarter_end,
        seed=seed,
        drawn=len(chosen),
    )
    return made


async def _checked_in(sql: asyncpg.Connection, branch_id: str, quarter_end: date) -> list[str]:
    """Whose entries of a quarter were drawn in a branch: also of who is gone by now."""
    rows = await sql.fetch(
        "SELECT DISTINCT person FROM spot_checks WHERE branch_id = $1 AND quarter_end = $2", branch_id, quarter_end
    )
    return [person for (person,) in rows]


def choose(seed: int, entries: Sequence[Logged], terms: SpotChecks) -> tuple[list[Logged], dict[str, dict[str, int]]]:
    """What a seed draws of entries, person by person, beside what was drawn before; and the numbers."""
    of: defaultdict[str, dict[UUID, Logged]] = defaultdict(dict)
    for one in entries:
        of[one.person][one.contact_id] = one
    chosen: list[Logged] = []
    counts: dict[str, dict[str, int]] = {}
    for person, own in sorted(of.items()):
        before = sum(one.checked for one in own.values())
        wanted = needed(len(own), terms)
        now = drawn(seed, (one.contact_id for one in own.values() if not one.checked), wanted - before)
        chosen += [own[contact_id] for contact_id in now]
        counts[person] = {"entries": len(own), "needed": wanted, "before": before, "drawn": len(now)}
    return chosen, counts


async def _keep(uow: UnitOfWork, made: DrawRow, chosen: Sequence[Logged]) -> None:
    ids = [UUID(bytes=uuid7().bytes) for _ in chosen]
    await uow.sql.execute(
        """INSERT INTO spot_checks (check_id, draw_id, quarter_end, branch_id, person, contact_id, client_id, state, drawn_at)
           SELECT n.check_id, $4, $5, $6, c.person, c.contact_id, c.client_id, $7, $8
           FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS n(check_id, contact_id, person)
           JOIN contacts c USING (contact_id)""",
        ids,
        [one.contact_id for one in chosen],
        [one.person for one in chosen],
        made.draw_id,
        made.quarter_end,
        made.branch_id,
        CHECK.begins[0],
        made.drawn_at,
    )
    await begin(uow, [Step(CHECK.named(one), "draw", "", CHECK.begins[0], made.drawn_at, (STAFF,)) for one in ids])


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks of somebody's entries of a quarter come to."""

    person: str
    entries: int
    needed: int
    drawn: int
    scored: int
    answered: int
    closed: int
    mean_score: Decimal | None
    not_true: int

    @property
    def is_done(self) -> bool:
        """Whether as many were drawn as must be, and all of them were scored."""
        return self.drawn >= self.needed and self.scored == self.drawn


async def figures(
    sql: asyncpg.Connection, branch_id: str, quarter_end: date, at: datetime, terms: SpotChecks
) -> list[Checked]:
    """By person of a branch: entries of the quarter, how many are checked, in whichever branch, and what came of it."""
    people = {*await people_of(sql, branch_id, at), *await _checked_in(sql, branch_id, quarter_end)}
    checks = await fetch(
        sql,
        SpotCheckRow,
        f"SELECT {columns(SpotCheckRow)} FROM spot_checks WHERE person = ANY($1::text[]) AND quarter_end = $2",
        sorted(people),
        quarter_end,
    )
    entries = Counter(one.person for one in await entries_of(sql, sorted(people), quarter_of(quarter_end), quarter_end))
    of: defaultdict[str, list[SpotCheckRow]] = defaultdict(list)
    for one in checks:
        of[one.person].append(one)
    return [
        _checked(person, entries[person], of[person], terms)
        for person in sorted(people)
        if entries[person] or of[person]
    ]


def _checked(person: str, entries: int, own: Sequence[SpotCheckRow], terms: SpotChecks) -> Checked:
    scores = [one.score for one in own if one.score is not None]
    mean = (Decimal(sum(scores)) / len(scores)).quantize(Decimal("0.1"), ROUND_HALF_UP) if scores else None
    return Checked(
        person, entries, needed(entries, terms), len(own), len(scores), sum(one.answer is not None for one in own),
        sum(one.state == "closed" for one in own), mean, sum(one.as_logged is False for one in own),
    )  # fmt: skip


async def report(uow: UnitOfWork, branch_id: str, quarter_end: date) -> ReportRow:
    """Report a quarter's checks to headquarters, once.

    Raises: NotAllChecked while somebody's entries are not drawn or scored; QuarterReported.
    """
    at = await effective_now(uow.sql, uow.now)
    terms = (await uow.policies(Policies)).spot_checks.on(quarter_end).body
    found = await figures(uow.sql, branch_id, quarter_end, at, terms)
    if open_ones := [one.person for one in found if not one.is_done]:
        raise NotAllChecked(persons=open_ones)
    due = last_working_day(quarter_end, await uow.cached(current))
    one = ReportRow(branch_id, quarter_end, [told(each) for each in found], due, uow.actor.person, at)
    new = await uow.sql.fetchval(
        f"""INSERT INTO spot_reports ({columns(ReportRow)}) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT DO NOTHING RETURNING branch_id""",
        *msgspec.structs.astuple(one),
    )
    if new is None:
        raise QuarterReported
    uow.audit("report spot checks", f"branch/{branch_id}", quarter_end=quarter_end, people=len(found))
    return one


def told(one: Checked) -> dict[str, Any]:
    """Somebody's figures as they are reported."""
    return {
        "person": one.person, "entries": one.entries, "needed": one.needed, "drawn": one.drawn, "scored": one.scored,
        "answered": one.answered, "closed": one.closed, "not_true": one.not_true,
        "mean_score": None if one.mean_score is None else str(one.mean_score),
    }  # fmt: skip
