"""What complaints' policies may say: limits by source and severity, ladders of escalation, the radar's thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from chassis.calendar import shipped
from chassis.clocks import Ladder, LadderStep, Limit, limit_from
from chassis.clocks.shares import WHOLE
from chassis.policy import Policies, PolicyInvalid
from chassis.staff import COMPLAINT_GROUP, DEPARTMENTS

FILE = Path(__file__).with_name("policy.toml")
SEATS = {"case": ("owner",), "branch": COMPLAINT_GROUP, "hq": DEPARTMENTS}
LADDER_NAMES = ("ordinary", "major", "regulator")
FLOOR_YEARS = 3


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
    departments: Mapping[str, str]


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


_KINDS = ("ordinary", "major", "regulator", "report", "third_party", "survey", "tell")
_COUNTS = frozenset(name for name, kind in Limits.__annotations__.items() if kind in {int, "int"})


def _limits(body: dict[str, Any]) -> Limits:
    try:
        kinds = {name: limit_from(body[name]) for name in _KINDS}
        rest = {name: value for name, value in body.items() if name not in kinds}
        for name in _COUNTS & rest.keys():
            if type(rest[name]) is not int or not 0 < rest[name] < 10_000:
                raise PolicyInvalid(f"limits: {name} is a whole number of 1 or more, not {rest[name]!r}")
        rest["major_claim"] = Decimal(str(rest["major_claim"]))
        rest["violations"] = frozenset(str(one) for one in rest["violations"])
        if unknown := sorted(set(rest["departments"].values()) - set(DEPARTMENTS)):
            raise PolicyInvalid(f"limits: there is no department {unknown[0]!r}")
        rest["on_call"] = tuple(_addressee(words) for words in rest["on_call"])
        limits = Limits(**kinds, **rest)  # type: ignore[arg-type]
    except (TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise PolicyInvalid(f"limits: {type(error).__name__} {error}") from None
    if not limits.major_claim.is_finite() or limits.major_claim <= 0:
        raise PolicyInvalid("limits: major_claim is an amount of money")
    if limits.retention_years < FLOOR_YEARS:
        raise PolicyInvalid(f"records of complaints are kept for {FLOOR_YEARS} years at least [C21]")
    return limits


def _ladders(body: dict[str, Any]) -> Ladders:
    rows: dict[str, list[dict[str, Any]]] = {}
    told: dict[str, dict[str, tuple[Addressee, ...]]] = {}
    if unknown := sorted(set(body) - set(LADDER_NAMES)):
        raise PolicyInvalid(f"no cases have a ladder {unknown[0]!r}")
    for name in LADDER_NAMES:
        if not body.get(name):
            raise PolicyInvalid(f"no ladder for {name} cases")
        try:
            rows[name] = [{key: value for key, value in row.items() if key != "to"} for row in body[name]]
            told[name] = {row["name"]: tuple(_addressee(words) for words in row["to"]) for row in body[name]}
            steps: tuple[LadderStep, ...] = Ladder.from_rows(rows[name]).steps
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise PolicyInvalid(f"the ladder for {name} cases: {type(error).__name__} {error}") from None
        _check_ladder(name, steps, told[name])
    return Ladders(rows, told)


def _check_ladder(name: str, steps: Sequence[LadderStep], told: Mapping[str, Sequence[Addressee]]) -> None:
    """Every step tells somebody, none twice, none before the one it follows, and one of them is the due [C22]."""
    if len(told) != len(steps):
        raise PolicyInvalid(f"the ladder for {name} cases has a step twice")
    if silent := [step for step, to in told.items() if not to]:
        raise PolicyInvalid(f"the step {silent[0]!r} for {name} cases tells nobody")
    if not any(step.name == "due" and step.share == WHOLE for step in steps):
        raise PolicyInvalid(f"the ladder for {name} cases has no step `due` at 100 %")
    places = [_place(step) for step in steps]
    for before, step, earlier, later in zip(steps, steps[1:], places, places[1:], strict=False):
        if later < earlier:
            raise PolicyInvalid(
                f"the step {step.name!r} for {name} cases comes before {before.name!r}, which it follows"
            )


def _place(step: LadderStep) -> tuple[int, timedelta]:
    """Where on the ladder a step stands: its share, or after 100 % the working time later."""
    return (WHOLE, step.after.length(shipped())) if step.after is not None else (step.share, timedelta(0))


def _addressee(words: str) -> Addressee:
    place, _, seat = words.partition("/")
    if seat not in SEATS.get(place, ()):
        raise PolicyInvalid(f"{words!r}: a step tells case/owner, or a seat of branch/ or hq/ that there is")
    return Addressee(place, seat)


LIMITS: Policies[Limits] = Policies("limits", FILE, _limits)
LADDERS: Policies[Ladders] = Policies("ladders", FILE, _ladders)
