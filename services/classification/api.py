"""HTTP in: a client's class and tier, their history and why; lists. `as_of` D includes the close of D."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import Query
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Listing, Page, Reading, Tagged, etag, object_scope, permits, require_sight, router
from contracts.classification import TIERS, ClassCode, TierCode
from contracts.fields import BusinessDate, Identifier, Instant
from services.classification import explain, views
from services.classification.policy import Policies
from services.classification.tables import ClassDecision
from services.classification.views import ONE_DAY, ClassInForce, Client

routes = router("/v1/classification", "classification")
Reader = Annotated[Actor, permits("classification:read", *Role)]
Lister = Annotated[Actor, permits("classification:list", *(role for role in Role if role is not Role.CLIENT))]
AsOf = Annotated[
    BusinessDate | None, Query(description="in force once the close of this date is done; else the latest")
]
KnownAt = Annotated[Instant | None, Query(description="as known at this instant; else as known now")]


class ClassView(BaseModel):
    """The class in force and its inputs."""

    code: str
    since: date
    provisional: bool
    asset_mean: str
    turnover: str
    investor_type: Literal["INVESTOR", "TRADER"]


class Grace(BaseModel):
    """A running grace period."""

    since: date = Field(alias="from")
    steps_down_on: date


class TierView(BaseModel):
    """The effective tier."""

    code: TierCode
    since: date
    reason: str
    retained: TierCode
    grace: Grace | None


class ClientView(BaseModel):
    """A client's class and tier on a day."""

    client_id: str
    branch_id: str
    manager_id: str | None
    kind: str
    opened_on: date
    closed_on: date | None
    as_of: date | None
    classification: ClassView | None = Field(alias="class")
    tier: TierView


class ListedClient(BaseModel):
    """A client in a list."""

    client_id: str
    branch_id: str
    opened_on: date
    code: str | None = Field(alias="class")
    provisional: bool | None
    tier: TierCode
    tier_since: date


class StretchView(BaseModel):
    """A stretch of the effective tier; `to` is exclusive."""

    tier: TierCode
    since: date = Field(alias="from")
    until: date | None = Field(alias="to")
    reason: str


class ClassStep(BaseModel):
    """A change of class."""

    code: str
    since: date = Field(alias="from")
    previous: str | None
    provisional: bool
    asset_mean: str
    turnover: str
    policy: str


class History(BaseModel):
    """Tier and class over time, as known then."""

    client_id: str
    known_at: datetime | None
    tiers: list[StretchView]
    classes: list[ClassStep]


@routes.get("/clients")
async def list_clients(
    actor: Lister,
    sql: Reading,
    page: Page,
    tier: TierCode | None = None,
    class_: Annotated[ClassCode | None, Query(alias="class")] = None,
    branch: Identifier | None = None,
) -> Listing[ListedClient]:
    """Clients by id, of a tier, a class, a branch; staff of a branch see their own."""
    filters = {"tier": TIERS.index(tier) if tier else None, "class": class_, "branch": branch}
    after = page.after[0] if page.after else None
    rows = await views.page_of_clients(sql, object_scope(actor, 2), filters, after, page.limit + 1)
    listed = [
        {
            "client_id": row.client_id,
            "branch_id": row.branch_id,
            "opened_on": row.opened_on,
            "class": row.code,
            "provisional": row.provisional,
            "tier": TIERS[row.tier],
            "tier_since": row.since,
        }
        for row in rows
    ]
    return Listing[ListedClient].model_validate(page.result(listed, lambda row: (row["client_id"],)))


@routes.get("/clients/{client_id}")
async def read_client(
    actor: Reader, sql: Reading, response: Tagged, client_id: Identifier, as_of: AsOf = None, known_at: KnownAt = None
) -> ClientView:
    """Class and tier on a day, as known now or at an earlier instant."""
    who = await seen(actor, sql, client_id, known_at)
    response.headers["etag"] = etag(who.revision)
    standing = await _standing(sql, who, as_of, known_at)
    held = standing.held
    return ClientView.model_validate(
        {
            "client_id": who.client_id,
            "branch_id": who.branch_id,
            "manager_id": who.manager_id,
            "kind": who.kind,
            "opened_on": who.opened_on,
            "closed_on": who.closed_on,
            "as_of": standing.day,
            "class": _class_view(held) if held else None,
            "tier": {name: standing.tier[name] for name in TierView.model_fields},
        }
    )


@routes.get("/clients/{client_id}/explain")
async def explain_client(
    actor: Reader, sql: Reading, client_id: Identifier, as_of: AsOf = None, known_at: KnownAt = None
) -> dict[str, Any]:
    """Why class and tier are what they are: inputs, rules, policy versions, and a sentence in zh-CN and en."""
    who = await seen(actor, sql, client_id, known_at)
    standing = await _standing(sql, who, as_of, known_at)
    return {
        "client_id": client_id,
        "as_of": standing.day,
        "class": explain.of_class(standing.held) if standing.held else None,
        "tier": standing.tier,
    }


@routes.get("/clients/{client_id}/history")
async def read_history(actor: Reader, sql: Reading, client_id: Identifier, known_at: KnownAt = None) -> History:
    """Tier stretches and class changes, as known now or at an earlier instant."""
    who = await seen(actor, sql, client_id, known_at)
    stretches = (await views.tier_history(sql, who, known_at)).stretches
    ends = [s.since for s in stretches[1:]] + [None]
    return History.model_validate(
        {
            "client_id": client_id,
            "known_at": known_at,
            "tiers": [
                {"tier": TIERS[s.tier], "from": s.since, "to": until, "reason": s.reason}
                for s, until in zip(stretches, ends, strict=True)
            ],
            "classes": [
                {
                    "code": decision.code,
                    "from": decision.effective_on,
                    "previous": decision.previous,
                    "provisional": decision.provisional,
                    "asset_mean": f"{decision.mean:.2f}",
                    "turnover": f"{decision.turnover:.4f}",
                    "policy": decision.policy,
                }
                for decision in await views.decisions(sql, ClassDecision, client_id, known_at)
            ],
        }
    )


async def seen(
    actor: Actor, sql: asyncpg.Connection, client_id: Identifier, known_at: datetime | None = None
) -> Client:
    """The client, if there is one (or was known to be at an instant) whom the caller may see.

    Raises: NotFound.
    """
    who = await views.client(sql, client_id, known_at)
    if who is None:
        raise NotFound
    require_sight(actor, client_id, who.branch_id)
    return who


class _Standing:
    """Class and tier of a client on a day."""

    def __init__(self, day: date | None, held: ClassInForce | None, tier: dict[str, Any]) -> None:
        self.day, self.held, self.tier = day, held, tier


async def _standing(sql: asyncpg.Connection, who: Client, as_of: date | None, known_at: datetime | None) -> _Standing:
    through = await views.closed_through(sql)
    day = as_of or through
    in_force = day + ONE_DAY if day else who.opened_on
    version = (await Policies.read(sql)).tiers.on(in_force - timedelta(days=1))
    tier = explain.of_tier(await views.tier_history(sql, who, known_at), in_force, version.body, version.name)
    return _Standing(day, await views.class_on(sql, who.client_id, day, known_at), tier)


def _class_view(held: ClassInForce) -> dict[str, Any]:
    return {
        "code": held.code,
        "since": held.since,
        "provisional": bool(held.last.provisional),
        "asset_mean": f"{held.last.mean:.2f}",
        "turnover": f"{held.last.turnover:.4f}",
        "investor_type": "TRADER" if held.last.trader else "INVESTOR",
    }
