"""HTTP in: the register of gifts and hospitality, and what the club is measured by [H2.2, H2.4]."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from fastapi import Query, Response
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.acts import ActView, HistoryStep, history, load, perform, possible
from chassis.clock import month_end
from chassis.errors import FieldError, Invalid
from chassis.http import Listing, Located, Once, Page, Reading, Work, etag, object_scope, permits, router
from chassis.timeline import effective_now, today
from contracts.fields import BusinessDate, Id, Identifier, Money, Month, Text500
from services.products import clients, club_measures, hospitality
from services.products.club_measures import Side
from services.products.hospitality import ACTS, Why
from services.products.rules import cents
from services.products.tables import HospitalityRow

routes = router("/v1/products", "products")
Giver = Annotated[
    Actor, permits("products:hospitality", Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
]
Keeper = Annotated[Actor, permits("products:hospitality:void", Role.HQ, Role.COMPLIANCE)]
Watcher = Annotated[Actor, permits("products:club:measures", Role.HQ, Role.COMPLIANCE)]
QUARTER_ENDS = (3, 6, 9, 12)


class Given(BaseModel, extra="forbid"):
    """What is to be entered: a gift or hospitality, what it is worth, when and what for."""

    kind: Literal["gift", "hospitality"] = Field(description="gift or hospitality", examples=["hospitality"])
    amount: Annotated[Money, Field(gt=0)]
    given_on: BusinessDate
    event_id: Id | None = None
    reason: Text500


class GivenAsked(BaseModel):
    """What waits for compliance."""

    approval_id: UUID
    client_id: str
    state: str


class EntryView(BaseModel):
    """An entry of the register."""

    entry_id: UUID
    client_id: str
    branch_id: str | None
    kind: str = Field(description="gift or hospitality", examples=["hospitality"])
    amount: str
    given_on: date
    event_id: UUID | None
    what: str
    state: str
    asked_by: str
    decided_by: str
    recorded_at: datetime


class EntryPage(EntryView):
    """One, with what the caller can do to it; `approval_id` where a second person decides."""

    acts: list[ActView]
    history: list[HistoryStep]
    approval_id: UUID | None = None


class SideView(BaseModel):
    """One side: how many, and in percent how many prospects have an account at the end, how the commission has changed, how many
    are stable; none where there is nobody to measure."""

    clients: int = Field(description="how many were compared", examples=[40])
    converted: str | None
    contribution: str | None
    stable: str | None

    @classmethod
    def of(cls, one: Side) -> "SideView":
        """As answers have it."""
        converted, contribution, stable = (
            None if value is None else str(value) for value in (one.converted, one.contribution, one.stable)
        )
        return cls(clients=one.clients, converted=converted, contribution=contribution, stable=stable)


class Measured(BaseModel):
    """A quarter: members beside clients who are alike and no members, and how many members found no such client."""

    first_day: date
    last_day: date
    members: SideView = Field(description="members of the first day")
    others: SideView = Field(description="those they were paired with")
    unmatched: int
    method: str = Field(description="how it was measured", examples=["Members are those of the first day."])


def _view(row: HospitalityRow) -> EntryView:
    return EntryView.model_validate(msgspec.structs.asdict(row) | {"amount": str(cents(Decimal(row.fen) / 100))})


@routes.post("/clients/{client_id}/club/hospitality", status_code=202)
async def ask_for_hospitality(
    actor: Giver, uow: Work, _once: Once, client_id: Identifier, wanted: Given, response: Located
) -> GivenAsked:
    """Ask to enter something given to a member: the policy has to allow it, the year has to have room, compliance agrees."""
    client = await clients.seen(actor, uow.sql, client_id)
    asked = await hospitality.ask(
        uow, client, wanted.kind, wanted.amount, wanted.given_on, wanted.event_id, wanted.reason
    )
    response.headers["location"] = f"/v1/products/approvals/{asked.approval_id}"
    return GivenAsked(approval_id=asked.approval_id, client_id=client_id, state=asked.state)


@routes.get("/club/hospitality")
async def list_hospitality(
    actor: Giver,
    sql: Reading,
    page: Page,
    on: Annotated[BusinessDate | None, Query(description="of the year of this day")] = None,
) -> Listing[EntryView]:
    """The register of a calendar year, by day; of a branch its own."""
    after = page.after or ["1900-01-01", "00000000-0000-0000-0000-000000000000"]
    found = await hospitality.listed(
        sql, object_scope(actor, 5), (on or await today(sql)).year, (date.fromisoformat(after[0]), UUID(after[1])),
        page.limit + 1,
    )  # fmt: skip
    result = page.result(found, lambda row: (row.given_on.isoformat(), str(row.entry_id)))
    return Listing[EntryView](items=[_view(one) for one in result["items"]], next=result["next"])


@routes.get("/club/hospitality/{entry_id}")
async def read_hospitality(actor: Giver, sql: Reading, entry_id: Id, response: Response) -> EntryPage:
    """One entry."""
    row = await load(sql, ACTS, actor, entry_id)
    response.headers["etag"] = etag(row.revision)
    return EntryPage(
        **_view(row).model_dump(),
        acts=await possible(sql, ACTS, actor, row),
        history=await history(sql, ACTS, actor, row),
    )


@routes.post("/club/hospitality/{entry_id}/void", status_code=202)
async def void_hospitality(actor: Keeper, uow: Work, entry_id: Id, body: Why, response: Response) -> EntryPage:
    """Ask to strike an entry: it is out when compliance agrees."""
    uow.happened_at = await effective_now(uow.sql, uow.now)
    done = await perform(uow, ACTS.void, entry_id, body)
    assert done.approval is not None
    response.headers["location"] = f"/v1/products/approvals/{done.approval.approval_id}"
    row = done.row
    return EntryPage(
        **_view(row).model_dump(), acts=await possible(uow.sql, ACTS, actor, row),
        history=await history(uow.sql, ACTS, actor, row), approval_id=done.approval.approval_id,
    )  # fmt: skip


@routes.get("/reports/club-measures")
async def measure_club(
    actor: Watcher, sql: Reading, quarter: Annotated[Month, Query(description="the last month of the quarter")]
) -> Measured:
    """What the club is measured by: prospects who became clients, contribution, stability, each beside matched clients who
    are no members [H2.4]."""
    year, month = map(int, quarter.split("-"))
    if month not in QUARTER_ENDS:
        raise Invalid(errors=(FieldError("/quarter", "the last month of a quarter: 03, 06, 09, 12"),))
    last = month_end(date(year, month, 1))
    found = await club_measures.measure(sql, last)
    assert club_measures.__doc__ is not None
    return Measured(
        first_day=found.first, last_day=found.last, members=SideView.of(found.members), others=SideView.of(found.others),
        unmatched=found.unmatched, method=club_measures.__doc__.split("Method. ")[1].strip(),
    )  # fmt: skip
