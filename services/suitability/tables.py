"""What suitability keeps. Facts heard, what was decided from them, and what is to be looked at again."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from chassis import rows
from chassis.clients import Clients, Fact
from chassis.rows import Row
from chassis.sealed import SealedTable
from chassis.tables import Instant, new_metadata
from contracts.broker import ClientOpened, Profile
from services.suitability.policy import ProfessionalClass

metadata = new_metadata()


def _kind(event: Profile) -> str | None:
    return event.kind or ("individual" if isinstance(event, ClientOpened) else None)


CLIENTS = Clients(
    metadata,
    Fact("branch_id", dated=True),
    Fact("kind", of=_kind),
    Fact("birth_year", SmallInteger, of=lambda event: event.birth_date.year if event.birth_date else None),
    Fact("experience_years", SmallInteger),
    Fact("opened_on", Date),
    columns=(
        Column("closed_on", Date),
        Column("account_id", Text),
    ),
    follow={
        "reviews": "t.state = 'open'",
        "professionals": "t.state IN ('requested', 'approved')",
        "drifts": "t.state = 'open'",
        "findings": "t.state = 'open'",
        "approvals": "t.state = 'waiting'",
    },
)


class Permission(Row, frozen=True):
    """A trading permission from an instant on, or from an instant on no more."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    permission: Annotated[str, rows.Column(primary_key=True)]
    at: Annotated[datetime, rows.Column(primary_key=True)]
    held: Annotated[bool, rows.Column(primary_key=True, comment="granted; else it ended")]


permissions = rows.table("permissions", metadata, Permission)

