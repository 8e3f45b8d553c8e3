"""What messaging keeps: clients and their addresses, choices, messages, and what came back."""

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from sqlalchemy import Column as SqlColumn
from sqlalchemy import Date, Index, Integer, LargeBinary, Numeric, SmallInteger, Text, Time, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as SqlUUID

from chassis.clients import Clients, Fact, sealed
from chassis.histories import History
from chassis.rows import Column, Row, columns, table
from chassis.tables import new_metadata
from contracts.classification import TIERS as TIER_NAMES
from contracts.classification import GroupChanged, TierChanged
from contracts.products import EntitlementChanged

metadata = new_metadata()
Texts = Annotated[list[str], Column(ARRAY(Text), server_default="{}")]

CLIENTS = Clients(
    metadata,
    Fact("branch_id"),
    Fact("manager_id"),
    Fact("opened_on", Date),
    Fact("name", LargeBinary, of=sealed("name"), comment="encrypted"),
    Fact("phone", LargeBinary, of=sealed("phone"), comment="encrypted"),
    Fact("email", LargeBinary, of=sealed("email"), comment="encrypted"),
    columns=(
        SqlColumn("closed_on", Date),
        SqlColumn("phone_token", Text, comment="keyed token of the number: who shares it, who replies from it"),
        SqlColumn("email_token", Text),
        Index(None, "phone_token"),
        Index(None, "email_token"),
    ),
)

TIERS: History[TierChanged] = History(
    metadata,
    "tiers",
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("rank", SmallInteger, nullable=False, comment="counted from the lowest tier, which is 0"),
    told=lambda change: [(one.since, TIER_NAMES.index(one.tier)) for one in change.stretches],
)
"""Tiers as classification tells them [T5, T7]."""
GROUPS: History[GroupChanged] = History(
    metadata,
    "groups",
    SqlColumn("tag", Text, primary_key=True),
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("until", Date, comment="exclusive; empty when open"),
    told=lambda change: [(one.tag, one.since, one.until) for one in change.tags],
)
"""Groups as classification tells them [K7]."""
LINE_PRODUCTS = ("SMS1", "SMS2", "SMS3")
ENTITLEMENTS: History[EntitlementChanged] = History(
    metadata,
    "entitlements",
    SqlColumn("code", Text, primary_key=True),
    SqlColumn("source", Text, primary_key=True),
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("until", Date, comment="exclusive; empty when open"),
    Index(None, "code", "since"),
    told=lambda change: [
        (one.code, one.source, one.since, one.until) for one in change.stretches if one.code in LINE_PRODUCTS
    ],
)
"""Who has which SMS product, as products tells it [MS17]: what is blocked is no entitlement."""


class LevelRow(Row, frozen=True):
    """A risk level as suitability told it: an assessment and the days it is in force."""

    client_id: Annotated[str, Column(primary_key=True)]
    assessment_id: Annotated[str, Column(primary_key=True)]
    level: str
    valid_from: date
    valid_until: date


levels = table("levels", metadata, LevelRow, Index(None, "client_id", "valid_from"))


class PreferenceRow(Row, frozen=True):
    """What a client chose [MS7, A16]: the language, channels they do not want, the hours they want messages in."""

    client_id: Annotated[str, Column(primary_key=True)]
    language: Annotated[str | None, Column(comment="empty: not chosen yet")]
    refused: Texts
    hours_from: Annotated[time | None, Column(Time)]
    hours_until: Annotated[time | None, Column(Time)]
    revision: Annotated[int, Column(server_default="1")]
    changed_at: datetime


preferences = table("preferences", metadata, PreferenceRow)


class ConsentRow(Row, frozen=True):
    """One word on a consent or an opt-out [MS7, MS8]: who, when, how, on which wording. None is ever changed."""

    consent_id: Annotated[UUID, Column(SqlUUID, primary_key=True)]
    client_id: str | None
    number: Annotated[str | None, Column(comment="an opt-out by reply: the number's token, whoever's it is")]
    message_class: str
    channel: Annotated[str | None, Column(comment="empty: every channel")]
    allowed: bool
    since: datetime
    recorded_at: datetime
    recorded_by: str
    how: Annotated[str, Column(comment="self, staff, reply")]
    wording: Annotated[str, Column(comment="the version of the words agreed to")]
    evidence: str


consents = table("consents", metadata, ConsentRow, Index(None, "client_id", "since"), Index(None, "number", "since"))


