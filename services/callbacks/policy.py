"""What callbacks' policies may say: typed bodies, checked when read. The tables of `policy.toml` and the scripts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from chassis.errors import FieldError
from chassis.policy import Number, PolicyBody, PolicyBook, PolicyFamily, PolicyInvalid, PolicyTable, typed
from contracts.classification import TIERS, TierCode
from services.callbacks.rule_texts import RULE_TEXTS
from services.callbacks.scripts import FILE as SCRIPT_FILE
from services.callbacks.scripts import SCRIPTS, Script
from services.callbacks.scripts import parse as parse_script

NAMED_OUTCOMES = ("survey_answered", "letter_answered", "replied")
"""Outcomes that the platform itself enters."""
Row = TypeVar("Row")
FILE = Path(__file__).with_name("policy.toml")
Unit = Literal["months", "trading_days", "working_days", "days", "quarter_end", "valid_until", "working_minutes"]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class Trigger(PolicyBody, frozen=True):
    """One row of the trigger table [B21]: what happened, and the task that is owed for it."""

    rule: Code
    event: Code
    topic: Code
    deadline: tuple[Annotated[int, msgspec.Meta(ge=0, le=3660)], Unit]
    queue: Literal["branch", "centre", "compliance", "manager"]
    script: Code
    priority: Annotated[int, msgspec.Meta(ge=1, le=9)]
    target_days: Count | None = None
    alarm_days: Count | None = None
    avoidance: bool = False
    covers: bool = False
    owner: bool = False
    pass_on_days: Count = 0
    restricted: bool = False

    @property
    def count(self) -> int:
        """How many of its unit the deadline lies away."""
        return self.deadline[0]

    @property
    def unit(self) -> Unit:
        """What the deadline is counted in."""
        return self.deadline[1]


class CallOutcome(PolicyBody, frozen=True):
    """What a result code means: flags, not names, decide what follows [B20]."""

    code: Code
    zh: Words
    en: Words
    reached: bool = False
    valid: bool = False
    covers: bool = False
    final: bool = False
    retry: bool = False
    wish: bool = False
    do_not_call: bool = False
    needs: str = ""
    written: bool = False


@dataclass(frozen=True, slots=True)
class Calling:
    """When one may call, how often one tries, and what comes after [B20]."""

    windows: tuple[tuple[time, time], ...]
    trading_sessions: tuple[tuple[time, time], ...]
    trading_edge_minutes: int
    day_parts: Mapping[str, tuple[time, time]]
    attempts: int
    on_days: int
    in_day_parts: int
    gap_hours: int
    lease_minutes: int
    open_tasks_per_agent: int
    cap_count: int
    cap_days: int
    after_exhaustion: tuple[str, ...]
    survey_working_days: int

    def day_part(self, at: time) -> str:
        """The part of the day a wall-clock time lies in."""
        return next(name for name, (start, end) in self.day_parts.items() if start <= at < end)


class Notices(PolicyBody, frozen=True):
    """Which permissions get a notice, and who [B7]."""

    permissions: dict[str, str]
    age_from: Count
    experience_years_below: Count


class Coverage(PolicyBody, frozen=True):
    """The share of stock clients to reach in a year [B4], the time for new ones [B3], and how old a contact may be that a
    supervisor enters alone."""

    share: Number
    reserve: Number
    new_client_months: Count
    dormant_statuses: tuple[str, ...] = ()
    entered_alone_working_days: Count = 5


@dataclass(frozen=True, slots=True)
class Quality:
    """The share of contacts somebody else listens to, by topic, and the weights of an agent's figure."""

    shares: Mapping[str, Decimal]
    other: Decimal
    first_calls_of_an_agent: int
    weights: Mapping[str, Decimal]


class Moment(PolicyBody, frozen=True):
    """A moment of truth or standard action: mandatory with a clock, or optional and only shown [A18, A21].

    Its time is in working days, or in minutes round the clock. `seen`: heard of by the platform itself, or reported.
    """

    code: Code
    zh: Words
    en: Words
    mandatory: bool
    working_days: Count = 0
    minutes: Count = 0
    seen: Literal["heard", "reported"] = "heard"


