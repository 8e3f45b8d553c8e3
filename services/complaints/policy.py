"""What complaints' policies may say: limits by source and severity, ladders of escalation, the radar's thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from chassis.clocks import Ladder, Limit, Step, limit_from
from chassis.policy import Policies, PolicyInvalid

FILE = Path(__file__).with_name("policy.toml")
PLACES = ("branch", "hq", "case")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what may take, and what makes a case major [C4, C6, C7, C11, C22]."""

    ordinary: Limit
    major: Limit
    regulator: Limit
    report: Limit
    third_party: Limit
    survey: Limit
    major_claim: Decimal
    same_matter_cases: int
    same_matter_days: int
    related_months: int
    violations: frozenset[str]
    cluster_cases: int
    cluster_days: int
    quiet_days: int
    retention_years: int
    sign_off_working_days: int
    grumbles: int
    grumble_days: int
    on_call: tuple["Addressee", ...]
    tell: Limit
    core_satisfaction_percent: int


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who a step tells: `case/owner`, a seat of the branch, or one of headquarters."""

    place: str
    seat: str


@dataclass(frozen=True, slots=True)
class Ladders:
    """The ladder of a case by source and severity, with whom each step tells [C22]."""

    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    told: Mapping[str, Mapping[str, tuple[Addressee, ...]]]

    def ladder(self, name: str) -> Ladder:
        """The steps, as clocks keep them."""
        return Ladder.from_rows(self.rows[name])


def _limits(body: dict[str, Any]) -> Limits:
    kinds = {
        name: limit_from(body[name])
        for name in ("ordinary", "major", "regulator", "report", "third_party", "survey", "tell")
    }
    rest = {name: value for name, value in body.items() if name not in kinds}
    try:
        rest["major_claim"] = Decimal(rest["major_claim"])
        rest["violations"] = frozenset(rest["violations"])
        rest["on_call"] = tuple(_addressee(words) for words in rest["on_call"])
        limits = Limits(**kinds, **rest)  # type: ignore[arg-type]
    except (TypeError, KeyError, ArithmeticError) as error:
        raise PolicyInvalid(f"limits: {error}") from None
    if limits.retention_years < 3:
        raise PolicyInvalid("records of complaints are kept for 3 years at least [C21]")
    return limits


def _ladders(body: dict[str, Any]) -> Ladders:
    rows: dict[str, list[dict[str, Any]]] = {}
    told: dict[str, dict[str, tuple[Addressee, ...]]] = {}
    for name in ("ordinary", "major", "regulator"):
        if not body.get(name):
            raise PolicyInvalid(f"no ladder for {name} cases")
        rows[name] = [{key: value for key, value in row.items() if key != "to"} for row in body[name]]
        told[name] = {row["name"]: tuple(_addressee(words) for words in row["to"]) for row in body[name]}
        steps: tuple[Step, ...] = Ladder.from_rows(rows[name]).steps
        if "due" not in {step.name for step in steps}:
            raise PolicyInvalid(f"the ladder for {name} cases has no step `due`")
    return Ladders(rows, told)


def _addressee(words: str) -> Addressee:
    place, _, seat = words.partition("/")
    if place not in PLACES or not seat:
        raise PolicyInvalid(f"{words!r}: a step tells case/owner, branch/SEAT or hq/SEAT")
    return Addressee(place, seat)


LIMITS: Policies[Limits] = Policies("limits", FILE, _limits)
LADDERS: Policies[Ladders] = Policies("ladders", FILE, _ladders)
