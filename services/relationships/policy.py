"""The tables that the business changes: the client information set [CI1]."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from chassis.errors import FieldError
from chassis.policy import Number, PolicyBody, PolicyBook, PolicyInvalid, PolicyTable, typed
from contracts.classification import TIERS, TierCode
from services.relationships.rules import Indicator

FILE = Path(__file__).with_name("policy.toml")
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Days = Annotated[int, msgspec.Meta(ge=1, le=3660)]
_VALID = re.compile(r"ever|own|tier|[1-9][0-9]{0,3}[md]")
_SOURCE = re.compile(r"[SECTHM]{1,6}")


class IndicatorBody(PolicyBody, frozen=True):
    """One indicator as it is written."""

    code: Annotated[str, msgspec.Meta(pattern=r"^CI-[PASC][0-9]{2}$")]
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    en: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    source: str
    owner: Literal["OPS", "CM", "SYS", "CC", "ADV", "CMP"]
    weight: Annotated[int, msgspec.Meta(ge=1, le=3)]
    valid: str
    set: Literal["P", "N", "G", "C", "L"]
    personal: bool = False
    field: str = ""
    form: Literal["", "id_number", "mobile", "phone", "email", "date", "years", "objection"] = ""


class InformationBody(PolicyBody, frozen=True):
    """A version as it is written."""

    unknown_months: Annotated[int, msgspec.Meta(ge=1, le=120)]
    gaps_shown: Annotated[int, msgspec.Meta(ge=1, le=50)]
    notice_days: Days
    target_core: Percent
    target_gold: Percent
    target_other: Percent
    indicators: Annotated[list[IndicatorBody], msgspec.Meta(min_length=1, max_length=500)]


@dataclass(frozen=True, slots=True)
class Information:
    """One version of the set: for how long "unknown" and "refused" count, how many gaps a form shows, the targets."""

    indicators: Mapping[str, Indicator]
    unknown_months: int
    gaps_shown: int
    notice_days: int
    targets: Mapping[str, int]


def parse(body: dict[str, Any]) -> Information:
    """Read one version.

    Raises: PolicyInvalid when a code is there twice, or a source, a validity or a target is none.
    """
    given = typed(InformationBody, body)
    if problems := tuple(_problems(given)):
        raise PolicyInvalid(f"{problems[0].pointer}: {problems[0].detail}", errors=problems)
    return Information(
        {
            one.code: Indicator(
                one.code, one.zh, one.en, one.source, one.owner, one.weight, one.valid, one.set,
                one.personal, one.field or one.code, one.form,
            )
            for one in given.indicators
        },
        given.unknown_months, given.gaps_shown, given.notice_days,
        {"C": given.target_core, "G": given.target_gold, "N": given.target_other},
    )  # fmt: skip


def _problems(given: InformationBody) -> Iterator[FieldError]:
    counts = Counter(one.code for one in given.indicators)
    for n, one in enumerate(given.indicators):
        if counts[one.code] > 1:
            yield FieldError(f"/body/indicators/{n}/code", f"{one.code} is there {counts[one.code]} times")
        if not _SOURCE.fullmatch(one.source) or len(set(one.source)) < len(one.source):
            yield FieldError(f"/body/indicators/{n}/source", "letters of S, E, C, T, H and M, each once")
        if not _VALID.fullmatch(one.valid):
            yield FieldError(f"/body/indicators/{n}/valid", "ever, own, tier, or a number of months (24m) or days (7d)")
        if one.field and not one.personal:
            yield FieldError(f"/body/indicators/{n}/field", "only of what is personal")
    if not given.target_other <= given.target_gold <= given.target_core:
        yield FieldError("/body/target_core", "a better tier is not asked for less")


class Owners(PolicyBody, frozen=True):
    """Who owns whom [RE1]: in mode `account_system` the broker's manager is the owner from the day it changes on, in mode
    `careline` a proposal. `pool_seat` leads a branch's pool, `headquarters_seat` what no branch's lead does."""

    mode: Literal["account_system", "careline"]
    pool_seat: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    headquarters_seat: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Allocation(PolicyBody, frozen=True):
    """How clients are matched to managers [A2, A6, A26]. Thousandths: `base` is what any manager is worth to any client,
    `move_cost` what a broken tie costs. Evidence of a skill halves in `half_life_months`; a self-assessment counts
    `self_percent` of it. A manager named by two persons stays for `pinned_months`."""

    weights: dict[TierCode, Annotated[int, msgspec.Meta(ge=1, le=100)]]
    core_weight: Annotated[int, msgspec.Meta(ge=0, le=100)]
    base: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    move_cost: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    keep_percent: Percent
    package: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    capacity: Annotated[int, msgspec.Meta(ge=0, le=100_000)]
    core_capacity: Annotated[int, msgspec.Meta(ge=0, le=100_000)]
    by_tier: dict[TierCode, Annotated[int, msgspec.Meta(ge=0, le=100_000)]]
    half_life_months: Annotated[int, msgspec.Meta(ge=1, le=600)]
    self_percent: Percent
    pinned_months: Annotated[int, msgspec.Meta(ge=0, le=120)]
    manager_seat: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    trader_skill: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    assets_skill: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    elderly_skill: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    large_assets: Annotated[int, msgspec.Meta(ge=0)]
    elderly_age: Annotated[int, msgspec.Meta(ge=18, le=120)]


def parse_allocation(body: dict[str, Any]) -> Allocation:
    """Read one version.

    Raises: PolicyInvalid when a tier has no weight, or a better one less than a lower.
    """
    given = typed(Allocation, body)
    if missing := sorted(set(TIERS) - set(given.weights)):
        raise PolicyInvalid(f"no weight of {', '.join(missing)}", errors=(FieldError("/body/weights", "missing"),))
    if any(given.weights[lower] > given.weights[higher] for lower, higher in pairwise(TIERS)):
        raise PolicyInvalid("a better tier weighs less", errors=(FieldError("/body/weights", "falls"),))
    return given


Phrases = Annotated[list[Annotated[str, msgspec.Meta(min_length=2, max_length=40)]], msgspec.Meta(max_length=500)]


class ServiceLog(PolicyBody, frozen=True):
    """What is asked of entries of the service log, and the words looked for in them [A12, A17, A33]."""

    late_hours: Annotated[int, msgspec.Meta(ge=1, le=240)]
    entry_days: Annotated[int, msgspec.Meta(ge=1, le=366)]
    same_minutes: Annotated[int, msgspec.Meta(ge=0, le=240)]
    order_style: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    order_words: Phrases
    forbidden: Phrases
    banned: Phrases
    paper_days: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 366


class Point(PolicyBody, frozen=True):
    """Something to be prepared before a visit."""

    code: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{2,40}$")]
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    en: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


Score = Annotated[int, msgspec.Meta(ge=0, le=100)]


class Activity(PolicyBody, frozen=True):
    """What activity counts [A13], and the points that make a visit a prepared one [A31]."""

    visit: Score
    call: Score
    on_site: Score
    new_client: Score
    preparation: Annotated[list[Point], msgspec.Meta(min_length=1, max_length=20)]
    lectures_a_quarter: Annotated[int, msgspec.Meta(ge=0, le=100)] = 1


def parse_activity(body: dict[str, Any]) -> Activity:
    """Read one version.

    Raises: PolicyInvalid when a point is there twice.
    """
    given = typed(Activity, body)
    if len({one.code for one in given.preparation}) < len(given.preparation):
        raise PolicyInvalid("a point is there twice", errors=(FieldError("/body/preparation", "twice"),))
    return given


class Cadence(PolicyBody, frozen=True):
    """How often clients should be in contact with us, by tier [A7a], and how often at most one style allows it [RE4]."""

    ideal_days: dict[TierCode, Days]
    longest_percent: Annotated[int, msgspec.Meta(ge=100, le=1000)]
    minimum_percent: Percent
    capped_style: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    contacts_a_month: Annotated[int, msgspec.Meta(ge=0, le=100)]


def parse_cadence(body: dict[str, Any]) -> Cadence:
    """Read one version.

    Raises: PolicyInvalid when a tier has no interval, or a better one a longer than a lower.
    """
    given = typed(Cadence, body)
    if missing := sorted(set(TIERS) - set(given.ideal_days)):
        raise PolicyInvalid(f"no interval of {', '.join(missing)}", errors=(FieldError("/body/ideal_days", "missing"),))
    if any(given.ideal_days[lower] < given.ideal_days[higher] for lower, higher in pairwise(TIERS)):
        raise PolicyInvalid("a better tier waits longer", errors=(FieldError("/body/ideal_days", "rises"),))
    return given


WorkingDays = Annotated[int, msgspec.Meta(ge=1, le=60)]


class HandOver(PolicyBody, frozen=True):
    """The clocks of a hand-over [A9], a change of manager [A8] and the reason of a loss [A19], in working days."""

    offer_days: WorkingDays
    core_contact_days: WorkingDays
    contact_days: WorkingDays
    change_days: WorkingDays
    reason_days: WorkingDays
    changes_a_quarter: Annotated[int, msgspec.Meta(ge=0, le=100)]


class Prospects(PolicyBody, frozen=True):
    """For how many months a prospect is kept with whom nobody talks [CI12]."""

    keep_months: Annotated[int, msgspec.Meta(ge=1, le=120)]


class HeldAway(PolicyBody, frozen=True):
    """What a share of the quota for new issues of a market (of `other` ones) stands for in yuan, and over how many days what
    is held here is the mean [A27]."""

    per_share: dict[Annotated[str, msgspec.Meta(min_length=1, max_length=64)], Number]
    other: Number
    window_days: Annotated[int, msgspec.Meta(ge=1, le=366)]


def parse_held_away(body: dict[str, Any]) -> HeldAway:
    """Read one version.

    Raises: PolicyInvalid when a share stands for less than nothing.
    """
    given = typed(HeldAway, body)
    if wrong := sorted(market for market, yuan in given.per_share.items() if yuan < 0):
        place = FieldError(f"/body/per_share/{wrong[0]}", "negative")
        raise PolicyInvalid("a share is worth less than nothing", errors=(place,))
    if given.other < 0:
        raise PolicyInvalid("a share is worth less than nothing", errors=(FieldError("/body/other", "negative"),))
    return given


class SpotChecks(PolicyBody, frozen=True):
    """How many entries of the service log are checked of each person a quarter: a share, and at least so many, where there are so
    many [A14]; how many working days they have to answer."""

    percent: Annotated[int, msgspec.Meta(ge=1, le=100)]
    least: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    answer_days: WorkingDays


WorkingMinutes = Annotated[int, msgspec.Meta(ge=1, le=2400)]


class Questions(PolicyBody, frozen=True):
    """The first answer to a question, in working minutes, by zone; the stages of life in which a client trades [A35]."""

    business_minutes: WorkingMinutes
    investment_minutes: WorkingMinutes
    trading_stages: Annotated[list[str], msgspec.Meta(min_length=1, max_length=6)]


class Reception(PolicyBody, frozen=True):
    """What clients who come need, what they show, and the forms they are guided through [A30]."""

    papers: Annotated[list[Point], msgspec.Meta(min_length=1, max_length=20)]
    needs: Annotated[list[Point], msgspec.Meta(min_length=1, max_length=40)]
    forms: Annotated[list[Point], msgspec.Meta(min_length=1, max_length=40)]


class Advice(PolicyBody, frozen=True):
    """When advice is followed up, in trading days after it; how long its sources are kept; how close in time two pieces of advice are
    given at once [A15]."""

    follow_up_days: Annotated[
        list[Annotated[int, msgspec.Meta(ge=1, le=500)]], msgspec.Meta(min_length=3, max_length=3)
    ]
    keep_months: Annotated[int, msgspec.Meta(ge=24, le=600)]
    same_hours: Annotated[int, msgspec.Meta(ge=1, le=240)]


class PlanLine(PolicyBody, frozen=True):
    """A line of the plan of the day."""

    begins: Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    ends: Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    en: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class DayPlan(PolicyBody, frozen=True):
    """The plan of a manager's day as headquarters recommends it; a branch may have its own [A29, A32]."""

    lines: Annotated[list[PlanLine], msgspec.Meta(min_length=1, max_length=40)]


