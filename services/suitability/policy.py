"""Policy: the numbers and tables the business changes, in dated sets (`policy.toml`)."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from chassis.errors import FieldError, Text
from chassis.policy import PolicyBook, PolicyInvalid, PolicyTable, typed
from services.suitability.levels import SCHEMES, Scheme

Positive = Annotated[int, msgspec.Meta(ge=1)]
LONGEST_ADDRESS = 60
"""Of a link, as the template of its message has room for it."""
ClientKind = Literal["individual", "institution"]
ProfessionalClass = Literal["A", "B", "C"]
ProofItem = Literal[
    "licence", "registration", "net_assets", "financial_assets", "average_income", "experience_years",
    "professional_background", "application", "knowledge_test",
]  # fmt: skip


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of product: the level it needs in each scheme, and the trading permission it asks for."""

    needs: dict[str, str]
    zh: str
    en: str
    permission: str | None = None

    @property
    def text(self) -> Text:
        """Its name in both languages."""
        return Text(self.en, self.zh)


class Warning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The wording shown before a confirmation; `{product}`, `{needed}` and `{held}` are filled in."""

    version: str
    zh: str
    en: str

    def shown(self, product: str, needed: Text, held: Text) -> Text:
        """The exact text a client sees."""
        return Text(
            self.en.format(product=product, needed=needed.en, held=held.en),
            self.zh.format(product=product, needed=needed.zh, held=held.zh),
        )


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question put before a high-risk purchase, and the only answer with which it may go on."""

    code: str
    zh: str
    en: str
    expects: Literal["yes", "no"]