class LadderStep(PolicyBody, frozen=True):
    """Who is told of a mandatory moment that nobody did: a seat of the branch or of HQ, so long after its time."""

    name: Code
    seat: Code
    unit: Literal["branch", "HQ"]
    working_days: Count
    urgent_minutes: Count


class Flows(PolicyBody, frozen=True):
    """From which amount on money in or out is a moment of truth."""

    large: Number


@dataclass(frozen=True, slots=True)
class Retention:
    """What to say to each reason to leave, over how many years reasons are counted, and how often drills are held, with
    which roles [A20]."""

    drill_every_days: int
    drill_roles: tuple[str, ...]
    reasons_of_years: int
    plays: Mapping[str, Mapping[str, str]]


class Welcome(PolicyBody, frozen=True):
    """Days after the opening: the first message, its limit, the alarm where no manager is known."""

    first_day: Count
    limit_days: Count
    alarm_day: Count


class FollowUp(PolicyBody, frozen=True):
    """The second message: days after the opening, and its limit in months."""

    first_day: Count
    limit_months: Count


class Messages(PolicyBody, frozen=True):
    """Days and limits of the two messages to new clients [B12].

    Versions published while callbacks sent messages itself say how, too: that is messaging's policy now.
    """

    welcome: Welcome
    follow_up: FollowUp
    hotline: Words | None = None
    packages: dict[TierCode, dict[str, Words]] | None = None
    attempts: int | None = None
    retry_minutes: int | None = None


class _Triggers(PolicyBody, frozen=True):
    rows: list[Trigger]


class _Outcomes(PolicyBody, frozen=True):
    rows: list[CallOutcome]


class _Moments(PolicyBody, frozen=True):
    rows: list[Moment]


class _Ladder(PolicyBody, frozen=True):
    rows: list[LadderStep]


class _Cadence(PolicyBody, frozen=True):
    days: dict[TierCode, Annotated[int, msgspec.Meta(ge=1, le=3660)]]


class _Cap(PolicyBody, frozen=True):
    count: Count
    days: Count


class _Calling(PolicyBody, frozen=True):
    windows: list[tuple[str, str]]
    trading_sessions: list[tuple[str, str]]
    trading_edge_minutes: Count
    day_parts: dict[str, tuple[str, str]]
    attempts: Count
    on_days: Count
    in_day_parts: Count
    gap_hours: Count
    lease_minutes: Count
    open_tasks_per_agent: Count
    contacts_per_client: _Cap
    after_exhaustion: list[Literal["e_survey", "letter"]]
    survey_working_days: Count
    quiet: tuple[str, str] | None = None  # of messages, in versions from before messaging sent them


class _Quality(PolicyBody, frozen=True):
    shares: dict[str, Number]
    other: Number
    first_calls_of_an_agent: Count
    weights: dict[Literal["valid", "on_time", "quality"], Number]


class _Retention(PolicyBody, frozen=True):
    drill_every_days: Count
    drill_roles: list[str]
    reasons_of_years: Count
    plays: dict[str, dict[str, str]]
    never_say: tuple[str, ...] = ()


def refused(detail: str, pointer: str = "") -> PolicyInvalid:
    """What does not hold together, and where."""
    return PolicyInvalid(detail, errors=(FieldError("/body" + pointer, detail),))


