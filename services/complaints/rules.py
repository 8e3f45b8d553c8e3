"""Decisions about cases, pure: which states follow each other, what is major, when what is due [C4, C6, C7, C23]."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from chassis.calendar import Calendar
from chassis.clock import business_date, end_of
from chassis.clocks import Limit, Until
from services.complaints.policy import Limits

RECEIVED, ACCEPTED, DISPATCHED, INVESTIGATING = "received", "accepted", "dispatched", "investigating"
FEEDBACK, CALLING, CLOSED = "feedback_submitted", "satisfaction_call", "closed"
CUSTOMER, THIRD_PARTY, WITHDRAWN, REJECTED, REOPENED = (
    "awaiting_customer",
    "awaiting_third_party",
    "withdrawn",
    "rejected",
    "reopened",
)
WAITING = (CUSTOMER, THIRD_PARTY)
OVER = (CLOSED, WITHDRAWN, REJECTED)
STATES = (
    RECEIVED, ACCEPTED, DISPATCHED, INVESTIGATING, CUSTOMER, THIRD_PARTY, FEEDBACK, CALLING, CLOSED, WITHDRAWN, REJECTED,
    REOPENED,
)  # fmt: skip
CONDUCT = "conduct"
REGULATORS = ("regulator", "exchange", "petition_office")


@dataclass(frozen=True, slots=True)
class Claimed:
    """What decides whether a case is major [C7]."""

    source: str
    allegations: Collection[str] = ()
    claim: Decimal | None = None
    same_matter: int = 1
    public_risk: bool = False


def severity_of(claimed: Claimed, limits: Limits) -> tuple[str, str]:
    """`major` or `ordinary`, and the first reason for it; empty for an ordinary case [C7]."""
    if claimed.source in REGULATORS:
        return "major", "regulator"
    if violations := sorted(set(claimed.allegations) & limits.violations):
        return "major", f"violation:{violations[0]}"
    if claimed.claim is not None and claimed.claim >= limits.major_claim:
        return "major", "claim"
    if claimed.same_matter >= limits.same_matter_cases:
        return "major", "same_matter"
    if claimed.public_risk:
        return "major", "public_risk"
    return "ordinary", ""


def result_limit(source: str, severity: str, reply_due_on: date | None, limits: Limits) -> Limit:
    """How long the result may take: the date a regulator gave, else the policy's limit of its kind [C6, C7]."""
    if source in REGULATORS:
        return Until(end_of(reply_due_on)) if reply_due_on else limits.regulator
    return limits.major if severity == "major" else limits.ordinary


def ladder_name(kind: str, source: str, severity: str) -> str:
    """Which ladder a case climbs: one of conduct's, a regulator's, a major one's, or the ordinary one [C22, C28]."""
    if kind == CONDUCT:
        return CONDUCT
    return "regulator" if source in REGULATORS else severity


def letter_of(reference: str) -> str:
    """A letter's reference as everybody means it: width, brackets and blanks are how somebody wrote it [C1]."""
    return re.sub(r"[\s()<>\[\]{}〔〕【】「」『』《》〈〉﹝﹞]", "", unicodedata.normalize("NFKC", reference))


def due_day(limit: Limit, received_at: datetime, calendar: Calendar) -> date:
    """The day on which the result clock ends; a limit that ends at 24:00 ends on the day before that instant."""
    return business_date(limit.first_due(received_at, calendar) - timedelta.resolution)


def dispatch_due(received_at: datetime) -> datetime:
    """The order reaches the branch on the natural day of receipt [C4]."""
    return end_of(business_date(received_at))


def dispatch_met(dispatched_at: datetime, received_at: datetime) -> bool:
    """Whether it did: before 24:00 of that day."""
    return dispatched_at < dispatch_due(received_at)


def reopens(scores: Collection[int], accepted: bool | None) -> bool:
    """A score of 2 or less, or "not accepted", opens the case again one level higher [C11]."""
    return accepted is False or any(score <= 2 for score in scores)
