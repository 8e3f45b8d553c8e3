"""What callbacks' policies may say: typed bodies, checked when read. One `Policies` for each table of `policy.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

from chassis.policy import Policies, PolicyInvalid
from contracts.classification import TAGS, TIERS

FILE = Path(__file__).with_name("policy.toml")
UNITS = ("months", "trading_days", "working_days", "days", "quarter_end", "valid_until", "working_minutes")
QUEUES = ("branch", "centre", "compliance", "manager")


@dataclass(frozen=True, slots=True)
class Trigger:
    """One row of the trigger table [B21]: what happened, and the task that is owed for it."""

    rule: str
    event: str
    topic: str
    count: int
    unit: str
    queue: str
    script: str
    priority: int
    target_days: int | None = None
    alarm_days: int | None = None
    avoidance: bool = False
    covers: bool = False
    owner: bool = False
    pass_on_days: int = 0
    restricted: bool = False


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a result code means: flags, not names, decide what follows [B20]."""

    code: str
    zh: str
    en: str
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
    quiet: tuple[time, time]

    def day_part(self, at: time) -> str:
        """The part of the day a wall-clock time lies in."""
        return next(name for name, (start, end) in self.day_parts.items() if start <= at < end)


@dataclass(frozen=True, slots=True)
class Notices:
    """Which permissions get a notice, and who [B7]."""

    permissions: Mapping[str, str]
    age_from: int
    experience_years_below: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of stock clients to reach in a year [B4], and the time for new ones [B3]."""

    share: Decimal
    dormant_statuses: tuple[str, ...]
    reserve: Decimal
    new_client_months: int


@dataclass(frozen=True, slots=True)
class Quality:
    """The share of contacts somebody else listens to, by topic, and the weights of an agent's figure."""

    shares: Mapping[str, Decimal]
    other: Decimal
    first_calls_of_an_agent: int
    weights: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of truth or standard action: mandatory with a clock, or optional and only shown [A18, A21].

    Its time is in working days, or in minutes round the clock. `seen`: heard of by the platform itself, or reported.
    """

    code: str
    zh: str
    en: str
    mandatory: bool
    working_days: int = 0
    minutes: int = 0
    seen: str = "heard"


@dataclass(frozen=True, slots=True)
class LadderStep:
    """Who is told of a mandatory moment that nobody did: a seat of the branch or of HQ, so long after its time."""

    name: str
    seat: str
    unit: str
    working_days: int
    urgent_minutes: int


@dataclass(frozen=True, slots=True)
class Flows:
    """From which amount on money in or out is a moment of truth."""

    large: Decimal


@dataclass(frozen=True, slots=True)
class MailingColumn:
    """A column (栏目) clients may get by e-mail or SMS, and who gets it: by class, group and product [B15, A28].

    `on_request`: only to those who subscribed. `product`: each mailing names the product's risk level, and only clients
    assessed for it get it.
    """

    code: str
    zh: str
    en: str
    channels: tuple[str, ...]
    tier_from: str = "NORMAL"
    groups: tuple[str, ...] = ()
    not_groups: tuple[str, ...] = ()
    on_request: bool = True
    product: bool = False
    marketing: bool = True


@dataclass(frozen=True, slots=True)
class Retention:
    """What to say to each reason to leave, over how many years reasons are counted, and how often drills are held, with
    which roles [A20]."""

    drill_every_days: int
    drill_roles: tuple[str, ...]
    reasons_of_years: int
    plays: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Messages:
    """Days and limits of the two messages to new clients [B12], and of sending."""

    welcome: Mapping[str, int]
    follow_up: Mapping[str, int]
    hotline: str
    packages: Mapping[str, Mapping[str, str]]
    attempts: int
    retry_minutes: int


def parse_triggers(body: dict[str, Any]) -> Mapping[str, Trigger]:
    """The trigger table by rule; two rows for one rule, an unknown unit or queue are refused."""
    rows: dict[str, Trigger] = {}
    for given in body.get("rows", []):
        row = dict(given)
        count, unit = row.pop("deadline", (None, None))
        if unit not in UNITS or not isinstance(count, int) or count < 0:
            raise PolicyInvalid(f"{row.get('rule')}: deadline {count} {unit} is none of {', '.join(UNITS)}")
        trigger = _made(Trigger, row | {"count": count, "unit": unit})
        if trigger.rule in rows:
            raise PolicyInvalid(f"two rows for the rule {trigger.rule}")
        if trigger.queue not in QUEUES:
            raise PolicyInvalid(f"{trigger.rule}: queue {trigger.queue!r} is none of {', '.join(QUEUES)}")
        if not 1 <= trigger.priority <= 9:
            raise PolicyInvalid(f"{trigger.rule}: priority {trigger.priority} is not 1 to 9")
        rows[trigger.rule] = trigger
    if not rows:
        raise PolicyInvalid("the trigger table is empty")
    return rows


def parse_outcomes(body: dict[str, Any]) -> Mapping[str, CallOutcome]:
    """Outcomes by code; one that is final and also asks for a retry, or that covers without contact, is refused."""
    found: dict[str, CallOutcome] = {}
    for row in body.get("rows", []):
        outcome = _made(CallOutcome, row)
        if outcome.code in found:
            raise PolicyInvalid(f"two rows for the outcome {outcome.code}")
        if outcome.final + outcome.retry + outcome.wish != 1:
            raise PolicyInvalid(f"{outcome.code}: exactly one of final, retry, wish")
        if (outcome.covers and not outcome.valid) or (outcome.valid and not outcome.reached):
            raise PolicyInvalid(f"{outcome.code}: what covers is valid contact, and valid contact reached somebody")
        found[outcome.code] = outcome
    if not any(outcome.covers for outcome in found.values()):
        raise PolicyInvalid("no outcome counts for coverage")
    return found


def parse_calling(body: dict[str, Any]) -> Calling:
    """Windows, retries, caps; the attempts must be possible on the days and in the parts asked for."""
    cap = body.get("contacts_per_client", {})
    parts = {name: _span(span) for name, span in body.get("day_parts", {}).items()}
    calling = Calling(
        windows=tuple(_span(span) for span in body.get("windows", [])),
        trading_sessions=tuple(_span(span) for span in body.get("trading_sessions", [])),
        trading_edge_minutes=_whole(body, "trading_edge_minutes"),
        day_parts=parts,
        attempts=_whole(body, "attempts"),
        on_days=_whole(body, "on_days"),
        in_day_parts=_whole(body, "in_day_parts"),
        gap_hours=_whole(body, "gap_hours"),
        lease_minutes=_whole(body, "lease_minutes"),
        open_tasks_per_agent=_whole(body, "open_tasks_per_agent"),
        cap_count=_whole(cap, "count"),
        cap_days=_whole(cap, "days"),
        after_exhaustion=tuple(body.get("after_exhaustion", [])),
        survey_working_days=_whole(body, "survey_working_days"),
        quiet=_span(body.get("quiet", [])),
    )
    if not calling.windows or not calling.on_days <= calling.attempts or calling.in_day_parts > len(parts):
        raise PolicyInvalid("attempts cannot be made on that many days, in that many parts, in no window")
    reach = sorted(parts.values())
    whole_day = reach and reach[0][0] == time(0) and reach[-1][1] == time.max
    if not whole_day or any(a[1] != b[0] for a, b in pairwise(reach)):
        raise PolicyInvalid("day_parts leave a gap or overlap: together they are one day")
    return calling


def parse_notices(body: dict[str, Any]) -> Notices:
    """Which permissions get a notice [B7]."""
    return Notices(dict(body["permissions"]), _whole(body, "age_from"), _whole(body, "experience_years_below"))


def parse_coverage(body: dict[str, Any]) -> Coverage:
    """The coverage rule; a share outside 0 to 1 is refused."""
    share, reserve = _decimal(body, "share"), _decimal(body, "reserve")
    if not 0 < share <= 1 or reserve < 1:
        raise PolicyInvalid("share must lie in 0 to 1, reserve must be at least 1")
    return Coverage(share, tuple(body.get("dormant_statuses", [])), reserve, _whole(body, "new_client_months"))


def parse_quality(body: dict[str, Any]) -> Quality:
    """Sampling shares and weights; weights must sum to 1."""
    shares = {topic: _decimal(body["shares"], topic) for topic in body.get("shares", {})}
    weights = {part: _decimal(body["weights"], part) for part in ("valid", "on_time", "quality")}
    if sum(weights.values()) != 1 or any(not 0 <= share <= 1 for share in shares.values()):
        raise PolicyInvalid("weights must sum to 1 and shares lie in 0 to 1")
    return Quality(shares, _decimal(body, "other"), _whole(body, "first_calls_of_an_agent"), weights)


def parse_moments(body: dict[str, Any]) -> Mapping[str, Moment]:
    """The catalogue of moments by code; each has one time, in working days or in minutes."""
    found: dict[str, Moment] = {}
    for row in body.get("rows", []):
        moment: Moment = _made(Moment, row)
        if moment.code in found:
            raise PolicyInvalid(f"two rows for the moment {moment.code}")
        if (moment.working_days > 0) == (moment.minutes > 0) or moment.seen not in ("heard", "reported"):
            raise PolicyInvalid(f"{moment.code}: working_days or minutes, and seen is heard or reported")
        found[moment.code] = moment
    return found


def parse_ladder(body: dict[str, Any]) -> tuple[LadderStep, ...]:
    """The ladder of mandatory moments; each step is later than the one before."""
    steps: tuple[LadderStep, ...] = tuple(_made(LadderStep, row) for row in body.get("rows", []))
    if not steps or len({step.name for step in steps}) != len(steps):
        raise PolicyInvalid("the ladder needs steps, each with a name of its own")
    if any(step.unit not in ("branch", "HQ") for step in steps):
        raise PolicyInvalid("a step's unit is branch or HQ")
    if any(a.working_days >= b.working_days or a.urgent_minutes >= b.urgent_minutes for a, b in pairwise(steps)):
        raise PolicyInvalid("each step of the ladder is later than the one before")
    return steps


def parse_flows(body: dict[str, Any]) -> Flows:
    """The amount from which a flow is large."""
    large = _decimal(body, "large")
    if large <= 0:
        raise PolicyInvalid("large must be more than nothing")
    return Flows(large)


def parse_cadence(body: dict[str, Any]) -> Mapping[str, int]:
    """Days between contacts by tier [A7a]."""
    return {tier: int(days) for tier, days in body.get("days", {}).items()}


def parse_mailings(body: dict[str, Any]) -> Mapping[str, MailingColumn]:
    """The columns by code; an unknown tier, group or channel is refused."""
    found: dict[str, MailingColumn] = {}
    for given in body.get("rows", []):
        row = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        column: MailingColumn = _made(MailingColumn, row)
        if column.code in found:
            raise PolicyInvalid(f"two rows for the column {column.code}")
        if not column.channels or not set(column.channels) <= {"email", "sms"}:
            raise PolicyInvalid(f"{column.code}: channels are email and sms")
        if column.tier_from not in TIERS or not {*column.groups, *column.not_groups} <= set(TAGS):
            raise PolicyInvalid(f"{column.code}: an unknown tier or group")
        found[column.code] = column
    return found


def parse_retention(body: dict[str, Any]) -> Retention:
    """Plays and drills; a play without words in both languages is refused, and so is one that hinders an exit."""
    plays = {reason: dict(words) for reason, words in body.get("plays", {}).items()}
    for reason, words in plays.items():
        if not (words.get("zh-CN") and words.get("en")):
            raise PolicyInvalid(f"{reason}: words in zh-CN and en")
        if said := [word for word in body.get("never_say", []) if word.lower() in " ".join(words.values()).lower()]:
            raise PolicyInvalid(f"{reason} says what it must never say: {', '.join(said)}")
    if not plays:
        raise PolicyInvalid("no plays")
    return Retention(
        _whole(body, "drill_every_days"), tuple(body.get("drill_roles", [])), _whole(body, "reasons_of_years"), plays
    )


def parse_messages(body: dict[str, Any]) -> Messages:
    """Days of the messages to new clients; a package without a name in both languages is refused."""
    messages: Messages = _made(Messages, body)
    if not messages.hotline.strip():
        raise PolicyInvalid("hotline: a message names it, so it must not be empty")
    for tier in TIERS:
        if not all(messages.packages.get(tier, {}).get(language) for language in ("zh-CN", "en")):
            raise PolicyInvalid(f"packages: {tier} needs its name in zh-CN and en")
    return messages


def _made(kind: type[Any], row: Mapping[str, Any]) -> Any:
    try:
        return kind(**row)
    except TypeError as wrong:
        raise PolicyInvalid(f"{row.get('rule') or row.get('code') or kind.__name__}: {wrong}") from None


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or value < 0:
        raise PolicyInvalid(f"{name}: {value!r} is not a whole number of zero or more")
    return value


def _decimal(body: Mapping[str, Any], name: str) -> Decimal:
    try:
        return Decimal(str(body[name]))
    except (KeyError, InvalidOperation):
        raise PolicyInvalid(f"{name}: {body.get(name)!r} is not a number") from None


def _span(given: Any) -> tuple[time, time]:
    try:
        start, end = given
        return time.fromisoformat(start), time.max if end == "24:00" else time.fromisoformat(end)
    except (ValueError, TypeError):
        raise PolicyInvalid(f"{given!r} is not a span of wall-clock times") from None


TRIGGERS: Policies[Mapping[str, Trigger]] = Policies("triggers", FILE, parse_triggers)
OUTCOMES: Policies[Mapping[str, CallOutcome]] = Policies("outcomes", FILE, parse_outcomes)
CALLING: Policies[Calling] = Policies("calling", FILE, parse_calling)
NOTICES: Policies[Notices] = Policies("notices", FILE, parse_notices)
COVERAGE: Policies[Coverage] = Policies("coverage", FILE, parse_coverage)
QUALITY: Policies[Quality] = Policies("quality", FILE, parse_quality)
MOMENTS: Policies[Mapping[str, Moment]] = Policies("moments", FILE, parse_moments)
LADDER: Policies[tuple[LadderStep, ...]] = Policies("moment_ladder", FILE, parse_ladder)
FLOWS: Policies[Flows] = Policies("flows", FILE, parse_flows)
CADENCE: Policies[Mapping[str, int]] = Policies("cadence", FILE, parse_cadence)
MAILINGS: Policies[Mapping[str, MailingColumn]] = Policies("mailings", FILE, parse_mailings)
RETENTION: Policies[Retention] = Policies("retention", FILE, parse_retention)
MESSAGES: Policies[Messages] = Policies("messages", FILE, parse_messages)
ALL: tuple[Policies[Any], ...] = (
    TRIGGERS, OUTCOMES, CALLING, NOTICES, COVERAGE, QUALITY, MOMENTS, LADDER, FLOWS, CADENCE, MAILINGS, RETENTION, MESSAGES
)  # fmt: skip


def rule_on(rule: str, day: date) -> tuple[Trigger, str]:
    """A rule of the trigger table in force on a day, and the version's name."""
    version = TRIGGERS.on(day)
    return version.body[rule], version.name