class Post(PolicyBody, frozen=True):
    """A post, and for how many clients of a tier one holder has room; of tiers that are not named the post has no part."""

    seat: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    en: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    room: dict[TierCode, Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]]


class Staffing(PolicyBody, frozen=True):
    """The posts a branch has for its clients (配置标准) [A26]."""

    posts: Annotated[list[Post], msgspec.Meta(min_length=1, max_length=40)]


class Card(PolicyBody, frozen=True):
    """A card of the scorecard: a target in per cent, whether more or less is better, its weight, and whether it measures the process
    or the result."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    en: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    target: Annotated[int, msgspec.Meta(ge=0, le=10_000)]
    better: Literal["higher", "lower"]
    weight: Annotated[int, msgspec.Meta(ge=0, le=100)]
    kind: Literal["process", "result"]


class Cards(PolicyBody, frozen=True):
    """A version of the scorecard [A22, A23, A34]: who has fewer than `least_items` behind `counted_by` is not ranked; the result counts
    from `gate` per cent of the process on; `coverage_days`: how long a contact reaches."""

    least_items: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    gate: Percent
    counted_by: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    coverage_days: Days
    cards: Annotated[list[Card], msgspec.Meta(min_length=1, max_length=40)]

    @property
    def codes(self) -> list[str]:
        """Which cards there are."""
        return [one.code for one in self.cards]


CARDS = frozenset({
    "coverage", "cadence", "satisfaction", "completeness", "complaints", "log_in_time", "profile_opened", "key_fields",
    "suggestions", "product_assets", "assets", "commission",
})  # fmt: skip
"""What can be measured."""


def parse_cards(body: dict[str, Any]) -> Cards:
    """Read one version.

    Raises: PolicyInvalid for a card that cannot be measured or is there twice, none that weighs anything, or one that is to be high
    with nothing as its target.
    """
    given = typed(Cards, body)
    wrong = [
        FieldError(f"/body/cards/{n}", problem)
        for n, one in enumerate(given.cards)
        if (problem := _card_problem(one, given.codes))
    ]
    if given.counted_by not in given.codes:
        wrong.append(FieldError("/body/counted_by", "is no card of this version"))
    if not any(one.weight for one in given.cards if one.kind == "process"):
        wrong.append(FieldError("/body/cards", "no process weighs anything"))
    if wrong:
        raise PolicyInvalid(f"{wrong[0].pointer}: {wrong[0].detail}", errors=tuple(wrong))
    return given


def _card_problem(one: Card, codes: list[str]) -> str:
    if one.code not in CARDS:
        return "nothing measures this"
    if codes.count(one.code) > 1:
        return "is there twice"
    return "a target above nothing" if one.better == "higher" and not one.target else ""


class Policies(PolicyBook):
    """The tables of relationships."""

    information = PolicyTable(FILE, parse)
    owners = PolicyTable(FILE, lambda body: typed(Owners, body))
    allocation = PolicyTable(FILE, parse_allocation)
    service_log = PolicyTable(FILE, lambda body: typed(ServiceLog, body))
    activity = PolicyTable(FILE, parse_activity)
    cadence = PolicyTable(FILE, parse_cadence)
    hand_over = PolicyTable(FILE, lambda body: typed(HandOver, body))
    prospects = PolicyTable(FILE, lambda body: typed(Prospects, body))
    held_away = PolicyTable(FILE, parse_held_away)
    spot_checks = PolicyTable(FILE, lambda body: typed(SpotChecks, body))
    questions = PolicyTable(FILE, lambda body: typed(Questions, body))
    reception = PolicyTable(FILE, lambda body: typed(Reception, body))
    advice = PolicyTable(FILE, lambda body: typed(Advice, body))
    day_plan = PolicyTable(FILE, lambda body: typed(DayPlan, body))
    staffing = PolicyTable(FILE, lambda body: typed(Staffing, body))
    scorecard = PolicyTable(FILE, parse_cards)
