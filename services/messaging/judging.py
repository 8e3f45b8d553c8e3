"""Many messages judged at once: a few questions gather what is known of all of them, the pure rule judges each [MS4 to MS10].

Whatever goes in this turn counts for the caps of what is judged after it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from chassis import calendars
from chassis.calendar import Calendar
from chassis.calendar.errors import CalendarBegins, CalendarEnds
from chassis.clock import business_date
from chassis.uow import UnitOfWork
from services.messaging import contacts, registrations
from services.messaging.policy import Filings, Policies, Sending, Template
from services.messaging.rules import Asked, Recipient, Sent, Terms, Verdict, judge
from services.messaging.settings import connected
from services.messaging.tables import MessageRow

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of recipients: who they are, by key (`client` or `staff:ID`), and the language they read."""

    recipients: Mapping[str, Recipient]
    languages: Mapping[str, str]


async def judge_many(uow: UnitOfWork, rows: Sequence[MessageRow], now: datetime) -> dict[UUID, Verdict]:
    """A verdict on each message, in the order given; the policy is that of the moment."""
    policies, calendar = await uow.policies(Policies), await uow.cached(calendars.current)
    day = business_date(now)
    sending, filings = policies.sending.on(day).body, policies.filings.on(day).body
    kinds = policies.templates.on(day).body.kinds
    known, choices = await recipients(uow, rows, now), await _choices(uow, rows, now)
    sent = await _sent(uow, known, sending, now - sending.longest_cap)
    linked = connected()
    optional = [row.message_id for row in rows if _is_optional(sending, row)]
    granted = await contacts.decided(uow.sql, optional, now) if optional else {}
    waited = await contacts.waited_for(uow.sql, optional, now, sending.contact_wait_minutes) if optional else {}
    terms = {name: _terms(sending, name, calendar) for name in {row.message_class for row in rows}}
    found = {}
    for row in rows:
        key = row.client_id or f"staff:{row.staff_id}"
        who = choices.applied(known.recipients[key], key, row.message_class)
        ways = among(ways_of(row.kind, kinds.get(row.kind), filings, linked), row.channels, sending)
        ways = another_first(ways, row, sending)
        template = kinds.get(row.kind)
        needs = template.needs if template else ()
        asked = Asked(
            row.message_class, ways, row.not_before, row.not_after, row.required, row.shock, needs,
            granted.get(row.message_id), waited.get(row.message_id),
        )  # fmt: skip
        own = terms[row.message_class]
        before = {token: sent[token].of(row.message_class) for token in who.addresses.values() if token in sent}
        verdict = judge(asked, who, before, own, now)
        if verdict.way is not None:
            sent[who.addresses[own.channels[verdict.way]]].add(now, row.message_class, _is_optional(sending, row))
        found[row.message_id] = verdict
    return found


def ways_of(kind: str, template: Template | None, filings: Filings, linked: Collection[str]) -> list[str] | None:
    """The ways a template takes that are linked here and have what they need registered [MS5, MS6]; None without one."""
    if template is None:
        return None
    return [
        way for way in template.ways
        if way in linked and (way not in ("own", "cloud") or filings.signature(way)) and filings.allows(kind, way)
    ]  # fmt: skip


def among(ways: list[str] | None, channels: str, sending: Sending) -> list[str] | None:
    """Of some ways those that lead to the channels a message may go by, in their order; all where it does not say."""
    if ways is None or not channels:
        return ways
    wanted = channels.split(",")
    found = [way for way in ways if sending.ways[way].channel in wanted]
    return sorted(found, key=lambda way: wanted.index(sending.ways[way].channel))


def another_first(ways: list[str] | None, row: MessageRow, sending: Sending) -> list[str] | None:
    """After each try in vain the next provider of the same channel comes first, where the class has several [MS13]."""
    if not ways or not row.tries or not sending.classes[row.message_class].second_provider:
        return ways
    same = [way for way in ways if sending.ways[way].channel == row.channel]
    if not same:
        return ways
    first = row.tries % len(same)
    turned = iter(same[first:] + same[:first])
    return [next(turned) if way in same else way for way in ways]


def _terms(sending: Sending, message_class: str, calendar: Calendar) -> Terms:
    return Terms(
        sending.classes[message_class],
        sending.quiet_hours,
        sending.marketing_span,
        sending.optional,
        timedelta(minutes=sending.unknown_client_minutes),
        {name: way.channel for name, way in sending.ways.items()},
        lambda day: _is_working(calendar, day),
        {name: way.caps for name, way in sending.ways.items()},
        {name: way.staff_caps for name, way in sending.ways.items()},
    )


def _is_working(calendar: Calendar, day: date) -> bool:
    try:
        return calendar.is_working_day(day)
    except (CalendarBegins, CalendarEnds):  # beyond the published calendar: by the week alone
        return day.weekday() < SATURDAY


def _is_optional(sending: Sending, row: MessageRow) -> bool:
    return sending.classes[row.message_class].optional and not row.required


class _Went:
    """What went to one address, by class; judged in one turn, it grows as messages go."""

    def __init__(self) -> None:
        self.by_class: defaultdict[str, list[datetime]] = defaultdict(list)
        self.optional: list[datetime] = []
        self.all: list[datetime] = []

    def add(self, at: datetime, message_class: str, optional: bool) -> None:
        self.by_class[message_class].append(at)
        self.all.append(at)
        if optional:
            self.optional.append(at)

    def of(self, message_class: str) -> Sent:
        return Sent(self.by_class.get(message_class, ()), self.optional, self.all)