class FailedAddressRow(Row, frozen=True):
    """An address that does not work (空号, 停机, 黑名单, bounce) until another one is told [MS13]."""

    channel: Annotated[str, Column(primary_key=True)]
    token: Annotated[str, Column(primary_key=True)]
    reason: str
    since: datetime


failed_addresses = table("failed_addresses", metadata, FailedAddressRow)


class InboundRow(Row, frozen=True):
    """A reply (上行) as it came in, once [MS7]; its words lie under the client's key, or the number's where it is nobody's
    or several clients'."""

    inbound_id: Annotated[str, Column(primary_key=True)]
    client_id: str | None
    number: Annotated[str, Column(comment="the number's token")]
    owner: Annotated[str, Column(comment="under whose key the words lie")]
    command: str
    words: Annotated[bytes | None, Column(comment="encrypted")]
    at: datetime
    received_at: datetime


inbound = table("inbound", metadata, InboundRow, Index(None, "client_id", "at"), Index(None, "number", "at"))


class StrayReceiptRow(Row, frozen=True):
    """A receipt for a reference nobody knows, or not yet: a provider may be faster than our own note."""

    ref: Annotated[str, Column(primary_key=True)]
    state: str
    reason: str
    at: datetime
    received_at: Annotated[datetime, Column(index=True)]


stray_receipts = table("stray_receipts", metadata, StrayReceiptRow)


class FlaggedNumberRow(Row, frozen=True):
    """A number of too many clients that somebody was asked to look into [MS11]."""

    token: Annotated[str, Column(primary_key=True)]
    flagged_at: datetime


flagged_numbers = table("flagged_numbers", metadata, FlaggedNumberRow)


def message_columns(alias: str = "") -> str:
    """SQL: the columns of a message."""
    return columns(MessageRow, alias)


class MessageRow(Row, frozen=True):
    """A message [MS1, MS2]."""

    message_id: Annotated[UUID, Column(SqlUUID, primary_key=True, comment="UUIDv5 of kind, recipient and cause")]
    client_id: str | None
    staff_id: str | None
    branch_id: str | None
    kind: str
    cause: str
    message_class: Annotated[str, Column(comment="of the template; NOTICE where there is none")]
    asked_by: str
    request_id: Annotated[UUID | None, Column(SqlUUID)]
    asked_at: datetime
    asked_on: date
    fields: Annotated[bytes | None, Column(comment="encrypted")]
    required: bool
    shock: bool
    not_before: datetime | None
    not_after: datetime
    due_at: Annotated[datetime, Column(comment="judged again then")]
    state: Annotated[str, Column(comment="contracts.messaging.MessageState")]
    reason: str
    way: str | None
    channel: str | None
    channels: Annotated[
        str, Column(server_default="", comment="those it may go by, the best first; none: as its template says")
    ]
    language: str | None
    template: Annotated[str | None, Column(comment="the version of the set of templates the words came from")]
    parts: Annotated[int | None, Column(SmallInteger)]
    body_sha256: str | None
    address: Annotated[bytes | None, Column(comment="encrypted")]
    address_token: str | None
    tries: Annotated[int, Column(SmallInteger, server_default="0")]
    batch_id: Annotated[UUID | None, Column(SqlUUID, comment="what a sender has in hand with it")]
    merged_into: Annotated[UUID | None, Column(SqlUUID, comment="went as part of this one [MS11]")]
    handed_at: datetime | None
    provider_ref: Annotated[str | None, Column(comment="the provider's own reference")]
    ended_at: datetime | None
    read_at: Annotated[datetime | None, Column(comment="in the app")]
    words: Annotated[bytes | None, Column(comment="encrypted")] = None
    """Subject and text as they went; of codes none."""
    member: Annotated[str | None, Column(comment="who was asked to confirm it in WeCom [MS15]")] = None
    withdrawn: Annotated[bool, Column(server_default="false", comment="not wanted any more: it is not tried again")] = (
        False
    )


