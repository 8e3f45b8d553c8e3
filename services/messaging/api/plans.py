"""What is planned and what was stopped, over HTTP: for the desk and for compliance [MS7, MS19]."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from chassis.http import Listing, Page, Reading, router
from services.messaging import alerts, plans
from services.messaging.api.access import Counter

routes = router("/v1/messaging", "messaging")


class Plan(BaseModel):
    """How many messages of a template wait for a day, and what for."""

    day: date
    kind: str
    message_class: str
    state: str
    why: str
    messages: Annotated[int, Field(description="how many wait")]


class OptOut(BaseModel):
    """A word against a class of messages: by a client, or by a reply from a number (whose token this is)."""

    consent_id: UUID
    client_id: str | None
    number: Annotated[str | None, Field(description="the number's token", examples=["9f86d081884c7d65"])]
    message_class: str
    channel: str | None
    since: datetime
    how: str
    recorded_by: str
    evidence: str


class Heard(BaseModel):
    """A reply and what it asks for; its words are read client by client."""

    inbound_id: str
    client_id: str | None
    command: str
    at: datetime
    received_at: datetime


@routes.get("/plans")
async def list_plans(_: Counter, sql: Reading) -> list[Plan]:
    """What waits, by the day it is due, template, state and reason."""
    return [Plan.model_validate(one) for one in await plans.waiting(sql)]


class Alert(BaseModel):
    """Something staff have to look at now, and whether the addresses for alerts took it."""

    kind: str
    subject: str
    words: str
    at: datetime
    state: Annotated[str, Field(description="waiting, handed, sent or failed", examples=["sent"])]
    tries: Annotated[int, Field(description="how often it was sent")]
    failed: Annotated[str, Field(description="the kinds of addresses that did not take it", examples=["json"])]


@routes.get("/alerts")
async def list_alerts(_: Counter, sql: Reading) -> list[Alert]:
    """Alerts to staff, the latest first, up to 200."""
    return [Alert.model_validate(one) for one in await alerts.listed(sql, 200)]


@routes.get("/opt-outs")
async def list_opt_outs(_: Counter, sql: Reading, page: Page) -> Listing[OptOut]:
    """Every opt-out, newest first."""
    found = await plans.opt_outs(sql, page.after, page.limit + 1)
    shown = page.result(found, lambda row: (row["since"].isoformat(), str(row["consent_id"])))
    return Listing[OptOut].model_validate(shown)


@routes.get("/inbound")
async def list_inbound(_: Counter, sql: Reading, page: Page) -> Listing[Heard]:
    """Every reply that came in, newest first."""
    found = await plans.heard(sql, page.after, page.limit + 1)
    shown = page.result(found, lambda row: (row["received_at"].isoformat(), row["inbound_id"]))
    return Listing[Heard].model_validate(shown)
