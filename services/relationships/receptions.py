"""Reception of clients at the branch (现场接待): who came, what they showed and needed, in two minutes' typing [A30]."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from uuid_utils import uuid7

from chassis.clock import business_date
from chassis.errors import FieldError
from chassis.rows import Column, Row, columns, fetch, table
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from services.relationships import logged, questions
from services.relationships.errors import WrongValue
from services.relationships.policy import Policies, Reception
from services.relationships.tables import metadata


class ReceptionRow(Row, frozen=True):
    """A client who came to the branch. The contact it is stands in the service log."""

    reception_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    contact_id: Annotated[UUID, Column(PgUUID(as_uuid=True))]
    client_id: str
    branch_id: str | None
    at: datetime
    day: date
    first_asked: Annotated[str, Column(comment="who was asked first, and answers for it [C8]")]
    own: Annotated[bool, Column(comment="the client themselves came")]
    papers: Annotated[list[str], Column(ARRAY(Text))]
    needs: Annotated[list[str], Column(ARRAY(Text))]
    forms: Annotated[list[str], Column(ARRAY(Text))]
    account_checked: Annotated[bool, Column(comment="account state, business opened, assets were looked at")]
    risk_explained: bool
    waited_minutes: int
    apologised: bool
    question_id: Annotated[UUID | None, Column(PgUUID(as_uuid=True), comment="what could not be answered at once")]


receptions = table(
    "receptions",
    metadata,
    ReceptionRow,
    Index(None, "branch_id", "day"),
    Index("ix_receptions_client_id", "client_id", text("at DESC")),
)


class Came(Row, frozen=True):
    """What is entered of a client who came."""

    own: bool
    papers: list[str]
    needs: list[str]
    forms: list[str]
    account_checked: bool
    risk_explained: bool
    waited_minutes: int
    apologised: bool
    first_asked: str | None
    words: str | None
    unanswered: str | None
    mood: str | None
    grumble: bool


def problems(came: Came, terms: Reception) -> list[FieldError]:
    """What cannot be: codes nobody declared, a wait without a word of apology."""
    known = {
        "papers": (came.papers, terms.papers), "needs": (came.needs, terms.needs), "forms": (came.forms, terms.forms)
    }  # fmt: skip
    found = [
        FieldError(f"/{name}/{n}", "is not in the list")
        for name, (given, points) in known.items()
        for n, code in enumerate(given)
        if code not in {point.code for point in points}
    ]
    if came.waited_minutes and not came.apologised:
        found.append(FieldError("/apologised", "who had to wait is asked to excuse it"))
    if came.forms and not came.risk_explained:
        found.append(FieldError("/risk_explained", "with a form the risks are explained"))
    return found


async def receive(uow: UnitOfWork, client_id: str, branch_id: str | None, came: Came) -> ReceptionRow:
    """Keep a reception, its contact, and the question that stays open.

    Raises: WrongValue.
    """
    at = await effective_now(uow.sql, uow.now)
    terms = (await uow.policies(Policies)).reception.on(business_date(at)).body
    if wrong := problems(came, terms):
        raise WrongValue(errors=tuple(wrong))
    contact = await logged.enter(
        uow,
        client_id,
        logged.Entry(
            "counter", "in", at, two_way=True, valid=came.own and "id_card" in came.papers, outcome="received",
            mood=came.mood, grumble=came.grumble, topics=came.needs, words=came.words, person=came.first_asked,
        ),
    )  # fmt: skip
    person = came.first_asked or uow.actor.person
    question = None
    if came.unanswered:
        asked = questions.Asked(client_id, None, branch_id, "business", "on_site", came.unanswered, person)
        question = (await questions.ask(uow, asked)).question_id
    one = ReceptionRow(
        UUID(bytes=uuid7().bytes), contact.contact_id, client_id, branch_id, at, business_date(at), person, came.own,
        came.papers, came.needs, came.forms, came.account_checked, came.risk_explained, came.waited_minutes,
        came.apologised, question,
    )  # fmt: skip
    await uow.sql.execute(
        f"""INSERT INTO receptions ({columns(ReceptionRow)})
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)""",
        *msgspec.structs.astuple(one),
    )
    uow.audit("receive client", f"reception/{one.reception_id}", key=client_id, needs=came.needs)
    return one


async def listed(
    sql: asyncpg.Connection, first: date, last: date, client_id: str | None, after: Any, limit: int, scope: str,
    arguments: Sequence[Any],
) -> list[ReceptionRow]:  # fmt: skip
    """Receptions of some days, as they were."""
    return await fetch(
        sql,
        ReceptionRow,
        f"""SELECT {columns(ReceptionRow)} FROM receptions WHERE day BETWEEN $1 AND $2
              AND ($3::text IS NULL OR client_id = $3) AND ($4::uuid IS NULL OR reception_id > $4) AND {scope}
            ORDER BY reception_id LIMIT $5""",
        first,
        last,
        client_id,
        after,
        limit,
        *arguments,
    )
