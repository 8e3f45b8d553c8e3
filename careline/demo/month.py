"""What happens in the demo: two thousand clients, opened over two years, and a month of their business. Always the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from pathlib import Path
from random import Random

from careline.demo import names, people
from careline.replay.source import (
    ASSESSED,
    BOOKED,
    CLOSED,
    ENQUIRED,
    GRANTED,
    KINDS,
    MISSED,
    OPENED,
    PLACED,
    RECEIVED,
    SETTLED,
    STAFFED,
    VALUED,
    DataSet,
    Fact,
    Kind,
)
from chassis.calendar import shipped
from chassis.clock import at
from contracts import broker
from contracts.base import Amount, Event, Quantity, encode

FIRST, LAST = date(2026, 5, 31), date(2026, 6, 30)
"""The month before it is closed too, so that classes and tiers are there from its first day on."""
CLIENTS = 2_000
DAY = timedelta(days=1)
CENT = Decimal("0.01")
INSTRUMENTS = (
    ("600001", "stock"),
    ("600002", "stock"),
    ("300003", "stock"),
    ("510004", "fund:equity"),
    ("010005", "bond"),
)
LEVELS = ("VERY_LOW", "LOW", "MEDIUM", "HIGH")
PERMISSIONS = ("ChiNext", "margin", "options")
CATEGORIES = ("交易系统", "佣金收费", "服务态度", "业务办理", "产品")
CHANNELS = ("hotline", "branch_phone", "on_site", "web_form", "app")
WORDS = ("软件在开盘时无法登录", "佣金比承诺的高", "等了一个小时没人接待", "销户办理太慢", "产品净值与宣传不符")
SUBJECTS = ("如何开通创业板", "转托管需要什么材料", "查询佣金标准", "新股中签后何时缴款")


@dataclass(frozen=True, slots=True)
class Client:
    """A made-up client."""

    client_id: str
    branch: str
    manager: str | None
    opened_on: date
    born: date
    worth: Decimal
    trades: bool


@dataclass(frozen=True, slots=True)
class Demo(DataSet):
    """All facts of the demo, and its clients."""

    clients: tuple[Client, ...]

    @property
    def branches(self) -> set[str]:
        """None beyond headquarters: the demo names its people itself."""
        return set()


def demo(home: Path, number_of_clients: int = CLIENTS) -> Demo:
    """The demo as a data set of its own: a home that has begun it goes on where it was."""
    draw = Random(20260630)  # noqa: S311 - the same for everybody
    rows = count()
    facts: list[Fact] = []

    def add(kind: Kind, day: date, event: Event, local_id: str) -> None:
        facts.append(Fact(day, KINDS.index(kind), next(rows), event.key, local_id, encode(event)))

    beginning = date(2024, 5, 1)
    for entered in people.staff(draw, date(2026, 6, 17)):
        add(STAFFED if isinstance(entered, broker.StaffChanged) else PLACED, beginning, entered, entered.key)
    clients = [_client(draw, number) for number in range(1, number_of_clients + 1)]
    for number, one in enumerate(clients, 1):
        add(OPENED, one.opened_on, _opened(draw, one, number), one.client_id)
        for kind, day, event, local_id in _of_client(draw, one):
            add(kind, day, event, local_id)
    for kind, day, event, local_id in _of_branches(draw, clients):
        add(kind, day, event, local_id)
    for day in _days():
        facts.append(Fact(day, KINDS.index(CLOSED), 0, "", day.isoformat(), f'{{"business_date":"{day}"}}'.encode()))
    return Demo(home, None, f"demo/1/{number_of_clients}", sorted(facts), tuple(clients))


def _days() -> list[date]:
    return [FIRST + DAY * n for n in range((LAST - FIRST).days + 1)]


def _client(draw: Random, number: int) -> Client:
    branch = draw.choices(("B1", "B2", "B3"), (5, 3, 2))[0]
    new = draw.random() < 0.03
    opened = FIRST + DAY * draw.randrange(1, 28) if new else date(2024, 6, 1) + DAY * draw.randrange(0, 700)
    worth = Decimal(round(draw.lognormvariate(11.2, 1.4))) + Decimal(draw.randrange(100)) / 100
    manager = draw.choice(people.managers_of(branch)) if draw.random() < 0.93 else None
    born = date(1940, 1, 1) + DAY * draw.randrange(0, 23_000)
    return Client(f"D{number:05}", branch, manager, opened, born, worth, draw.random() < 0.35)


def _opened(draw: Random, one: Client, number: int) -> Event:
    female = draw.random() < 0.5
    return broker.ClientOpened(
        client_id=one.client_id, branch_id=one.branch, manager_id=one.manager, opener_id=f"{one.branch}-counter-1",
        opened_on=one.opened_on, kind="individual" if draw.random() < 0.97 else "institution", account_status="normal",
        experience_years=draw.randrange(0, 20), birth_date=one.born, name=names.name_of(draw), phone=names.mobile(number),
        email=f"d{number:05}@example.com", id_number=names.id_number(one.born, number, female=female),
        address=names.address(draw),
    )  # fmt: skip


def _of_client(draw: Random, one: Client) -> Iterator[tuple[Kind, date, Event, str]]:
    """Assessment, permissions, assets at each week's end, trades."""
    name, first = one.client_id, max(one.opened_on, FIRST)
    if draw.random() < 0.8:
        day = max(one.opened_on, LAST - DAY * draw.randrange(0, 730))
        level = draw.choices(LEVELS, (1, 3, 4, 2))[0]
        event = broker.AssessmentRecorded(client_id=name, scheme="SEED-2010-12Q", level=level, assessed_on=day)
        yield ASSESSED, day, event, f"{name}/{day}"
    for permission in PERMISSIONS:
        if draw.random() < 0.12:
            granted = broker.PermissionGranted(client_id=name, permission=permission, at=at(one.opened_on, 14))
            yield GRANTED, one.opened_on, granted, f"{name}/{permission}"
    for day in (FIRST, date(2026, 6, 7), date(2026, 6, 14), date(2026, 6, 21), LAST):
        if day >= first:
            total = _cents(one.worth * Decimal(draw.randrange(92, 109)) / 100)
            cash = _cents(total * draw.randrange(2, 40) / 100)
            valued = broker.AssetsValued(
                client_id=name,
                as_of=day,
                total_assets=Amount(total),
                cash=Amount(cash),
                market_value=Amount(total - cash),
            )
            yield VALUED, day, valued, f"{name}/{day}"
    for number in range(draw.randrange(1, 9) if one.trades else 0):
        day = first + DAY * draw.randrange(0, (LAST - first).days + 1)
        if shipped().is_trading_day(day):
            yield SETTLED, day, _trade(draw, one, day, number), f"{name}/{number}"


