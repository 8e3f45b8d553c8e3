"""May this client buy this product? PASS, CONFIRM or BLOCK [Q3, Q4, Q6]. Pure: facts and policy in, an answer out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from services.suitability.policy import Policy, ProfessionalClass, ProofItem

Side = Literal["buy", "sell"]
Initiator = Literal["client", "staff", "campaign"]


class DecisionOutcome(StrEnum):
    """What a decision says."""

    PASS = "PASS"  # noqa: S105 - an outcome, no password
    CONFIRM = "CONFIRM"
    BLOCK = "BLOCK"


class Reason(StrEnum):
    """Why; the texts are in `reasons.py`."""

    SUITABLE = "suitable"
    SELLING = "selling"
    PROFESSIONAL = "professional"
    CONFIRMED = "confirmed"
    ABOVE_LEVEL = "above_level"
    ACCOUNT_CLOSED = "account_closed"
    UNKNOWN_PRODUCT = "unknown_product"
    OFF_SHELF = "off_shelf"
    UNKNOWN_CLASS = "unknown_class"
    PERMISSION_MISSING = "permission_missing"
    NO_ASSESSMENT = "no_assessment"
    EXPIRED = "expired"
    REASSESSMENT_OVERDUE = "reassessment_overdue"
    RISE_UNDER_REVIEW = "rise_under_review"
    LOWEST_LEVEL = "lowest_level"
    NOT_RECOMMENDED = "not_recommended"
    CARE_ELDERLY = "care_elderly"
    CARE_AGE_UNKNOWN = "care_age_unknown"
    CARE_VULNERABLE = "care_vulnerable"
    NO_CAMPAIGN = "no_campaign"


@dataclass(frozen=True, slots=True)
class Holder:
    """The client as the decision sees them. `held` is the rank in force in the firm's scheme, None when none is."""

    held: int | None
    assessed_before: bool
    closed: bool = False
    professional: bool = False
    reassessment_overdue: bool = False
    rank_before_rise: int | None = None
    rise_approved: bool = False
    elderly: bool = False
    vulnerable: bool = False
    second_contact: bool = False
    age_unknown: bool = False

    @property
    def care(self) -> tuple[Reason, ...]:
        """Why a person looks at their sheets and high-risk purchases; empty: nobody has to."""
        why = (
            (self.elderly, Reason.CARE_ELDERLY),
            (self.age_unknown, Reason.CARE_AGE_UNKNOWN),
            (self.vulnerable, Reason.CARE_VULNERABLE),
        )
        return tuple(reason for so, reason in why if so)


@dataclass(frozen=True, slots=True)
class Target:
    """The product as the decision sees it. `needed` is the rank it asks for, None when it has no class [Q3]."""

    known: bool
    on_shelf: bool
    needed: int | None
    permitted: bool = True
    high_risk: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, every reason for it, and how many levels the product lies above the client's."""

    outcome: DecisionOutcome
    reasons: tuple[Reason, ...]
    levels_above: int = 0


def decide(holder: Holder, target: Target, side: Side, initiator: Initiator, confirmed: bool) -> Verdict:
    """Decide [Q4].

    `confirmed`: the client has confirmed this very product, and that still holds. Selling is always free: a client
    must be able to get out of what no longer suits.
    """
    if side == "sell":
        return Verdict(DecisionOutcome.PASS, (Reason.SELLING,))
    blocks = [*_access(holder, target)]
    if holder.professional:
        return (
            Verdict(DecisionOutcome.BLOCK, tuple(blocks))
            if blocks
            else Verdict(DecisionOutcome.PASS, (Reason.PROFESSIONAL,))
        )
    blocks += _assessment(holder, target)
    if blocks or holder.held is None or target.needed is None:
        return Verdict(DecisionOutcome.BLOCK, tuple(blocks))
    above = target.needed - holder.held
    care = holder.care if target.high_risk else ()
    if above <= 0:
        return _suitable(care, initiator, confirmed)
    if holder.held == 1:
        return Verdict(DecisionOutcome.BLOCK, (Reason.ABOVE_LEVEL, Reason.LOWEST_LEVEL), above)
    if initiator != "client":
        return Verdict(DecisionOutcome.BLOCK, (Reason.ABOVE_LEVEL, Reason.NOT_RECOMMENDED), above)
    if confirmed:
        return Verdict(DecisionOutcome.PASS, (Reason.ABOVE_LEVEL, *care, Reason.CONFIRMED), above)
    return Verdict(DecisionOutcome.CONFIRM, (Reason.ABOVE_LEVEL, *care), above)