async def _sent(uow: UnitOfWork, known: Known, sending: Sending, since: datetime) -> defaultdict[str, _Went]:
    tokens = {token for who in known.recipients.values() for token in who.addresses.values()}
    found: defaultdict[str, _Went] = defaultdict(_Went)
    for token, message_class, required, at in await uow.sql.fetch(
        """SELECT address_token, message_class, required, handed_at FROM messages
           WHERE address_token = ANY($1::text[]) AND handed_at > $2 AND merged_into IS NULL""",
        sorted(tokens),
        since,
    ):
        found[token].add(at, message_class, sending.classes[message_class].optional and not required)
    return found


async def recipients(uow: UnitOfWork, rows: Sequence[MessageRow], now: datetime) -> Known:
    """Whom messages are for: their addresses by channel, what of it works, what they chose."""
    clients = sorted({row.client_id for row in rows if row.client_id is not None})
    people: dict[str, Recipient] = dict.fromkeys(clients, Recipient(known=False))
    languages: dict[str, str] = {}
    for (
        client_id,
        closed_on,
        manager_id,
        phone,
        email,
        wecom,
        language,
        refused,
        hours_from,
        hours_until,
        failed,
    ) in await uow.sql.fetch(
        """SELECT c.client_id, c.closed_on, c.manager_id, c.phone_token, c.email_token, w.token, p.language, p.refused, p.hours_from,
                  p.hours_until,
                  array(SELECT f.channel FROM failed_addresses f
                        WHERE (f.channel = 'sms' AND f.token = c.phone_token)
                           OR (f.channel = 'email' AND f.token = c.email_token)
                           OR (f.channel = 'wecom' AND f.token = w.token))
           FROM clients c LEFT JOIN preferences p USING (client_id) LEFT JOIN wecom_contacts w USING (client_id) WHERE c.client_id = ANY($1::text[])""",
        clients,
    ):
        addresses = {"sms": phone, "email": email, "wecom": wecom, "app": f"app:{client_id}"}
        people[client_id] = Recipient(
            recorded=("manager",) if manager_id else (),
            closed=closed_on is not None and closed_on <= business_date(now),
            addresses={channel: token for channel, token in addresses.items() if token},
            failed=failed,
            refused=refused or (),
            hours=(hours_from, hours_until) if hours_from is not None else None,
        )
        languages[client_id] = language or "zh-CN"
    staff = sorted({row.staff_id for row in rows if row.staff_id is not None})
    registered = await registrations.of_staff(uow.sql, staff) if staff else []
    for staff_id in staff:
        own = {one.channel: one.token for one in registered if one.staff_id == staff_id}
        addresses = {"app": f"app:staff:{staff_id}"} | own
        people[f"staff:{staff_id}"] = Recipient(addresses=addresses, recorded=("manager",), consented=True, staff=True)
    return Known(people, languages)


class _Choices:
    """Consents and opt-outs as they are in force, of clients and of numbers [MS7, MS8]."""

    def __init__(self) -> None:
        self.clients: dict[tuple[str, str], dict[str, tuple[datetime, bool]]] = {}
        self.numbers: dict[tuple[str, str], datetime] = {}

    def applied(self, who: Recipient, key: str, message_class: str) -> Recipient:
        if key.startswith("staff:"):
            return who  # at work
        own = self.clients.get((key, message_class), {})
        agreed_at, agreed = own.get("*", (None, None))
        number = who.addresses.get("sms")
        stopped_at = self.numbers.get((number, message_class)) if number else None
        return replace(
            who,
            consented=bool(agreed),
            stopped=[channel for channel, (_, allowed) in own.items() if not allowed],
            # Who agrees anew after a reply has taken the number's opt-out back.
            number_stopped=stopped_at is not None and not (agreed and agreed_at is not None and agreed_at > stopped_at),
        )


async def _choices(uow: UnitOfWork, rows: Sequence[MessageRow], now: datetime) -> _Choices:
    found = _Choices()
    clients = sorted({row.client_id for row in rows if row.client_id is not None})
    classes = sorted({row.message_class for row in rows})
    for client_id, message_class, channel, since, allowed in await uow.sql.fetch(
        """SELECT DISTINCT ON (client_id, message_class, channel) client_id, message_class, coalesce(channel, '*'),
                  since, allowed
           FROM consents WHERE client_id = ANY($1::text[]) AND message_class = ANY($2::text[]) AND since <= $3
           ORDER BY client_id, message_class, channel, since DESC, consent_id DESC""",
        clients,
        classes,
        now,
    ):
        found.clients.setdefault((client_id, message_class), {})[channel] = (since, allowed)
    for number, message_class, since in await uow.sql.fetch(
        """SELECT k.number, k.message_class, max(k.since) FROM consents k
           JOIN clients c ON c.phone_token = k.number
           WHERE c.client_id = ANY($1::text[]) AND k.message_class = ANY($2::text[]) AND k.since <= $3 AND NOT k.allowed
           GROUP BY 1, 2""",
        clients,
        classes,
        now,
    ):
        found.numbers[number, message_class] = since
    return found