def _trade(draw: Random, one: Client, day: date, number: int) -> Event:
    symbol, kind = draw.choice(INSTRUMENTS)
    amount = _cents(one.worth * draw.randrange(1, 30) / 100)
    return broker.TradeSettled(
        trade_id=f"{one.client_id}-{number}", client_id=one.client_id, account_id=f"A{one.client_id}", branch_id=one.branch,
        trade_date=day, settled_at=at(day, 15), instrument=broker.Instrument(symbol=symbol, kind=kind),
        side=draw.choice(("buy", "sell")), quantity=Quantity(100 * draw.randrange(1, 50)), amount=Quantity(amount),
        commission=Quantity(_cents(amount / 1000)), currency="CNY", channel=draw.choice(("app", "terminal", "phone")),
    )  # fmt: skip


def _of_branches(draw: Random, clients: list[Client]) -> Iterator[tuple[Kind, date, Event, str]]:
    """Complaints, missed calls, enquiries and bookings."""
    there = [one for one in clients if one.opened_on < FIRST]
    for number in range(1, 25):
        one, day = draw.choice(there), FIRST + DAY * draw.randrange(1, 30)
        which = draw.randrange(len(WORDS))
        yield RECEIVED, day, broker.ComplaintReceived(
            system="demo", external_ref=f"C{number:03}", client_id=one.client_id, branch_id=one.branch,
            received_at=at(day, 9, draw.randrange(60)), channel=draw.choice(CHANNELS),  # type: ignore[arg-type]
            category=CATEGORIES[which], words=WORDS[which], imported=False,
        ), f"{number}"  # fmt: skip
    for number in range(1, 31):
        one, day = draw.choice(there), FIRST + DAY * draw.randrange(1, 30)
        missed = broker.CallMissed(
            call_id=f"K{number:03}", client_id=one.client_id, branch_id=one.branch, phone=names.mobile(90_000_000 + number),
            at=at(day, 11, draw.randrange(60)),
        )  # fmt: skip
        yield MISSED, day, missed, f"{number}"
        enquiry = broker.EnquiryReceived(
            enquiry_id=f"Q{number:03}", client_id=one.client_id, branch_id=one.branch, subject=draw.choice(SUBJECTS),
            at=at(day, 13, draw.randrange(60)),
        )  # fmt: skip
        yield ENQUIRED, day, enquiry, f"{number}"
    for number in range(1, 16):
        branch, day = draw.choice(sorted(people.BRANCHES)), FIRST + DAY * draw.randrange(1, 30)
        booked = broker.OpeningBooked(
            booking_id=f"O{number:03}", branch_id=branch, owner=draw.choice(people.managers_of(branch)),
            name=names.name_of(draw), phone=names.mobile(80_000_000 + number), at=at(day, 16),
        )  # fmt: skip
        yield BOOKED, day, booked, f"{number}"


def _cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)
