"""What is reported, and the case as it was opened from it: values that intake, clocks and dispatch share."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from chassis.clocks import Limit
from chassis.personal import mask_text
from contracts.base import encode_custom
from services.complaints.rules import ACCEPTED, RECEIVED
from services.complaints.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is reported, whoever brings it. `severity`: as given by an import; None: the rules decide."""

    case_id: UUID
    system: str
    external_ref: str | None = None
    client_id: str | None = None
    branch_id: str
    kind: str = "complaint"
    source: str = "client"
    channel: str
    flow: str = "centre"
    severity: str | None = None
    owner: str
    category: str = ""
    words: str = ""
    product: str | None = None
    employee: str | None = None
    script: str | None = None
    claim: Decimal | None = None
    allegations: Sequence[str] = ()
    complainants: int = 1
    public_risk: bool = False
    regulator_ref: str | None = None
    reply_due_on: date | None = None
    concerned: Sequence[str] = ()
    restricted: bool = False
    imported: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    contact_channel: str | None = None
    name: str | None = None
    phone: str | None = None
    priority: bool = False
    received_at: datetime
    dispatched_at: datetime | None = None

    def __post_init__(self) -> None:
        """Whatever else people write into is masked, whoever brings it; the words are kept in both forms [C29]."""
        object.__setattr__(self, "category", mask_text(self.category))
        object.__setattr__(self, "product", self.product and mask_text(self.product))
        masked = {mask_text(name): mask_text(value) for name, value in self.attributes.items()}
        object.__setattr__(self, "attributes", masked)

    @property
    def key(self) -> str:
        """The client, or the case itself where there is none [C29]."""
        return self.client_id or f"case:{self.case_id}"

    @property
    def fingerprint(self) -> bytes:
        """What equal reports have in common."""
        told = msgspec.to_builtins(self, enc_hook=encode_custom)
        for name in ("name", "phone"):  # younger than the cases that are known already
            if told[name] is None:
                del told[name]
        return hashlib.sha256(msgspec.json.encode(told)).digest()


@dataclass(frozen=True, slots=True)
class Opened:
    """A case as it was opened."""

    report: Report
    severity: str
    reason: str
    due_on: date
    limit: Limit
    words: Words

    @property
    def state(self) -> str:
        """An import has been taken in hand where it comes from."""
        return ACCEPTED if self.report.imported else RECEIVED
