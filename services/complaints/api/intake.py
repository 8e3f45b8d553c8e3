"""Cases in and found: one form for every channel, search, everything known of one case."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request
from pydantic import AfterValidator, BaseModel, Field
from uuid_utils import uuid7

from chassis import staff
from chassis.actor import Actor, Role
from chassis.acts import history, load, possible
from chassis.errors import FieldError, Invalid, NotFound
from chassis.http import Listing, Located, Once, Page, Purpose, Reading, Tagged, Work, etag, permits, router
from chassis.http.persons import PersonId
from chassis.http.problems import answer
from chassis.personal import mask_text
from chassis.personal.keys import Value
from chassis.personal.reading import reveal
from chassis.staff import HQ
from chassis.timeline import Timeline, timeline, today
from contracts.broker import ComplaintReceived
from contracts.fields import Code, Id, Identifier, Instant, Label, Money, Phone, number_of, text_of
from services.complaints import cases, relations
from services.complaints.acts import ACTS
from services.complaints.api.shapes import BRANCH, READERS, STAFF, Case, CaseInFull, shown, told_to
from services.complaints.forms import Body, Day, Name, Spoken
from services.complaints.intake import NumberTaken, open_cases, registered_late
from services.complaints.report import Report
from services.complaints.rules import OVER, REGULATORS, letter_of
from services.complaints.search import Search
from services.complaints.seats import department_for
from services.complaints.tables import CaseRow
from services.complaints.words import owner_of

routes = router("/v1/complaints", "complaints")
Reporter = Annotated[Actor, permits("complaints.cases:open", Role.CLIENT, Role.SYSTEM, *STAFF)]
Reader = Annotated[Actor, permits("complaints.cases:read", Role.CLIENT, *READERS)]
Channel = Literal[
    "hotline", "centre_mailbox", "branch_phone", "branch_mailbox", "on_site", "web_form", "post", "fax", "app",
    "regulator_transfer",
]  # fmt: skip


class NewCase(Body):
    """A complaint, suggestion or enquiry. `client_id` is empty where the complainant is no known client [C29]."""

    client_id: Name | None = None
    branch_id: Name | None = None
    external_ref: Name | None = Field(None, description="the other system's own number: the same again is a repeat")
    system: Name = "rest"
    kind: Literal["complaint", "suggestion", "enquiry"] = "complaint"
    source: Literal["client", "regulator", "exchange", "petition_office"] = "client"
    channel: Channel
    category: Annotated[str, text_of(200)] = ""
    words: Spoken
    product: Label | None = None
    employee: PersonId | None = None
    script: Name | None = None
    claim: Money | None = None
    allegations: Annotated[list[Label], Field(max_length=20)] = Field(default_factory=list)
    complainants: Annotated[int, number_of(1, 100000)] = 1
    public_risk: bool = Field(False, description="media or stability risk")
    regulator_ref: Name | None = None
    reply_due_on: Day | None = None
    demands: Annotated[list[Annotated[Label, AfterValidator(mask_text)]], Field(max_length=20)] = Field(
        default_factory=list
    )
    contact_channel: Name | None = None
    name: Label | None = Field(None, description="of a complainant who is no known client; kept encrypted")
    phone: Phone | None = Field(None, description="likewise")
    priority: bool = False
    received_at: Instant | None = None


@routes.post("/cases", status_code=201, response_model=Case)
async def open_case(actor: Reporter, uow: Work, _: Once, body: NewCase, response: Located, request: Request) -> Any:
    """Report a case. Whoever is asked first owns it until somebody accepts it [C8]; the same letter twice is one case.

    A client states what is theirs to say: words, demands, claim, how to reach them. What comes under a number that is
    taken by a case the caller may not see is kept for an operator, and answered 409.
    """
    at = cases.moment(uow, body.received_at)
    report = await _report(uow, actor, body, at)
    opened = await open_cases(uow, [report])
    if opened:
        uow.audit("open case", f"case/{report.case_id}", key=report.key, channel=report.channel, at=at)
        await relations.find_refused_before(uow, [report])
        await registered_late(uow, report)
        await uow.sql.executemany(
            "INSERT INTO demands (demand_id, case_id, what, made_at) VALUES ($1, $2, $3, $4)",
            [(UUID(bytes=uuid7().bytes), report.case_id, what, at) for what in body.demands],
        )
    else:
        response.status_code = 200
    try:
        row = await cases.seen(uow.sql, actor, report.case_id)
    except NotFound:
        return answer(request.scope, NumberTaken())  # not raised: what came is kept
    response.headers["etag"] = etag(row.revision)
    response.headers["location"] = f"/v1/complaints/cases/{report.case_id}"
    return shown(actor, row)


STATED_BY_CLIENTS = {
    "client_id", "kind", "channel", "category", "words", "product", "employee", "claim", "demands", "contact_channel",
    "name", "phone",
}  # fmt: skip
"""What a client states of their own case; the rest is for those who can know it."""


def _refused(
    actor: Actor, body: NewCase, known: str | None, violations: Collection[str], *, replayed: bool
) -> list[FieldError]:
    """What the caller may not state, and what is no code of the list [C1, C7]."""
    found = []
    if actor.role is Role.CLIENT:
        allowed = (
            STATED_BY_CLIENTS
            | ({"received_at"} if replayed else set())
            | ({"branch_id"} if body.branch_id == known else set())
        )
        found += [
            FieldError(f"/{name}", "is not for a client to state") for name in sorted(body.model_fields_set - allowed)
        ]
        if body.client_id not in {None, actor.client_id}:
            found.append(FieldError("/client_id", "clients report for themselves"))
    elif actor.role in BRANCH and not actor.is_centre:
        if body.branch_id not in {None, actor.branch_id}:
            found.append(FieldError("/branch_id", "is not your branch"))
        if body.priority:
            found.append(FieldError("/priority", "is for the VIP line of the centre to state"))
    found += [
        FieldError(f"/allegations/{n}", f"{code} is none of: {', '.join(sorted(violations))}")
        for n, code in enumerate(body.allegations)
        if code not in violations
    ]
    if body.source in REGULATORS and not (body.regulator_ref and letter_of(body.regulator_ref)):
        found.append(FieldError("/regulator_ref", "a regulator's case carries its reference [C1]"))
    if body.channel == "regulator_transfer" and body.source not in REGULATORS:
        found.append(FieldError("/source", "a transfer names the regulator it comes from [C1]"))
    return found


async def _number_of(uow: Any, body: NewCase) -> tuple[str, str | None]:
    """The (system, number) a case is known by; a letter's is its regulator and its reference, however it is written."""
    if body.source not in REGULATORS or not body.regulator_ref:
        return body.system, body.external_ref
    letter = letter_of(body.regulator_ref)
    known = await uow.sql.fetchval(
        "SELECT external_ref FROM cases WHERE system = $1 AND external_ref = ANY($2::text[]) LIMIT 1",
        body.source,
        [letter, body.regulator_ref],
    )
    return body.source, known or letter