def _by_code(rows: Sequence[Row], code: Callable[[Row], str]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for place, row in enumerate(rows):
        if code(row) in found:
            raise refused(f"two rows for {code(row)}", f"/rows/{place}")
        found[code(row)] = row
    if not rows:
        raise refused("the table is empty", "/rows")
    return found


def parse_triggers(body: dict[str, Any]) -> Mapping[str, Trigger]:
    """The trigger table by rule; two rows for one rule, or none for a rule there is, are refused."""
    found = _by_code(typed(_Triggers, body).rows, lambda row: row.rule)
    if missing := sorted(RULE_TEXTS.keys() - found.keys()):
        raise refused(f"no row for {', '.join(missing)}", "/rows")
    for place, trigger in enumerate(found.values()):
        if trigger.script not in SCRIPTS:
            raise refused(f"{trigger.rule}: there is no script {trigger.script!r}", f"/rows/{place}/script")
    return found


def parse_outcomes(body: dict[str, Any]) -> Mapping[str, CallOutcome]:
    """Outcomes by code; one that is final and also asks for a retry, or that covers without contact, is refused."""
    rows = typed(_Outcomes, body).rows
    for place, outcome in enumerate(rows):
        if outcome.final + outcome.retry + outcome.wish != 1:
            raise refused(f"{outcome.code}: exactly one of final, retry, wish", f"/rows/{place}")
        if (outcome.covers and not outcome.valid) or (outcome.valid and not outcome.reached):
            raise refused(
                f"{outcome.code}: what covers is valid contact, and valid contact reached somebody", f"/rows/{place}"
            )
    if not any(outcome.covers for outcome in rows):
        raise refused("no outcome counts for coverage", "/rows")
    found = _by_code(rows, lambda row: row.code)
    if missing := sorted(set(NAMED_OUTCOMES) - found.keys()):
        raise refused(f"no row for {', '.join(missing)}", "/rows")
    return found


def parse_calling(body: dict[str, Any]) -> Calling:
    """Windows, retries, caps; the attempts must be possible on the days and in the parts asked for."""
    given = typed(_Calling, body)
    parts = {name: _span(span, f"/day_parts/{name}") for name, span in given.day_parts.items()}
    calling = Calling(
        windows=tuple(_span(span, f"/windows/{place}") for place, span in enumerate(given.windows)),
        trading_sessions=tuple(
            _span(span, f"/trading_sessions/{place}") for place, span in enumerate(given.trading_sessions)
        ),
        trading_edge_minutes=given.trading_edge_minutes,
        day_parts=parts,
        attempts=given.attempts,
        on_days=given.on_days,
        in_day_parts=given.in_day_parts,
        gap_hours=given.gap_hours,
        lease_minutes=given.lease_minutes,
        open_tasks_per_agent=given.open_tasks_per_agent,
        cap_count=given.contacts_per_client.count,
        cap_days=given.contacts_per_client.days,
        after_exhaustion=tuple(given.after_exhaustion),
        survey_working_days=given.survey_working_days,
    )
    if not calling.windows or not calling.on_days <= calling.attempts or calling.in_day_parts > len(parts):
        raise refused("attempts cannot be made on that many days, in that many parts, in no window", "/attempts")
    reach = sorted(parts.values())
    whole_day = reach and reach[0][0] == time(0) and reach[-1][1] == time.max
    if not whole_day or any(a[1] != b[0] for a, b in pairwise(reach)):
        raise refused("day_parts leave a gap or overlap: together they are one day", "/day_parts")
    if not calling.after_exhaustion:
        raise refused("something comes after the last attempt", "/after_exhaustion")
    return calling


def parse_notices(body: dict[str, Any]) -> Notices:
    """Which permissions get a notice [B7]."""
    return typed(Notices, body)


def parse_coverage(body: dict[str, Any]) -> Coverage:
    """The coverage rule; a share outside 0 to 1 is refused."""
    coverage = typed(Coverage, body)
    if not 0 < coverage.share <= 1 or coverage.reserve < 1:
        raise refused(
            "share must lie in 0 to 1, reserve must be at least 1", "/reserve" if coverage.reserve < 1 else "/share"
        )
    return coverage


def parse_quality(body: dict[str, Any]) -> Quality:
    """Sampling shares and weights; weights must sum to 1."""
    given = typed(_Quality, body)
    if len(given.weights) != 3 or sum(given.weights.values()) != 1:
        raise refused("weights must sum to 1", "/weights")
    if any(not 0 <= share <= 1 for share in (*given.shares.values(), given.other)):
        raise refused("shares lie in 0 to 1", "/shares")
    return Quality(
        given.shares,
        given.other,
        given.first_calls_of_an_agent,
        {str(part): weight for part, weight in given.weights.items()},
    )


def parse_moments(body: dict[str, Any]) -> Mapping[str, Moment]:
    """The catalogue of moments by code; each has one time, in working days or in minutes."""
    rows = typed(_Moments, body).rows
    for place, moment in enumerate(rows):
        if (moment.working_days > 0) == (moment.minutes > 0):
            raise refused(f"{moment.code}: working_days or minutes", f"/rows/{place}")
    return _by_code(rows, lambda row: row.code)


def parse_ladder(body: dict[str, Any]) -> tuple[LadderStep, ...]:
    """The ladder of mandatory moments; each step is later than the one before."""
    steps = tuple(_by_code(typed(_Ladder, body).rows, lambda row: row.name).values())
    for place, (a, b) in enumerate(pairwise(steps), 1):
        if a.working_days >= b.working_days or a.urgent_minutes >= b.urgent_minutes:
            raise refused("each step of the ladder is later than the one before", f"/rows/{place}")
    return steps


def parse_flows(body: dict[str, Any]) -> Flows:
    """The amount from which a flow is large."""
    flows = typed(Flows, body)
    if flows.large <= 0:
        raise refused("large must be more than nothing", "/large")
    return flows


def parse_cadence(body: dict[str, Any]) -> Mapping[str, int]:
    """Days between contacts by tier [A7a]; every tier has its number."""
    days = typed(_Cadence, body).days
    if missing := [tier for tier in TIERS if tier not in days]:
        raise refused(f"no days for {', '.join(missing)}", "/days")
    return {str(tier): count for tier, count in days.items()}


def parse_retention(body: dict[str, Any]) -> Retention:
    """Plays and drills; a play without words in both languages is refused, and so is one that hinders an exit."""
    given = typed(_Retention, body)
    for reason, words in given.plays.items():
        if not (words.get("zh-CN") and words.get("en")):
            raise refused(f"{reason}: words in zh-CN and en", f"/plays/{reason}")
        if said := [word for word in given.never_say if word.lower() in " ".join(words.values()).lower()]:
            raise refused(f"{reason} says what it must never say: {', '.join(said)}", f"/plays/{reason}")
    if not given.plays:
        raise refused("no plays", "/plays")
    return Retention(given.drill_every_days, tuple(given.drill_roles), given.reasons_of_years, given.plays)


def parse_messages(body: dict[str, Any]) -> Messages:
    """Days of the messages to new clients; a limit that lies before its first day is refused."""
    messages = typed(Messages, body)
    if messages.welcome.limit_days < messages.welcome.first_day:
        raise refused("the limit lies before the first day", "/welcome/limit_days")
    return messages


def _span(given: tuple[str, str], pointer: str) -> tuple[time, time]:
    try:
        start, end = given
        return time.fromisoformat(start), time.max if end == "24:00" else time.fromisoformat(end)
    except ValueError:
        raise refused(f"{given!r} is not a span of wall-clock times", pointer) from None


class Policies(PolicyBook):
    """The tables of callbacks."""

    triggers = PolicyTable(FILE, parse_triggers)
    outcomes = PolicyTable(FILE, parse_outcomes)
    calling = PolicyTable(FILE, parse_calling)
    notices = PolicyTable(FILE, parse_notices)
    coverage = PolicyTable(FILE, parse_coverage)
    quality = PolicyTable(FILE, parse_quality)
    moments = PolicyTable(FILE, parse_moments)
    moment_ladder = PolicyTable(FILE, parse_ladder)
    flows = PolicyTable(FILE, parse_flows)
    cadence = PolicyTable(FILE, parse_cadence)
    retention = PolicyTable(FILE, parse_retention)
    messages = PolicyTable(FILE, parse_messages)
    scripts = PolicyFamily(SCRIPT_FILE, parse_script, "script")

    def rule_on(self, rule: str, day: date) -> tuple[Trigger, str]:
        """A rule of the trigger table in force on a day, and the version's name."""
        version = self.triggers.on(day)
        return version.body[rule], version.name

    def script(self, name: str) -> Script:
        """The script a task carries, by its version's name."""
        return self.scripts[name.partition("/")[0]].named(name).body