messages = table(
    "messages",
    metadata,
    MessageRow,
    Index("ix_messages_due", "way", "due_at", "message_id", postgresql_where=text("state IN ('planned', 'queued')")),
    Index("ix_messages_in_hand", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
    Index("ix_messages_waiting_for_receipt", "handed_at", postgresql_where=text("state = 'handed'")),
    Index(None, "client_id", "asked_at"),
    Index(None, "address_token", "handed_at"),
    Index(None, "provider_ref"),
    Index(None, "merged_into"),
    Index(None, "asked_on"),
    Index(
        "ix_messages_awaiting_member",
        "due_at",
        postgresql_where=text("state = 'handed' AND reason = 'awaiting_member'"),
    ),
    Index(
        "ix_messages_receipt_asked_for",
        "way",
        "due_at",
        "message_id",
        postgresql_where=text("state = 'handed' AND batch_id IS NULL AND merged_into IS NULL"),
    ),
    Index("ix_messages_tried_again", "way", postgresql_where=text("state = 'queued' AND tries > 1")),
    Index("ix_messages_waiting_by_cause", "cause", postgresql_where=text("state IN ('planned', 'queued')")),
)


class ContactAskedRow(Row, frozen=True):
    """A contact asked for, for a message in a month [MS10]."""

    request_id: Annotated[UUID, Column(SqlUUID, primary_key=True)]
    message_id: Annotated[UUID, Column(SqlUUID)]
    month: Annotated[date, Column(comment="its first day")]
    asked_at: datetime
    granted: Annotated[bool | None, Column(comment="empty: not decided yet")]


contacts_asked = table("contacts_asked", metadata, ContactAskedRow, Index(None, "message_id", "month"))


class ConsentRevisionRow(Row, frozen=True):
    """How often a client's consents were told."""

    client_id: Annotated[str, Column(primary_key=True)]
    revision: int


consent_revisions = table("consent_revisions", metadata, ConsentRevisionRow)


class SubscriptionRow(Row, frozen=True):
    """A column (栏目) a client asked for, and by which channel [B15]."""

    client_id: Annotated[str, Column(primary_key=True)]
    column_code: Annotated[str, Column(primary_key=True, comment="of the columns policy")]
    channel: str
    since: date
    recorded_by: str


subscriptions = table("subscriptions", metadata, SubscriptionRow, Index(None, "column_code"))


class FeedbackRow(Row, frozen=True):
    """A click, a subscription or its end: feedback on the service, counted; never a two-way contact [B18]."""

    feedback_id: Annotated[UUID, Column(SqlUUID, primary_key=True)]
    client_id: str
    branch_id: str | None
    column_code: str
    kind: Annotated[str, Column(comment="click, subscribed, unsubscribed")]
    at: datetime
    on_day: Annotated[date, Column(index=True)]
    message_id: Annotated[UUID | None, Column(SqlUUID)]
    recorded_by: str


feedback = table("feedback", metadata, FeedbackRow, Index(None, "client_id", "at"))


class MailingRow(Row, frozen=True):
    """A mailing (资讯) of a column: its words, when it goes, who ordered and who released it [B15]."""

    mailing_id: Annotated[UUID, Column(SqlUUID, primary_key=True)]
    column_code: str
    branch_id: Annotated[str | None, Column(comment="of one branch's clients; of everybody's when empty")]
    product_level: Annotated[str | None, Column(comment="the risk level of the product it is about")]
    audience: Annotated[
        dict[str, list[str]], Column(JSONB, server_default="{}", comment="groups, levels, tiers [MS18]")
    ]
    words: Annotated[dict[str, dict[str, str]], Column(JSONB, comment="title and text by language")]
    send_from: datetime
    send_until: datetime
    state: Annotated[str, Column(comment="draft, released, withdrawn")]
    ordered_by: str
    ordered_at: Annotated[datetime, Column(index=True)]
    released_by: str | None
    released_at: datetime | None
    planned: Annotated[int | None, Column(Integer, comment="how many messages")]
    left_out: Annotated[dict[str, int] | None, Column(JSONB, comment="how many clients, by reason")]
    policy: str
    symbols: Annotated[
        Sequence[str], Column(ARRAY(Text), server_default="{}", comment="the instruments a line is about [MS17]")
    ] = ()
    holders_only: Annotated[
        bool, Column(server_default="false", comment="it goes to those alone who hold one of them")
    ] = False


mailings = table("mailings", metadata, MailingRow)


class TakenOverRow(Row, frozen=True):
    """An item handed over by the service that sent messages before: taken in once."""

    item_id: Annotated[UUID, Column(SqlUUID, primary_key=True)]


taken_over = table("taken_over", metadata, TakenOverRow)


class HandOverRow(Row, frozen=True):
    """How much a service hands over, by its end mark, and how much of it is here."""

    publisher: Annotated[str, Column(primary_key=True)]
    taken: int
    told: Annotated[int | None, Column(Integer, comment="by its end mark")]


hand_overs = table("hand_overs", metadata, HandOverRow)


class RegistrationRow(Row, frozen=True):
    """An address a member of staff writes to clients from, registered (报备) [MS14]."""

    registration_id: Annotated[UUID, Column(SqlUUID, primary_key=True)]
    staff_id: Annotated[str, Column(index=True)]
    channel: str
    token: str
    address: Annotated[bytes | None, Column(comment="encrypted")]
    registered_by: str
    registered_at: datetime
    ended_by: str | None
    ended_at: datetime | None


registrations = table(
    "registrations",
    metadata,
    RegistrationRow,
    Index("ix_registrations_in_force", "channel", "token", unique=True, postgresql_where=text("ended_at IS NULL")),
)


class WecomContactRow(Row, frozen=True):
    """A client as a member's friend in WeCom [MS15]."""

    client_id: Annotated[str, Column(primary_key=True)]
    external_id: Annotated[bytes | None, Column(comment="encrypted")]
    token: str
    member: Annotated[str, Column(comment="the userid of the member of staff")]
    since: datetime


wecom_contacts = table("wecom_contacts", metadata, WecomContactRow)


class HoldingRow(Row, frozen=True):
    """What a client held of a symbol at the end of a day, by the latest word on it."""

    client_id: Annotated[str, Column(primary_key=True)]
    symbol: Annotated[str, Column(primary_key=True)]
    as_of: Annotated[date, Column(primary_key=True)]
    quantity: Annotated[Decimal, Column(Numeric)]
    value: Annotated[Decimal, Column(Numeric)]
    at: datetime
    fact_id: str


holdings = table("holdings", metadata, HoldingRow, Index(None, "symbol", "as_of"), Index(None, "as_of"))


class NoticedRow(Row, frozen=True):
    """Something about an instrument (公告)."""

    notice_id: Annotated[str, Column(primary_key=True)]
    symbol: str
    kind: str
    on_day: Annotated[date, Column(index=True)]


notices = table("notices", metadata, NoticedRow)


class AllotmentRow(Row, frozen=True):
    """Shares of a new issue that a client was allotted (中签)."""

    client_id: Annotated[str, Column(primary_key=True)]
    allotment_id: Annotated[str, Column(primary_key=True)]
    symbol: str
    quantity: Annotated[Decimal, Column(Numeric)]
    pay_by: Annotated[date, Column(index=True)]


allotments = table("allotments", metadata, AllotmentRow)


class LateRow(Row, frozen=True):
    """A client of whose last closed day something was told late."""

    client_id: Annotated[str, Column(primary_key=True)]


lines_late = table("lines_late", metadata, LateRow)


class ContentRow(Row, frozen=True):
    """What those who had an SMS product got on a trading day [MS17]."""

    code: Annotated[str, Column(primary_key=True)]
    day: Annotated[date, Column(primary_key=True)]
    payers: Annotated[int, Column(Integer, comment="how many had it")]
    lines: Annotated[int, Column(Integer, comment="of the desk")]
    generated: Annotated[int, Column(Integer, comment="messages made of facts")]
    alarm: Annotated[bool, Column(comment="the second trading day without any")]


content_days = table("content_days", metadata, ContentRow)


class PollPositionRow(Row, frozen=True):
    """Where asking a provider for what came in goes on."""

    name: Annotated[str, Column(primary_key=True)]
    position: Annotated[str, Column(comment="the provider's cursor")]


poll_positions = table("poll_positions", metadata, PollPositionRow)


class AlertRow(Row, frozen=True):
    """Something somebody of the staff has to look at now."""

    alert_id: Annotated[UUID, Column(SqlUUID, primary_key=True)]
    kind: str
    subject: str
    words: str
    at: Annotated[datetime, Column(index=True)]
    state: Annotated[str, Column(comment="waiting, handed, sent, failed")]
    tries: Annotated[int, Column(SmallInteger)]
    due_at: datetime
    failed: Annotated[str, Column(comment="the addresses that did not take it, by kind and a digest")]


alerts = table(
    "alerts", metadata, AlertRow, Index("ix_alerts_waiting", "due_at", postgresql_where=text("state = 'waiting'"))
)


class WebhookTokenRow(Row, frozen=True):
    """A token that signed what a mail provider brought: it signs nothing else."""

    token: Annotated[str, Column(primary_key=True)]
    digest: Annotated[str, Column(comment="of what was brought")]
    at: datetime


webhook_tokens = table("webhook_tokens", metadata, WebhookTokenRow)