def _suitable(care: tuple[Reason, ...], initiator: Initiator, confirmed: bool) -> Verdict:
    """What the level covers; a high-risk product is for an elderly or vulnerable client no matter of campaigns, and a person
    looks first."""
    if not care:
        return Verdict(DecisionOutcome.PASS, (Reason.SUITABLE,))
    if initiator == "campaign":
        return Verdict(DecisionOutcome.BLOCK, (*care, Reason.NO_CAMPAIGN))
    if confirmed:
        return Verdict(DecisionOutcome.PASS, (Reason.SUITABLE, *care, Reason.CONFIRMED))
    return Verdict(DecisionOutcome.CONFIRM, care)


def _access(holder: Holder, target: Target) -> list[Reason]:
    """Rules that hold for everybody, professional investors included [Q6]."""
    blocks = []
    if holder.closed:
        blocks.append(Reason.ACCOUNT_CLOSED)
    if not target.known:
        return [*blocks, Reason.UNKNOWN_PRODUCT]
    if not target.on_shelf:
        blocks.append(Reason.OFF_SHELF)
    if target.needed is None:
        blocks.append(Reason.UNKNOWN_CLASS)
    if not target.permitted:
        blocks.append(Reason.PERMISSION_MISSING)
    return blocks


def _assessment(holder: Holder, target: Target) -> list[Reason]:
    if holder.held is None:
        return [Reason.EXPIRED if holder.assessed_before else Reason.NO_ASSESSMENT]
    blocks = []
    if holder.reassessment_overdue:
        blocks.append(Reason.REASSESSMENT_OVERDUE)
    rose = holder.rank_before_rise is not None and not holder.rise_approved
    if rose and target.needed is not None and target.needed > (holder.rank_before_rise or 0):
        blocks.append(Reason.RISE_UNDER_REVIEW)
    return blocks


Mismatch = Literal["unknown_class", "off_shelf", "permission_missing", "no_assessment", "expired", "above_level"]
MISMATCHES: tuple[Mismatch, ...] = get_args(Mismatch)
"""In the order in which a buy is judged: the first that is so is named."""


def mismatch(
    held: int | None,
    assessed_before: bool,
    needed: int | None,
    professional: bool,
    *,
    on_shelf: bool = True,
    permitted: bool = True,
) -> Mismatch | None:
    """Why a buy that has settled was not covered, None when it was [Q3, Q4].

    Class, shelf and permission go before the others: they hold for everybody, and no confirmation lets them pass. A
    professional investor is covered whatever the level [Q6].
    """
    if needed is None:
        return "unknown_class"
    if not on_shelf:
        return "off_shelf"
    if not permitted:
        return "permission_missing"
    if professional:
        return None
    if held is None:
        return "expired" if assessed_before else "no_assessment"
    return "above_level" if needed > held else None


def unproven(
    category: ProfessionalClass, kind: str | None, proven: Mapping[str, int], policy: Policy
) -> list[Mapping[ProofItem, int]] | None:
    """What a client lacks to be a professional investor of a class [Q6, Art. 8, Art. 11]: each line of which no item is
    proven as high as it asks; None for a class that their kind (None: an individual) cannot be of."""
    lines = policy.professional.get(category, {}).get("institution" if kind == "institution" else "individual")
    if lines is None:
        return None
    return [line for line in lines if not any(proven.get(item, 0) >= least for item, least in line.items())]


def needed_rank(kind: str, own_class: int | None, issuer_class: str | None, policy: Policy) -> int | None:
    """The rank a product asks for: the higher of ours and the issuer's [Q6]; None is an unknown class [Q3].

    Ours is what staff set for this product, else its kind's. Without one of ours there is none: the firm may not
    rely on the issuer alone. An issuer's class that nobody here can read is no class either.
    """
    ours = own_class if own_class is not None else policy.rank_of_kind.get(kind)
    if ours is None:
        return None
    if not issuer_class:
        return ours
    theirs = policy.rank_of_issuer_class.get(issuer_class)
    return None if theirs is None else max(ours, theirs)


def suspicious_rise(lowest: int | None, rank: int, policy: Policy) -> bool:
    """A rise of two levels or more over the lowest level in force within 30 days goes to a person [Q5]: in however many
    steps it was taken."""
    return lowest is not None and rank - lowest >= policy.review_rise_levels