class Gaming(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the watch on questionnaires looks for."""

    window_days: Positive
    retakes: Positive
    flips: Positive
    device_clients: Positive
    seconds_per_question: Positive
    branch_minimum: Positive
    branch_ratio: Positive


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One set, in force until the next; `version` is its name."""

    scheme: str
    validity_months: Positive
    reminder_days: list[int]
    submissions_per_day: Positive
    submissions_per_year: Positive
    review_rise_levels: Positive
    review_rise_days: Positive
    purchase_rise_hours: Positive
    confirmation_days: Positive
    confirm_within_hours: Positive
    cooling_minutes: list[int]
    life_change_days: Positive
    professional_months: Positive
    retention_years: Positive
    evidence: dict[str, list[str]]
    gaming: Gaming
    kinds: dict[str, Kind]
    issuer: dict[str, dict[str, str]]
    warning: Warning
    schemes: dict[ClientKind, str] = {}
    professional: dict[ProfessionalClass, dict[ClientKind, list[dict[ProofItem, Positive]]]] = {}
    conversion_waiting_hours: Annotated[int, msgspec.Meta(ge=0)] = 24
    elderly_age: Positive = 65
    elderly_cooling_minutes: Annotated[int, msgspec.Meta(ge=0)] = 1440
    assisted_channels: tuple[str, ...] = ("counter", "phone")
    link_hours: Positive = 24
    link_address: str = "/me/confirmations/{link}"
    link_evidence: tuple[str, ...] = ("signature",)
    register_seats: tuple[str, ...] = ("operations_director", "service_director")
    contact_age: Positive = 70
    care_when_age_unknown: bool = False
    high_risk: dict[str, str] = msgspec.field(default_factory=lambda: {"SEED-2010-12Q": "HIGH", "C5R5": "C4"})
    first_high_risk_cooling_minutes: Annotated[int, msgspec.Meta(ge=0)] = 1440
    questions: list[Question] = []
    care_warning: Warning | None = None
    version: str = ""

    @property
    def own_scheme(self) -> Scheme:
        """The firm's own scheme: what products and clients are compared in [Q6]."""
        return SCHEMES[self.scheme]

    def scheme_of(self, kind: str | None) -> Scheme:
        """The scheme that clients of a kind (None: not said yet, an individual) answer in: one at a time [Q6]."""
        return SCHEMES[self.schemes.get("institution" if kind == "institution" else "individual", self.scheme)]

    def is_elderly(self, age: int | None) -> bool:
        """Whether a client of an age (None: nobody knows) is owed care for it."""
        return age is not None and age >= self.elderly_age

    def is_to_be_spoken_to(self, age: int | None) -> bool:
        """Whether somebody speaks to a client of an age a second time."""
        return age is not None and age >= self.contact_age

    def age_is_missing(self, age: int | None, kind: str | None) -> bool:
        """Whether a client is owed care because nobody knows their age; an institution has none."""
        return self.care_when_age_unknown and age is None and kind != "institution"

    @cached_property
    def rank_of_kind(self) -> Mapping[str, int]:
        """The rank each known kind needs in the firm's scheme."""
        return {name: self.own_scheme.rank(kind.needs[self.scheme]) for name, kind in self.kinds.items()}

    def permission_of(self, kind: str | None) -> str | None:
        """The trading permission that a kind of product asks for, if any."""
        known = self.kinds.get(kind or "")
        return known.permission if known else None

    @cached_property
    def rank_of_issuer_class(self) -> Mapping[str, int]:
        """The rank each known issuer's class needs in the firm's scheme."""
        return {name: self.own_scheme.rank(needs[self.scheme]) for name, needs in self.issuer.items()}

    @property
    def rise_before_purchase(self) -> timedelta:
        """Within what time before a purchase a rise goes to a person [Q5]."""
        return timedelta(hours=self.purchase_rise_hours)

    @property
    def high_risk_rank(self) -> int:
        """From which rank in the firm's scheme on a product is of high risk."""
        return self.own_scheme.rank(self.high_risk[self.scheme])

    def cooling_minutes_for(self, levels_above: int, care: bool = False, first_high_risk: bool = False) -> int:
        """How long a client thinks it over when a product lies so many levels above theirs; `care`: of a client who is
        elderly or vulnerable."""
        return max(
            self.cooling_minutes[min(levels_above, len(self.cooling_minutes)) - 1] if levels_above > 0 else 0,
            self.elderly_cooling_minutes if care else 0,
            self.first_high_risk_cooling_minutes if first_high_risk else 0,
        )


def parse(body: dict[str, Any]) -> Policy:
    """A set from its body; its version is its name, which is not the body's to say.

    Raises: PolicyInvalid.
    """
    if "version" in body:
        raise PolicyInvalid("a version is named when it is kept", errors=(FieldError("/body/version", "not known"),))
    policy = typed(Policy, body)
    if problems := tuple(_problems(policy)):
        first = problems[0]
        raise PolicyInvalid(f"{first.pointer}: {first.detail}", errors=problems)
    return policy


def _problems(policy: Policy) -> Iterator[FieldError]:
    """What does not hold together: schemes and levels that are none, a text whose blanks cannot be filled in."""
    for pointer, code in (("scheme", policy.scheme), *((f"schemes/{kind}", s) for kind, s in policy.schemes.items())):
        if code not in SCHEMES:
            yield FieldError(f"/body/{pointer}", f"none of {', '.join(SCHEMES)}")
    levels = [(f"kinds/{name}/needs", kind.needs) for name, kind in policy.kinds.items()]
    for pointer, needs in (*levels, *((f"issuer/{name}", needs) for name, needs in policy.issuer.items())):
        for code, scheme in SCHEMES.items():
            if needs.get(code) not in scheme.codes:
                yield FieldError(f"/body/{pointer}/{code}", f"none of {', '.join(scheme.codes)}")
    for code, scheme in SCHEMES.items():
        if policy.high_risk.get(code) not in scheme.codes:
            yield FieldError(f"/body/high_risk/{code}", f"none of {', '.join(scheme.codes)}")
    if "{link}" not in policy.link_address or len(policy.link_address) > LONGEST_ADDRESS:
        yield FieldError("/body/link_address", f"{{link}} and at most {LONGEST_ADDRESS} signs")
    if not policy.cooling_minutes:
        yield FieldError("/body/cooling_minutes", "empty")
    for name, warning in (("warning", policy.warning), ("care_warning", policy.care_warning)):
        try:
            if warning is not None:
                warning.shown("", Text("", ""), Text("", ""))
        except (LookupError, ValueError):
            yield FieldError(f"/body/{name}", "only {product}, {needed} and {held} are filled in")


class Policies(PolicyBook):
    """The tables of suitability: one set, replaced as a whole."""

    suitability = PolicyTable(Path(__file__).with_name("policy.toml"), parse, key="set")

    @cached_property
    def _named(self) -> dict[str, Policy]:
        shipped = self.suitability.all[0].body  # says what a set published before there was any does not
        return {
            v.name: msgspec.structs.replace(
                v.body,
                version=v.name,
                professional=v.body.professional or shipped.professional,
                questions=v.body.questions or shipped.questions,
                care_warning=v.body.care_warning or shipped.care_warning,
            )
            for v in self.suitability.all
        }

    def on(self, day: date) -> Policy:
        """The set in force on a business date."""
        return self._named[self.suitability.on(day).name]