async def _report(uow: Any, actor: Actor, body: NewCase, at: datetime) -> Report:
    client = actor.client_id if actor.role is Role.CLIENT else body.client_id
    known = await uow.sql.fetchval("SELECT branch_id FROM clients WHERE client_id = $1", client) if client else None
    replayed = await timeline(uow.sql) is Timeline.SIMULATED
    limits = await cases.limits_of(uow, at)
    if errors := _refused(actor, body, known, limits.violations, replayed=replayed):
        raise Invalid(errors=tuple(errors))
    of_branch = actor.role in BRANCH and not actor.is_centre
    branch = actor.branch_id if of_branch else None
    system, reference = await _number_of(uow, body)
    case_id = UUID(bytes=uuid7().bytes)
    if reference:
        derived = ComplaintReceived(system=system, external_ref=reference, received_at=at, channel=body.channel)
        case_id = derived.case_id
    owner = actor.person
    if actor.role in {Role.CLIENT, Role.SYSTEM}:
        named = (body.employee,) if body.employee else ()
        owner = department_for(await staff.roster(uow.sql), limits, body.category, at, named)
    return Report(
        case_id=case_id,
        system=system,
        external_ref=reference,
        client_id=client,
        branch_id=branch or body.branch_id or known or HQ,
        flow="on_site" if of_branch else "centre",
        owner=owner,
        received_at=at,
        **body.model_dump(
            include={
                "kind", "source", "channel", "category", "words", "product", "employee", "script", "claim",
                "allegations", "complainants", "public_risk", "regulator_ref", "reply_due_on", "contact_channel",
                "name", "phone", "priority",
            }
        ),
    )  # fmt: skip


OVERDUE = f"coalesce(due_on < {{}} AND state <> ALL('{{{{{','.join(OVER)}}}}}'), false)"