trades = Table(
    "trades",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("trade_id", Text, primary_key=True),
    Column("branch_id", Text, nullable=False),
    Column("trade_date", Date, nullable=False),
    Column("settled_at", Instant, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("issuer_class", Text),
    Column("side", Text, nullable=False),
    Column("quantity", Numeric, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("commission", Numeric, nullable=False),
    Index(None, "symbol"),
    Index("ix_trades_buys", "trade_date", "client_id", postgresql_where=text("side = 'buy'")),
)


class Cancellation(Row, frozen=True):
    """What stays of a cancelled trade's commission from a day on: of the rows of a trade that begin by a day the lowest counts;
    the rest of the trade stays pro rata [P1]."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    trade_id: Annotated[str, rows.Column(primary_key=True)]
    cancelled_on: Annotated[date, rows.Column(primary_key=True)]
    remaining: Decimal


cancellations = rows.table("cancellations", metadata, Cancellation)


class Valuation(Row, frozen=True):
    """A client's assets as valued on a day: the annex 4 sheet shows the latest by its own."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    as_of: Annotated[date, rows.Column(primary_key=True)]
    total_assets: Decimal


valuations = rows.table("valuations", metadata, Valuation)

purchases = Table(
    "purchases",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("purchase_id", Text, primary_key=True),
    Column("product", Text, nullable=False, index=True),
    Column("amount", Numeric, nullable=False),
    Column("at", Instant, nullable=False),
)

templates = Table(
    "templates",
    metadata,
    Column("code", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("state", Text, nullable=False, comment="draft, reviewed, published"),
    Column("effective_on", Date),
    Column("proof", JSONB, comment="score range and sheets by level, as proven at publication"),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("reviewed_by", Text),
    Column("reviewed_at", Instant),
    Column("published_by", Text),
    Column("published_at", Instant),
    Index("uq_templates_code_effective_on", "code", "effective_on", unique=True),
)

drafts = Table(
    "drafts",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("template", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("answers", JSONB, nullable=False),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("saved_at", Instant, nullable=False),
    Column(
        "opened_at", Instant, comment="when the questions were put, or the first save: the server measures from then"
    ),
    Column(
        "shown",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="levels shown before signing, as ranks in the firm's scheme, each with when it last was",
    ),
)


class Opening(Row, frozen=True):
    """When a questionnaire was first put to a client, who has not handed it in: from then on the server measures."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    template: Annotated[str, rows.Column(primary_key=True)]
    opened_at: datetime


openings = rows.table("openings", metadata, Opening)


class Submission(Row, frozen=True):
    """A questionnaire handed in; never changed."""

    partition: Annotated[int, rows.Column(primary_key=True)]
    number: Annotated[int, rows.Column(BigInteger, primary_key=True)]
    submission_id: Annotated[str, rows.Column(unique=True)]
    client_id: str
    branch_id: str | None
    template: str
    version: int
    answers: Annotated[dict[str, list[str]], rows.Column(JSONB)]
    points: Annotated[dict[str, int], rows.Column(JSONB)]
    total: int
    band_level: str
    scheme: str
    level: str
    gates: Annotated[list[str], rows.Column(JSONB)]
    contradictions: Annotated[list[dict[str, str]], rows.Column(JSONB)]
    review_reasons: Annotated[list[str], rows.Column(JSONB)]
    submitted_at: datetime
    submitted_on: date
    channel: str
    submitted_by: str
    assisted: Annotated[bool, rows.Column(comment="entered by staff")]
    signature: str | None
    recording: str | None
    device: Annotated[str | None, rows.Column(comment="a hash the channel gives; no device is identified by it")]
    seconds: int | None
    policy: str
    measured_seconds: Annotated[int | None, rows.Column(comment="since its draft was opened, by the server")]


submissions = rows.table(
    "submissions", metadata, Submission, Index(None, "client_id", "submitted_at"), Index(None, "submitted_on")
)

assessments = Table(
    "assessments",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("assessment_id", Text, nullable=False, unique=True),
    Column("client_id", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False, comment="in its own scheme"),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("source", Text, nullable=False, comment="questionnaire, imported"),
    Column("submission_id", Text),
    Column("assessed_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("rank_before", SmallInteger, comment="in the firm's scheme: the level in force or last in force before"),
    Column("policy", Text, nullable=False),
    Index(None, "client_id", "valid_from"),
    Index(None, "valid_until"),
    Index(None, "valid_from"),
    Index(
        "uq_assessments_imported",
        "client_id",
        "valid_from",
        unique=True,
        postgresql_where=text("source = 'imported'"),
    ),
)

refused_imports = Table(
    "refused_imports",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("assessed_on", Date, nullable=False),
    Column("reason_en", Text, nullable=False),
    Column("reason_zh", Text, nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("client_id", "event_id"),
)


class Review(Row, frozen=True):
    """What a person looks at before a level counts: answers, or a level in force."""

    review_id: Annotated[str, rows.Column(primary_key=True)]
    client_id: str
    branch_id: str | None
    submission_id: Annotated[str | None, rows.Column(unique=True)]
    assessment_id: Annotated[
        str | None, rows.Column(unique=True, comment="set when an assessment already in force is looked at")
    ]
    reasons: Annotated[list[str], rows.Column(JSONB)]
    state: Annotated[str, rows.Column(comment="open, approved, rejected, superseded")]
    opened_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decided_on: Annotated[date | None, rows.Column(comment="the business date of approval or rejection")]
    note: str | None
    superseded_by: Annotated[str | None, rows.Column(comment="the newer answers or assessment")]
    second_contact: Annotated[str | None, rows.Column(comment="reference of the second contact with the client")]
    revision: Annotated[int, rows.Column(server_default="0")]
    late_rise_at: Annotated[
        datetime | None, rows.Column(comment="from when on the level did not count for what came late, while looked at")
    ]


reviews = rows.table("reviews", metadata, Review, Index(None, "state", "opened_at", "review_id"))


class LifeChange(Row, frozen=True):
    """A change of life that a client stated, which makes a new questionnaire due."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    stated_on: Annotated[date, rows.Column(primary_key=True)]
    change: Annotated[str, rows.Column(primary_key=True, comment="which, sealed under the client's key")]
    branch_id: str | None
    due_on: date
    stated_by: str
    at: datetime


life_changes = rows.table("life_changes", metadata, LifeChange)


class Vulnerability(Row, frozen=True):
    """What makes a client vulnerable from a day on: of the rows of a client that begin by a day the last counts."""

    id: Annotated[int, rows.Column(BigInteger, primary_key=True, server_default=Identity())]
    client_id: str
    since: date
    vulnerable: Annotated[bool, rows.Column(comment="else no more")]
    cause: Annotated[str | None, rows.Column(comment="sealed under the client's key")]
    branch_id: str | None
    stated_by: str
    recorded_at: datetime


vulnerabilities = rows.table("vulnerabilities", metadata, Vulnerability, Index(None, "client_id", "since"))


class Professional(Row, frozen=True):
    """A request to be treated as professional investor."""

    request_id: Annotated[str, rows.Column(primary_key=True)]
    client_id: Annotated[str, rows.Column(index=True)]
    branch_id: str | None
    category: Annotated[ProfessionalClass, rows.Column(Text, comment="A, B by Art. 8; C by conversion, Art. 11 [Q6]")]
    proof: Annotated[str | None, rows.Column(comment="what holds all of it together")]
    items: Annotated[list[dict[str, Any]], rows.Column(JSONB, server_default="[]", comment="item, value, evidence")]
    state: Annotated[str, rows.Column(comment="requested, approved, rejected, withdrawn, ended")]
    made_by: str
    made_at: datetime
    checked_by: str | None
    checked_at: datetime | None
    valid_from: date | None
    valid_until: date | None
    ended_on: Annotated[date | None, rows.Column(comment="the first day without")]
    end_reason: str | None
    ended_by: str | None


professionals = rows.table("professionals", metadata, Professional)


class ProfessionalStatus(Row, frozen=True):
    """What a client is from a day on: of the rows of a client that begin by a day the last counts."""

    id: Annotated[int, rows.Column(BigInteger, primary_key=True, server_default=Identity())]
    client_id: str
    since: date
    category: Annotated[ProfessionalClass | None, rows.Column(Text, comment="empty: an ordinary investor")]
    until: Annotated[date | None, rows.Column(comment="the last day of the category")]
    request_id: str | None
    recorded_at: datetime


professional_status = rows.table(
    "professional_status", metadata, ProfessionalStatus, Index(None, "client_id", "since"), Index(None, "until")
)

products = Table(
    "products",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name_zh", Text, nullable=False, server_default=""),
    Column("name_en", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="on_shelf", comment="draft, on_shelf, suspended, off_shelf"),
    Column("issuer_class", Text),
    Column("heard_at", Instant, comment="of the trade that last described it; empty for products kept by staff"),
    Column("revision", Integer, nullable=False, server_default="1"),
)


class ProductState(Row, frozen=True):
    """What a product is from a day on: of the rows of a product that begin by a day the last counts."""

    id: Annotated[int, rows.Column(BigInteger, primary_key=True, server_default=Identity())]
    code: str
    since: Annotated[date, rows.Column(comment="-infinity for an instrument that a trade made known")]
    kind: str
    state: str
    issuer_class: str | None
    recorded_at: datetime
    entered: Annotated[
        bool, rows.Column(server_default="false", comment="by staff; else a trade or the library said so")
    ]


product_states = rows.table("product_states", metadata, ProductState, Index(None, "code", "since"))


class LibraryState(Row, frozen=True):
    """What the product library told of a product: of the changes from a day on the highest revision counts."""

    code: Annotated[str, rows.Column(primary_key=True)]
    revision: Annotated[int, rows.Column(primary_key=True)]
    since: Annotated[date, rows.Column(primary_key=True)]
    changed_from: date
    shelf: str
    floor: Annotated[str | None, rows.Column(comment="the level it asks for at least; empty: any")]
    told_at: Annotated[datetime | None, rows.Column(comment="when the library told it; empty: before that was kept")]


library_states = rows.table("library_states", metadata, LibraryState)


class ProductClass(Row, frozen=True):
    """A class that staff set for a product from a day on: of those that begin by a day the last counts, the newest of one
    day."""

    id: Annotated[int, rows.Column(BigInteger, primary_key=True, server_default=Identity())]
    code: str
    effective_on: date
    scheme: str
    level: Annotated[str | None, rows.Column(comment="the level it asks for; empty: back to its kind's")]
    reason: str
    made_by: str
    at: datetime
    waived: Annotated[
        str | None,
        rows.Column(comment="the level of its kind then, in the same scheme, where compliance agreed to less"),
    ]


product_classes = rows.table(
    "product_classes",
    metadata,
    ProductClass,
    Index(None, "code", "effective_on"),
    comment="classes that staff set for single products, over their kind's",
)

decisions = Table(
    "decisions",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("decision_id", Text, nullable=False, unique=True),
    Column("client_id", Text, nullable=False),
    Column("branch_id", Text),
    Column("product", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("initiator", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("decided_on", Date, nullable=False),
    Column("actor", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("facts", JSONB, nullable=False, comment="everything the rule saw"),
    Column("reasons", JSONB, nullable=False),
    Column("assessment_id", Text),
    Column("confirmation_of", Text, comment="the decision whose confirmation let this one pass"),
    Column("warning", JSONB, comment="version and texts shown"),
    Column("needs", JSONB, nullable=False),
    Column("not_before", Instant, comment="end of the cooling time"),
    Column("confirm_by", Instant),
    Column("policy", Text, nullable=False),
    Index(None, "client_id", "decided_at"),
    Index(None, "decided_on"),
)

confirmations = Table(
    "confirmations",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("decision_id", Text, nullable=False, unique=True),
    Column("client_id", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("needed", SmallInteger, nullable=False, comment="rank then: a class raised since voids it"),
    Column("held", SmallInteger, nullable=False, comment="rank then: a level lowered since voids it"),
    Column("confirmed_at", Instant, nullable=False),
    Column("confirmed_on", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("warning_version", Text, nullable=False),
    Column("signature", Text),
    Column("recording", Text),
    Column("actor", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("language", Text, comment="in which the warning was read"),
    Column("answers", JSONB, comment="to the questions beside it"),
    Column("checked_by", Text, comment="the other person who checked it"),
    Column("second_contact", Text, comment="reference of the second contact with the client"),
    Column("link_id", Text, comment="the link by which the client confirmed"),
    Index(None, "client_id", "product"),
)


class ConfirmationLink(Row, frozen=True):
    """A link by which a client confirms in their own zone: of one use, and of a decision the newest alone."""

    link_id: Annotated[str, rows.Column(primary_key=True)]
    decision_id: Annotated[str, rows.Column(index=True)]
    client_id: Annotated[str, rows.Column(index=True)]
    asked_by: str
    asked_at: datetime
    opens_at: datetime
    expires_at: datetime
    ended_at: Annotated[datetime | None, rows.Column(comment="used, or replaced by a newer one")]
    used_at: datetime | None


confirmation_links = rows.table("confirmation_links", metadata, ConfirmationLink)

due = Table(
    "due",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("client_id", Text, comment="whose buys are to be judged from the day on"),
    Column(
        "product",
        Text,
        comment="whose holders are matched again, without a cause whose buys are judged; with a client that holding alone; "
        "with neither the day's registers alone",
    ),
    Column("day", Date, nullable=False, index=True),
    Column("cause", Text, comment="of drift to look for; empty: only a fact to be judged came"),
    comment="what is covered may have changed; written by handlers and acts, done by closes",
)

mismatches = Table(
    "mismatches",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("trade_id", Text, primary_key=True),
    Column("branch_id", Text, nullable=False),
    Column("trade_date", Date, nullable=False, index=True),
    Column("symbol", Text, nullable=False),
    Column("needed", Text),
    Column("held", Text),
    Column("reason", Text, nullable=False),
    Column("confirmation", Text, comment="the decision whose confirmation allowed it; empty: unexplained"),
    Column("policy", Text, nullable=False),
    Column("found_at", Instant, nullable=False),
)

drifts = Table(
    "drifts",
    metadata,
    Column("drift_id", Text, primary_key=True),
    Column(
        "cause",
        Text,
        nullable=False,
        comment="level_lowered, assessment_expired, class_raised, professional_ended, trade_cancelled, permission_ended, off_shelf",
    ),
    Column("client_id", Text, nullable=False),
    Column("branch_id", Text),
    Column("product", Text, nullable=False),
    Column("what", Text, nullable=False, comment="holding, confirmation"),
    Column("needed", Text),
    Column("held", Text),
    Column("found_on", Date, nullable=False),
    Column("state", Text, nullable=False, server_default="open", comment="open, handled"),
    Column("handled_by", Text),
    Column("handled_at", Instant),
    Column("note", Text),
    Index(None, "state", "found_on", "drift_id"),
)

findings = Table(
    "findings",
    metadata,
    Column("pattern", Text, primary_key=True),
    Column("subject", Text, primary_key=True, comment="client/ID, device/HASH, branch/ID"),
    Column("found_on", Date, primary_key=True),
    Column("client_id", Text),
    Column("branch_id", Text),
    Column("detail", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="open", comment="open, dismissed, upheld"),
    Column("decided_by", Text),
    Column("decided_at", Instant),
    Column("note", Text),
)


class Register(Row, frozen=True):
    """The daily register of a branch as it was told: how many were assessed on a day, by level in the firm's scheme."""

    register_date: Annotated[date, rows.Column(primary_key=True)]
    branch_id: Annotated[str, rows.Column(primary_key=True, comment="empty: of clients without a branch")]
    clients: int
    levels: Annotated[dict[str, int], rows.Column(JSONB)]
    revision: int
    made_at: datetime


registers = rows.table("registers", metadata, Register)


class RegisterRead(Row, frozen=True):
    """Who has read a register, and which revision of it."""

    register_date: Annotated[date, rows.Column(primary_key=True)]
    branch_id: Annotated[str, rows.Column(primary_key=True)]
    person: Annotated[str, rows.Column(primary_key=True)]
    revision: int
    read_at: datetime


register_reads = rows.table("register_reads", metadata, RegisterRead)

holds = Table(
    "holds",
    metadata,
    Column("hold_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", Instant, nullable=False),
    Column("released_by", Text),
    Column("released_at", Instant),
)


class SaleHold(Row, frozen=True):
    """Nothing of `scope` may be sold to a client from an instant to another."""

    hold_id: Annotated[str, rows.Column(primary_key=True)]
    client_id: str
    scope: str
    placed_at: datetime
    lifted_at: datetime | None


sale_holds = rows.table(
    "sale_holds",
    metadata,
    SaleHold,
    Index("ix_sale_holds_open", "client_id", unique=True, postgresql_where=text("lifted_at IS NULL")),
)


def _all_columns(of: Table) -> SealedTable:
    return SealedTable(of.name, tuple(column.name for column in of.columns))


SEALED = [_all_columns(table) for table in (submissions, assessments, decisions, confirmations)]
