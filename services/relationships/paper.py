"""A log kept on paper, typed up and taken in with its scan: all rows, or the good ones with a report of the others [A12]."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import asyncpg
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from chassis import staff
from chassis.actor import Actor, Role
from chassis.clock import business_date, start_of
from chassis.errors import FieldError
from chassis.http import may_see
from chassis.personal import mask_text
from chassis.staff import Roster
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.fields import Code, Identifier, Instant, text_of
from services.relationships import assignments, contacts, logged, prospects
from services.relationships.contacts import STAFF, Contact
from services.relationships.errors import WrongValue
from services.relationships.policy import Policies, ServiceLog
from services.relationships.system import SUPPLEMENTARY

PAPER = "paper"
YES = {"是": True, "否": False, "yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}


def _said(value: object) -> object:
    return YES.get(value.strip().lower(), value) if isinstance(value, str) else value


class PaperRow(BaseModel, extra="forbid"):
    """A row of the paper log as it is read."""

    client_id: Identifier
    person: Identifier
    channel: Literal["phone", "on_site", "wecom", "online", "email", "letter", "event", "counter"]
    direction: Literal["in", "out"]
    at: Instant
    two_way: bool = True
    valid: bool = True
    outcome: Code | None = None
    mood: Literal["calm", "annoyed", "angry"] | None = None
    grumble: bool = False
    topics: Annotated[list[Code], Field(max_length=20, default_factory=list)]
    words: Annotated[str, text_of(4000, 1), AfterValidator(mask_text)] | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be taken, by its place from 0 on, and why."""

    place: int
    errors: Sequence[FieldError]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken in: how many are new, how many were known, and what was refused."""

    new: int
    known: int
    refused: Sequence[Refused]


@dataclass(frozen=True, slots=True)
class Known:
    """What the rows are looked at beside."""

    clients: Mapping[str, tuple[str | None, datetime | None]]
    styles: Mapping[str, Sequence[tuple[Any, str | None]]]
    roster: Roster
    actor: Actor
    now: datetime
    terms: ServiceLog


async def take(uow: UnitOfWork, scan: str, rows: Sequence[Mapping[str, str]], *, whole: bool) -> Taken:
    """Take a paper log in. `scan` names the paper: a row of it is one contact however often it is taken in.

    Raises: WrongValue with every wrong row where the log is to be taken as a whole.
    """
    read = [_read(place, row) for place, row in enumerate(rows)]
    good = {place: row for place, row in enumerate(read) if isinstance(row, PaperRow)}
    known = await _known(uow, sorted({row.client_id for row in good.values()}))
    refused = [row for row in read if isinstance(row, Refused)]
    first: dict[tuple[str, str, str, datetime], int] = {}
    entered: list[Contact] = []
    for place, row in good.items():
        twin = first.setdefault((row.client_id, row.person, row.channel, row.at), place)
        if errors := list(_problems(place, row, known, twin)):
            refused.append(Refused(place, errors))
        else:
            entered.append(_contact(uow, scan, row, known))
    refused.sort(key=lambda one: one.place)
    if whole and refused:
        raise WrongValue(errors=tuple(error for one in refused for error in one.errors))
    new = await _keep(uow, entered)
    uow.audit("take in a paper log", f"scan/{scan}", rows=len(rows), new=new, refused=len(refused))
    return Taken(new, len(entered) - new, refused)


def _read(place: int, row: Mapping[str, str]) -> PaperRow | Refused:
    given: dict[str, Any] = {name: value.strip() for name, value in row.items() if value.strip()}
    given = {name: _said(value) if name in ("two_way", "valid", "grumble") else value for name, value in given.items()}
    given |= {"topics": given["topics"].split()} if "topics" in given else {}
    try:
        return PaperRow.model_validate(given)
    except ValidationError as error:
        return Refused(place, [_field_error(place, one) for one in error.errors()])


def _field_error(place: int, one: Any) -> FieldError:
    name = str(one["loc"][0]) if one["loc"] else ""
    return FieldError(f"/rows/{place}/{name}", str(one["msg"]))


async def _known(uow: UnitOfWork, clients: Sequence[str]) -> Known:
    found = await uow.sql.fetch(
        "SELECT client_id, branch_id, opened_on FROM clients WHERE client_id = ANY($1::text[])", clients
    )
    styles: defaultdict[str, list[tuple[Any, str | None]]] = defaultdict(list)
    for client_id, day, value in await uow.sql.fetch(
        """SELECT client_id, day, value FROM information_values WHERE client_id = ANY($1::text[]) AND code = $2
           ORDER BY day, own, at, fact_id""",
        clients,
        SUPPLEMENTARY["STYLE"],
    ):
        styles[client_id].append((day, value))
    now = await effective_now(uow.sql, uow.now)
    return Known(
        {client_id: (branch, start_of(opened) if opened else None) for client_id, branch, opened in found}, styles,
        await staff.roster(uow.sql), uow.actor, now, (await uow.policies(Policies)).service_log.on(business_date(now)).body,
    )  # fmt: skip


def _problems(place: int, row: PaperRow, known: Known, twin: int) -> Iterator[FieldError]:
    at, actor = f"/rows/{place}", known.actor
    client = known.clients.get(row.client_id)
    if client is None or not may_see(actor, row.client_id, client[0], centre=True):
        yield FieldError(f"{at}/client_id", "no such client")
    elif client[1] is not None and row.at < client[1]:
        yield FieldError(f"{at}/at", "lies before the client was opened")
    if row.at > known.now:
        yield FieldError(f"{at}/at", "lies in the future")
    elif row.at < known.now - timedelta(days=known.terms.paper_days):
        yield FieldError(f"{at}/at", f"lies more than {known.terms.paper_days} days back")
    if row.grumble and prospects.is_prospect(row.client_id):
        yield FieldError(f"{at}/grumble", "is a client's: a prospect's is a complaint")
    if twin != place:
        yield FieldError(at, f"is row {twin} once more")
    if not assignments.works_here(known.roster, row.person, row.at) and row.person != actor.person:
        yield FieldError(f"{at}/person", "did not work here then")
    elif row.person != actor.person and not _leads(actor, row, known.roster):
        yield FieldError(f"{at}/person", "is entered by who leads them")


def _leads(actor: Actor, row: PaperRow, roster: Roster) -> bool:
    person = roster.person(row.person, row.at)
    here = person is not None and person.branch_id == actor.branch_id
    return actor.role is Role.HQ or (actor.role is Role.BRANCH_MANAGER and here)


def _ref(scan: str, row: PaperRow) -> str:
    """What a row says of itself, wherever it stands: the rows that were mended can be sent alone."""
    return f"{scan}#{row.client_id}/{row.person}/{row.channel}/{row.at.astimezone(UTC).isoformat()}"


def _contact(uow: UnitOfWork, scan: str, row: PaperRow, known: Known) -> Contact:
    entry = logged.Entry(
        row.channel, row.direction, row.at, row.two_way, row.valid, row.outcome, row.mood, row.grumble, row.topics,
        row.words, row.person, _ref(scan, row), STAFF,
    )  # fmt: skip
    day = business_date(row.at)
    style = next((value for since, value in reversed(known.styles.get(row.client_id, ())) if since <= day), None)
    return logged.made(
        row.client_id,
        entry,
        contacts.named(PAPER, entry.ref),
        row.person,
        uow.actor.person,
        known.now,
        known.terms,
        style,
    )


async def _keep(uow: UnitOfWork, entered: Sequence[Contact]) -> int:
    there = await _there(uow.sql, entered)
    new = [one for one in entered if one.contact_id not in there]
    await logged.keep(uow, new)
    return len(new)


async def _there(sql: asyncpg.Connection, entered: Sequence[Contact]) -> set[object]:
    rows = await sql.fetch(
        "SELECT contact_id FROM contacts WHERE contact_id = ANY($1::uuid[])", [one.contact_id for one in entered]
    )
    return {contact_id for (contact_id,) in rows}