@routes.get("/cases")
async def list_cases(
    actor: Reader,
    sql: Reading,
    page: Page,
    q: Annotated[
        Annotated[str, text_of(200)] | None, Query(description="words to find, of two characters at least")
    ] = None,
    state: Code | None = None,
    owner: Identifier | None = None,
    client: Identifier | None = None,
    branch: Identifier | None = None,
    severity: Literal["ordinary", "major"] | None = None,
    kind: Code | None = None,
    source: Code | None = None,
    category: Annotated[str, text_of(200)] | None = None,
    outcome: Code | None = None,
    due_before: Day | None = None,
    overdue: bool | None = None,
    received_from: Day | None = None,
    received_before: Day | None = None,
) -> Listing[Case]:
    """Cases the caller may see, newest first; `q` finds words of two Chinese characters in what was said.

    `overdue`: open (or over) by their day, `due_before` and `received_before` do not count the day itself.
    """
    conditions = {
        "state = {}": state, "owner = {}": owner, "branch_id = {}": branch, "severity = {}": severity, "kind = {}": kind,
        "source = {}": source, "category = {}": category, "outcome = {}": outcome, "due_on < {}": due_before, "received_on >= {}": received_from,
        "received_on < {}": received_before, OVERDUE if overdue else f"NOT {OVERDUE}": None if overdue is None else await today(sql),
    }  # fmt: skip
    search = Search(actor, q=q, client=client, after=page.after, conditions=conditions)
    rows = await search.page(sql, page.limit + 1)
    found = page.result(
        [shown(actor, CaseRow(**row)) for row in rows], lambda one: (one.received_at.isoformat(), str(one.case_id))
    )
    return Listing[Case].model_validate(found)


@routes.get("/cases/{case_id}")
async def read_case(actor: Reader, sql: Reading, case_id: Id, response: Tagged) -> CaseInFull:
    """One case, and what the caller can do to it; its ETag is what a change has to match."""
    case = await load(sql, ACTS, actor, case_id)
    response.headers["etag"] = etag(case.revision)
    return CaseInFull.model_validate(told_to(actor, case) | {"acts": await possible(sql, ACTS, actor, case)})


class Contact(BaseModel):
    """What the case's owner needs to answer: in full for them, else masked. Null: not given, or erased.

    `words` are the original ones; `client_*` are the client's own data, `name` and `phone` what came with the case.
    """

    case_id: UUID
    client_id: str | None
    in_full: bool
    words: str | None
    name: str | None
    phone: str | None
    client_name: str | None = None
    client_phone: str | None = None
    contact_channel: str | None


@routes.get("/cases/{case_id}/contact")
async def read_contact(actor: Reader, uow: Work, purpose: Purpose, case_id: Id) -> Contact:
    """Original words and how to reach the complainant: for the case's owner. A read carries a purpose and is recorded."""
    case = await cases.seen(uow.sql, actor, case_id)
    owner, client_id = owner_of(case_id), case.client_id
    fields = {
        "words": Value(owner, "words", case.original),
        "name": Value(owner, "name", case.contact_name),
        "phone": Value(owner, "phone", case.contact_phone),
    }
    client = await uow.sql.fetchrow("SELECT name, phone FROM clients WHERE client_id = $1", client_id)
    if client and client_id:
        fields |= {f"client_{name}": Value(client_id, name, client[name]) for name in ("name", "phone")}
    in_full = case.owner == actor.person or (actor.role is Role.CLIENT and actor.client_id == client_id)
    known = await reveal(uow, f"case/{case_id}", fields, purpose, in_full=in_full, key=case.key)
    if case.original is None:  # nothing in it had to be masked
        known["words"] = case.words
    return Contact(case_id=case_id, client_id=client_id, in_full=in_full, contact_channel=case.contact_channel, **known)


FOR_CLIENTS = ("due", "reason", "further", "outcome", "upheld")
"""What a client reads of the steps they are told of."""


class Moved(BaseModel):
    """One thing that happened."""

    number: int
    generation: int
    what: str
    state: str
    at: datetime
    recorded_at: datetime
    late: bool
    actor: str
    detail: dict[str, Any]


@routes.get("/cases/{case_id}/history")
async def read_history(actor: Reader, sql: Reading, case_id: Id) -> list[Moved]:
    """What happened, in order, as far as the caller may read of it; a client is told no name of staff."""
    steps = await history(sql, ACTS, actor, await load(sql, ACTS, actor, case_id))
    client, generation, found = actor.role is Role.CLIENT, 1, []
    for one in steps:
        generation += one.act == "reopen"
        hidden = client and one.person != actor.person
        found.append(
            Moved(
                number=one.number, generation=generation, what=one.act, state=one.after, at=one.at,
                recorded_at=one.recorded_at, late=one.late, actor="" if hidden else one.person,
                detail={k: v for k, v in one.detail.items() if not client or k in FOR_CLIENTS},
            )
        )  # fmt: skip
    return found
