"""Pure decisions about messages: how long an SMS is [MS12], and whether, by which way and when one goes [MS4 to MS10]."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Protocol

from chassis.clock import SHANGHAI, business_date, month_end, start_of

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_TWICE = frozenset("^{}\\[~]|€")
"""Characters of the extension table: two septets each."""
ONE_DAY = timedelta(days=1)
LONGEST_SEARCH_DAYS = 60


def sms_units(text: str) -> tuple[int, bool]:
    """How many units a text takes, and whether they are septets (GSM) or UTF-16 units (UCS-2)."""
    if all(c in GSM or c in GSM_TWICE for c in text):
        return len(text) + sum(c in GSM_TWICE for c in text), True
    return len(text.encode("utf-16-le")) // 2, False


def sms_parts(text: str) -> int:
    """How many parts an SMS has [MS12]: UCS-2 70, then 67 each; GSM 160, then 153 each."""
    units, gsm = sms_units(text)
    alone, each = (160, 153) if gsm else (70, 67)
    return 1 if units <= alone else -(-units // each)


# --- whether, by which way and when --------------------------------------------------------------------------------


class CapTerms(Protocol):
    """At most so many in a span."""

    @property
    def count(self) -> int: ...
    @property
    def span(self) -> timedelta: ...


class ClassTerms(Protocol):
    """What the policy says of a class."""

    @property
    def ways(self) -> Sequence[str]: ...
    @property
    def quiet(self) -> bool: ...
    @property
    def stoppable(self) -> bool: ...
    @property
    def consent(self) -> bool: ...
    @property
    def marketing_hours(self) -> bool: ...
    @property
    def optional(self) -> bool: ...
    @property
    def caps(self) -> Sequence[CapTerms]: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """The policy of the day a message is judged on."""

    cls: ClassTerms
    quiet_hours: tuple[time, time]
    marketing_span: tuple[time, time]
    optional: CapTerms
    unknown_client: timedelta
    channels: Mapping[str, str]
    """The channel of each way."""
    is_working_day: Callable[[date], bool]
    way_caps: Mapping[str, Sequence[CapTerms]] = field(default_factory=dict)
    """What an address may get by each way, of all classes."""
    staff_caps: Mapping[str, Sequence[CapTerms]] = field(default_factory=dict)
    """The same of staff, for whom the caps of classes do not hold."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message as it was asked for. `ways`: those its template takes, the best first, and that are registered and
    connected; None: there is no such template in force."""

    message_class: str
    ways: Sequence[str] | None
    not_before: datetime | None
    not_after: datetime
    required: bool = False
    shock: bool = False
    needs: Collection[str] = ()
    """What of the recipient's record has to be known."""
    contact: bool | None = None
    """Whether the contact it is was granted in this month [RE4]; None: not decided, and we count for ourselves."""
    contact_until: datetime | None = None
    """How long an answer on it is waited for; None: not at all."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """What is known of whom it is for, at the moment of judging."""

    known: bool = True
    recorded: Collection[str] = ()
    """What is known of their record."""
    closed: bool = False
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Of each channel that reaches them the address's token."""
    failed: Collection[str] = ()
    """Channels whose address does not work."""
    refused: Collection[str] = ()
    """Channels they do not want."""
    hours: tuple[time, time] | None = None
    """When they want messages."""
    consented: bool = False
    """To this class."""
    stopped: Collection[str] = ()
    """Channels on which they have stopped this class; `*`: all."""
    staff: bool = False
    """It is a member of staff, at work."""
    number_stopped: bool = False
    """Their number has stopped this class, whoever's it is."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What went to an address before: when, and what of it the client need not have got."""

    of_class: Sequence[datetime] = ()
    optional: Sequence[datetime] = ()
    of_all: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`go` by a way; `wait` until an instant; `suppressed` or `expired`; and why not now."""

    outcome: str
    reason: str = ""
    way: str | None = None
    until: datetime | None = None


def judge(asked: Asked, who: Recipient, sent: Mapping[str, Sent], terms: Terms, now: datetime) -> Verdict:
    """Whether a message goes now, by which way; `sent` says what went to each address (by its token) [MS4 to MS10]."""
    if asked.ways is None:
        return Verdict("suppressed", "no_template")
    if now >= asked.not_after:
        return Verdict("expired", "not_after")
    if not who.known:
        return _wait(asked, "client_unknown", now + terms.unknown_client)
    if who.closed:
        return Verdict("suppressed", "account_closed")
    if missing := [name for name in asked.needs if name not in who.recorded]:
        return _wait(asked, f"no_{missing[0]}", now + terms.unknown_client)
    if terms.cls.consent and not who.consented:
        return Verdict("suppressed", "no_consent")
    way, why = _way(asked, who, terms)
    if way is None:
        return Verdict("suppressed", why)
    if asked.not_before is not None and now < asked.not_before:
        return _wait(asked, "not_before", asked.not_before)
    at, why = _hour(asked, who, terms, now)
    if at > now:
        return _wait(asked, why, at)
    if terms.cls.optional and not asked.required and asked.contact is False:
        return _wait(asked, "no_contact_left", start_of(month_end(business_date(now)) + ONE_DAY))
    undecided = terms.cls.optional and not asked.required and asked.contact is None
    if undecided and asked.contact_until is not None and now < asked.contact_until:
        return Verdict("wait", "contact_asked", until=min(asked.contact_until, asked.not_after))
    before = sent.get(who.addresses[terms.channels[way]], Sent())
    if (free := _uncapped(way, before, terms, now, staff=who.staff)) > now:
        return _wait(asked, "cap", free)
    if undecided and (free := _free(before.optional, terms.optional, now)) > now:
        # Our own count, until it is decided for all services: that may come before the count would let it go.
        return Verdict("wait", "cap", until=min(free, asked.not_after))
    return Verdict("go", way=way)


def _wait(asked: Asked, why: str, until: datetime) -> Verdict:
    """Waits, or expires where it would wait too long: it says why."""
    return Verdict("expired", why) if until >= asked.not_after else Verdict("wait", why, until=until)


WHY_NOT = ("opted_out", "channel_refused", "address_failed", "no_address", "no_way")
"""Why a way is none; of several ways the first of these is said."""


def _way(asked: Asked, who: Recipient, terms: Terms) -> tuple[str | None, str]:
    """The first way that is allowed to the class, wanted by the client and reaches them.

    What the client cannot stop goes by a channel they do not want rather than not at all [MS7].
    """
    assert asked.ways is not None
    reasons = {way: _against(way, who, terms) for way in asked.ways}
    if open_ways := [way for way, why in reasons.items() if why is None]:
        return open_ways[0], ""
    unwanted = [way for way, why in reasons.items() if why == "channel_refused"]
    if unwanted and not terms.cls.stoppable:
        return unwanted[0], ""
    return None, next((why for why in WHY_NOT if why in reasons.values()), "no_way")


def _against(way: str, who: Recipient, terms: Terms) -> str | None:
    channel = terms.channels.get(way)
    if channel is None or way not in terms.cls.ways:
        return "no_way"
    by_number = channel == "sms" and who.number_stopped
    if terms.cls.stoppable and ("*" in who.stopped or channel in who.stopped or by_number):
        return "opted_out"
    if channel not in who.addresses:
        return "no_address"
    if channel in who.failed:
        return "address_failed"
    return "channel_refused" if channel in who.refused else None


def _hour(asked: Asked, who: Recipient, terms: Terms, now: datetime) -> tuple[datetime, str]:
    """When it may go: outside quiet hours [MS9], in the hours of marketing, in the client's own."""
    at, why = now, ""
    for _ in range(LONGEST_SEARCH_DAYS * 3):
        before = at
        if terms.cls.quiet and not asked.shock:
            at, why = _moved(at, why, _outside(at, *terms.quiet_hours), "quiet_hours")
            if who.hours is not None:
                at, why = _moved(at, why, _inside(at, *who.hours), "clients_hours")
        if terms.cls.marketing_hours:
            at, why = _moved(at, why, _inside(at, *terms.marketing_span), "marketing_hours")
            day = business_date(at)
            while not terms.is_working_day(day):
                day += ONE_DAY
                at, why = start_of(day), why or "holiday"
        if at == before:
            return at, why
    return at, why


