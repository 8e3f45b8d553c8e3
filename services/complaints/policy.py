"""What complaints' policies may say: limits by source and severity, ladders of escalation, the radar's thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec

from chassis.calendar import shipped
from chassis.clocks import Ladder, LadderStep, Limit, limit_from
from chassis.clocks.errors import LimitInvalid
from chassis.clocks.shares import WHOLE
from chassis.errors import FieldError, Invalid
from chassis.policy import Number, PolicyBody, PolicyBook, PolicyInvalid, PolicyTable, typed
from chassis.staff import COMPLAINT_GROUP, COMPLIANCE, DEPARTMENTS, RISK_CONTROL

FILE = Path(__file__).with_name("policy.toml")
SEATS = {"case": ("owner",), "branch": COMPLAINT_GROUP, "hq": DEPARTMENTS}
LADDER_NAMES = ("ordinary", "major", "regulator", "conduct")
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


@dataclass(frozen=True, slots=True, order=True)
class Addressee:
    """Who a step tells: `case/owner`, a seat of the branch, or one of headquarters."""

    place: str
    seat: str


CONDUCT_TELLS = {Addressee("case", "owner"), Addressee("hq", COMPLIANCE), Addressee("hq", RISK_CONTROL)}


@dataclass(frozen=True, slots=True)
class Ladders:
    """The ladder of a case by kind, source and severity, with whom each step tells [C22]."""

    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    told: Mapping[str, Mapping[str, tuple[Addressee, ...]]]

    def ladder(self, name: str) -> Ladder:
        """The steps, as clocks keep them."""
        return Ladder.from_rows(self.rows[name])


Positive = Annotated[int, msgspec.Meta(ge=1, lt=10_000)]


class _Limits(PolicyBody, frozen=True):
    ordinary: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=100_000)] | bool]
    major: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=100_000)] | bool]
    regulator: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=100_000)] | bool]
    report: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=100_000)] | bool]
    third_party: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=100_000)] | bool]
    survey: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=100_000)] | bool]
    tell: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=100_000)] | bool]
    major_claim: Number
    same_matter_cases: Positive
    same_matter_days: Positive
    related_months: Positive
    violations: list[str]
    cluster_cases: Positive
    cluster_days: Positive
    quiet_days: Positive
    retention_years: Positive
    sign_off_working_days: Positive
    grumbles: Positive
    grumble_days: Positive
    core_satisfaction_percent: Annotated[int, msgspec.Meta(ge=1, le=100)]
    departments: dict[str, str]
    on_call: list[str]


class _Step(PolicyBody, frozen=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    to: list[str]
    share: Annotated[int, msgspec.Meta(ge=1, le=100)] | msgspec.UnsetType = msgspec.UNSET
    working_minutes: Positive | msgspec.UnsetType = msgspec.UNSET
    working_days: Positive | msgspec.UnsetType = msgspec.UNSET


_CONDUCT = (
    _Step("warning", ["case/owner"], share=75),
    _Step("due", ["hq/compliance"], share=100),
    _Step("risk", ["hq/compliance", "hq/risk_control"], working_days=1),
)
"""What policies say that were published before conduct cases had a ladder of their own [C28]."""


class _Ladders(PolicyBody, frozen=True):
    ordinary: list[_Step]
    major: list[_Step]
    regulator: list[_Step]
    conduct: list[_Step] = msgspec.field(default_factory=lambda: list(_CONDUCT))


def refused(detail: str, pointer: str) -> PolicyInvalid:
    """What does not hold together, and where."""
    return PolicyInvalid(detail, errors=(FieldError("/body" + pointer, detail),))


def _limits(body: dict[str, Any]) -> Limits:
    given = msgspec.structs.asdict(typed(_Limits, body))
    for name, value in given.items():
        if isinstance(value, dict) and name != "departments":
            try:
                given[name] = limit_from(value)
            except LimitInvalid as error:
                raise refused(f"limits: {name}: {error}", f"/{name}") from None
    if given["major_claim"] <= 0:
        raise refused("limits: major_claim is an amount of money", "/major_claim")
    if unknown := sorted(set(given["departments"].values()) - set(DEPARTMENTS)):
        raise refused(f"limits: there is no department {unknown[0]!r}", "/departments")
    given["violations"] = frozenset(given["violations"])
    given["on_call"] = tuple(_addressee(words, "/on_call") for words in given["on_call"])
    if given["retention_years"] < FLOOR_YEARS:
        raise refused(f"records of complaints are kept for {FLOOR_YEARS} years at least [C21]", "/retention_years")
    return Limits(**given)


def _ladders(body: dict[str, Any]) -> Ladders:
    given = typed(_Ladders, body)
    rows: dict[str, list[dict[str, Any]]] = {}
    told: dict[str, dict[str, tuple[Addressee, ...]]] = {}
    for name in LADDER_NAMES:
        steps: list[_Step] = getattr(given, name)
        if not steps:
            raise refused(f"no ladder for {name} cases", f"/{name}")
        rows[name] = [{k: v for k, v in msgspec.to_builtins(step).items() if k != "to"} for step in steps]
        told[name] = {step.name: tuple(_addressee(words, f"/{name}") for words in step.to) for step in steps}
        try:
            ladder: tuple[LadderStep, ...] = Ladder.from_rows(rows[name]).steps
        except (TypeError, KeyError, AttributeError, ValueError, Invalid) as error:
            raise refused(f"the ladder for {name} cases: {type(error).__name__} {error}", f"/{name}") from None
        _check_ladder(name, ladder, told[name])
        if name == "conduct" and (others := {to for tells in told[name].values() for to in tells} - CONDUCT_TELLS):
            raise refused(
                f"the ladder for conduct cases tells compliance and risk control, not {min(others).seat}", "/conduct"
            )
    return Ladders(rows, told)


def _check_ladder(name: str, steps: Sequence[LadderStep], told: Mapping[str, Sequence[Addressee]]) -> None:
    """Every step tells somebody, none twice, none before the one it follows, and one of them is the due [C22]."""
    if len(told) != len(steps):
        raise refused(f"the ladder for {name} cases has a step twice", f"/{name}")
    if silent := [step for step, to in told.items() if not to]:
        raise refused(f"the step {silent[0]!r} for {name} cases tells nobody", f"/{name}")
    if not any(step.name == "due" and step.share == WHOLE for step in steps):
        raise refused(f"the ladder for {name} cases has no step `due` at 100 %", f"/{name}")
    places = [_place(step) for step in steps]
    for before, step, earlier, later in zip(steps, steps[1:], places, places[1:], strict=False):
        if later < earlier:
            raise refused(
                f"the step {step.name!r} for {name} cases comes before {before.name!r}, which it follows", f"/{name}"
            )


def _place(step: LadderStep) -> tuple[int, timedelta]:
    """Where on the ladder a step stands: its share, or after 100 % the working time later."""
    return (WHOLE, step.after.length(shipped())) if step.after is not None else (step.share, timedelta(0))


def _addressee(words: str, pointer: str) -> Addressee:
    place, _, seat = words.partition("/")
    if seat not in SEATS.get(place, ()):
        raise refused(f"{words!r}: a step tells case/owner, or a seat of branch/ or hq/ that there is", pointer)
    return Addressee(place, seat)


class Policies(PolicyBook):
    """The tables of complaints."""

    limits = PolicyTable(FILE, _limits)
    ladders = PolicyTable(FILE, _ladders)