def _moved(at: datetime, why: str, to: datetime, reason: str) -> tuple[datetime, str]:
    return (to, why or reason) if to > at else (at, why)


def _clock(instant: datetime) -> time:
    return instant.astimezone(SHANGHAI).time()


def _on(instant: datetime, clock: time) -> datetime:
    return start_of(business_date(instant)) + timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second)


def _outside(at: datetime, begin: time, end: time) -> datetime:
    """The instant itself outside a span of the day (which may lie over midnight), else its end."""
    now = _clock(at)
    inside = begin <= now or now < end if begin > end else begin <= now < end
    if not inside:
        return at
    found = _on(at, end)
    return found if at < found else found + ONE_DAY


def _inside(at: datetime, begin: time, end: time) -> datetime:
    """The instant itself inside a span of the day, else its next beginning."""
    return _outside(at, end, begin)


def _uncapped(way: str, before: Sent, terms: Terms, now: datetime, *, staff: bool = False) -> datetime:
    """When the caps let it go [MS10]: of the last `count` that count, the earliest has left the span."""
    free = now
    if staff:
        return max([_free(before.of_all, cap, now) for cap in terms.staff_caps.get(way, ())], default=now)
    for cap in terms.cls.caps:
        free = max(free, _free(before.of_class, cap, now))
    for cap in terms.way_caps.get(way, ()):
        free = max(free, _free(before.of_all, cap, now))
    return free


def _free(sent: Sequence[datetime], cap: CapTerms, now: datetime) -> datetime:
    counting = sorted(at for at in sent if at > now - cap.span)
    return counting[-cap.count] + cap.span if len(counting) >= cap.count else now
