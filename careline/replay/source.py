"""The fixed mapping of a data folder to facts, in business-date order.

The order does not depend on how far one replays: what is said until an earlier day is a prefix of it, so that "how
many facts are published" is all a later replay needs to know to go on. Facts carry ready JSON, because 215,000 of
them are made in a second or two.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache, lru_cache
from hashlib import sha256
from itertools import pairwise
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import NamedTuple

from careline.replay.files import CsvFile, Days, UnreadableData
from chassis.bus.record import Outgoing, partition_of
from chassis.clock import at, end_of
from contracts import broker
from contracts.base import Event

PLACEHOLDER = date(2000, 1, 1)
FIRST_CLOSE = date(2020, 7, 1)
LAST_CLOSE = date(2022, 11, 30)
SOURCE = "careline/replay"
LONGEST_CHANNEL = 64
ONE_DAY = timedelta(days=1)

CUSTOMERS, TRADES = "bank_customers.csv.gz", "bank_trades.csv.gz"
ASSETS, INSTRUMENTS = "bank_month_end_assets.csv.gz", "bank_assets.csv"
FUNDS = {
    "Money Market": "fund:money_market",
    "Bond": "fund:bond",
    "Bonds": "fund:bond",
    "Balanced": "fund:balanced",
    "Equity": "fund:equity",
    "Structured": "fund:structured",
    "Other": "fund:other",
}
LEVELS = {"Conservative": "VERY_LOW", "Income": "LOW", "Balanced": "MEDIUM", "Aggressive": "HIGH"}
SCHEME = "SEED-2010-12Q"
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_TEN = Decimal("1E1")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fact: its place within a day, its type, and the hour (in Shanghai) its envelope says."""

    label: str
    event: type[Event]
    id_prefix: str
    hour: int


OPENED = Kind("clients opened", broker.ClientOpened, "replay/client/", 9)
ASSESSED = Kind("assessments recorded", broker.AssessmentRecorded, "replay/assessment/", 10)
SETTLED = Kind("trades settled", broker.TradeSettled, "replay/trade/", 15)
VALUED = Kind("assets valued", broker.AssetsValued, "replay/assets/", 20)
RECEIVED = Kind("complaints received", broker.ComplaintReceived, "replay/complaint/", 9)
CLOSED = Kind("days closed", broker.BrokerDayClosed, "replay/day/", 24)
STAFFED = Kind("people entered", broker.StaffChanged, "replay/staff/", 8)
PLACED = Kind("branches entered", broker.BranchChanged, "replay/branch/", 8)
GRANTED = Kind("permissions granted", broker.PermissionGranted, "replay/permission/", 14)
MISSED = Kind("calls missed", broker.CallMissed, "replay/call/", 12)
ENQUIRED = Kind("enquiries received", broker.EnquiryReceived, "replay/enquiry/", 14)
BOOKED = Kind("openings booked", broker.OpeningBooked, "replay/booking/", 16)
ONLY_DEMO = (STAFFED, PLACED, GRANTED, MISSED, ENQUIRED, BOOKED)
KINDS = (*ONLY_DEMO[:2], OPENED, ASSESSED, SETTLED, VALUED, RECEIVED, *ONLY_DEMO[2:], CLOSED)
_OPENED = KINDS.index(OPENED)


class Fact(NamedTuple):
    """A fact ready to be said; facts sort by date, kind and row. `local_id` is unique among the kind's."""

    day: date
    rank: int
    row: int
    key: str
    local_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class DataSet:
    """All facts of a folder, in order, and what tells this set from another."""

    folder: Path
    customers: int | None
    fingerprint: str
    facts: list[Fact]

    @property
    def branches(self) -> set[str]:
        """The branches of the clients in it."""
        return {branch_of(fact.key) for fact in self.facts if fact.rank == _OPENED}

    def through(self, day: date) -> int:
        """How many facts, from the first on, a replay until a day says."""
        low, high = 0, len(self.facts)
        while low < high:
            middle = (low + high) // 2
            if self.facts[middle].day <= day:
                low = middle + 1
            else:
                high = middle
        return low


def branch_of(client_id: str) -> str:
    """The branch a client of the files belongs to: `B` and the first character of the id."""
    return "B" + client_id[0]


def commission_of(amount: Decimal) -> str:
    """1 per mille of an amount, rounded half up to 0.01 (half up to tens, before dividing by 1,000)."""
    hundredths = int(amount.quantize(_TEN, context=_EXACT)) // 10
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def read(folder: Path, customers: int | None, currency: str) -> DataSet:
    """Read and check every file of a folder; nothing is said unless all of it can be.

    `customers`: only the first so many client ids, ascending. Raises: UnreadableData.
    """
    return SourceRead(folder, customers, currency).data_set()


class SourceRead:
    """The work of reading one folder. Whether its files are there is known at once.

    Raises: UnreadableData.
    """

    def __init__(self, folder: Path, customers: int | None, currency: str) -> None:
        if not folder.is_dir():
            raise UnreadableData(f"{folder}: there is no such folder")
        self.folder = folder
        self.limit = customers
        self.currency = currency
        self.days = Days()
        self.files = {name: CsvFile(folder / name) for name in (CUSTOMERS, TRADES, ASSETS)}
        if (folder / INSTRUMENTS).exists():
            self.files[INSTRUMENTS] = CsvFile(folder / INSTRUMENTS)
        self.first_seen: dict[str, date] = {}
        self.institutions: set[str] = set()
        self.levels: dict[tuple[str, date], str] = {}
        self.quoted_clients: dict[str, str] = {}

    def data_set(self) -> DataSet:
        """Read all of it. Raises: UnreadableData."""
        self._customers()
        trades = self._trades()
        values = self._valuations()
        wanted = set(sorted(self.first_seen)[: self.limit])
        facts = [fact for fact in (*trades, *values) if fact.key in wanted]
        facts += self._openings(wanted)
        facts += self._assessments(wanted)
        facts = [fact for fact in facts if fact.day <= LAST_CLOSE]
        facts += closes()
        facts.sort()
        parts = [f"{name} {file.digest}\n" for name, file in sorted(self.files.items())]
        digest = sha256("".join(parts).encode()).hexdigest()
        return DataSet(self.folder, self.limit, f"{digest}/{self.limit or 'all'}", facts)

    def _seen(self, client_id: str, day: date | None) -> None:
        known = self.first_seen.get(client_id)
        if day is None or day == PLACEHOLDER:
            if known is None:
                self.first_seen[client_id] = date.max
        elif known is None or day < known:
            self.first_seen[client_id] = day

    def _client(self, file: CsvFile, client_id: str) -> str:
        """The client id as JSON; checked once."""
        found = self.quoted_clients.get(client_id)
        if found is None:
            found = self.quoted_clients[client_id] = quoted(file.name(client_id, "customer_id"))
        return found

    def _customers(self) -> None:
        file = self.files[CUSTOMERS]
        columns = ("customer_id", "customer_type", "risk_level", "last_questionnaire_on", "recorded_on")
        for client_id, kind, level, answered, recorded in file.rows(*columns):
            self._client(file, client_id)
            self._seen(client_id, self.days.read(file, recorded, "recorded_on") if recorded else None)
            if kind == "Legal Entity":
                self.institutions.add(client_id)
            if answered:
                day = self.days.read(file, answered, "last_questionnaire_on")
                if day != PLACEHOLDER:
                    self.levels[client_id, day] = level  # of two rows for one date the later states it

    def _kinds(self) -> dict[str, str]:
        """Instrument kind by symbol, from the symbol's last row."""
        kinds: dict[str, str] = {}
        if file := self.files.get(INSTRUMENTS):
            for symbol, category, fund in file.rows("symbol", "category", "sub_category"):
                simple = {"Stock": "stock", "Bond": "bond"}.get(category, "unknown")
                kinds[symbol] = FUNDS.get(fund, "unknown") if category == "MTF" else simple
        return kinds

    def _trades(self) -> Iterator[Fact]:
        file, kinds, currency = self.files[TRADES], self._kinds(), quoted(self.currency)
        columns = ("trade_id", "customer_id", "traded_on", "symbol", "side", "amount", "units", "channel")
        rank, facts = KINDS.index(SETTLED), []
        for trade_id, client_id, traded, symbol, side, amount_text, units_text, channel in file.rows(*columns):
            client = self._client(file, client_id)
            day = self.days.read(file, traded, "traded_on")
            amount = file.quantity(amount_text, "amount")
            units = file.quantity(units_text, "units")
            if side not in {"buy", "sell"}:
                raise file.wrong(f"side {side[:20]!r} is neither buy nor sell")
            if len(channel) > LONGEST_CHANNEL:
                raise file.wrong(f"channel has more than {LONGEST_CHANNEL} characters")
            self._seen(client_id, day)
            value = (
                f'{{"trade_id":{quoted(file.name(trade_id, "trade_id"))},"client_id":{client},"account_id":{client},'
                f'"branch_id":{quoted(branch_of(client_id))},"trade_date":"{day}","settled_at":"{_settled_at(day)}",'
                f'"instrument":{{"symbol":{quoted(file.name(symbol, "symbol"))},"kind":"{kinds.get(symbol, "unknown")}"}},'
                f'"side":"{side}","quantity":"{units}","amount":"{amount}","commission":"{commission_of(amount)}",'
                f'"currency":{currency},"channel":{quoted(channel)}}}'
            )
            facts.append(Fact(day, rank, file.line, client_id, f"{client_id}/{trade_id}", value.encode()))
        return iter(facts)

    def _valuations(self) -> Iterator[Fact]:
        """Each row, and 0 at the next month end of the file for a client who has a row at one and none at the next."""
        file = self.files[ASSETS]
        given: defaultdict[date, dict[str, tuple[int, Decimal]]] = defaultdict(dict)
        for client_id, text, total in file.rows("customer_id", "as_of", "total_assets"):
            self._client(file, client_id)
            day = self.days.read(file, text, "as_of")
            self._seen(client_id, day)
            given[day][client_id] = (file.line, file.amount(total, "total_assets"))
        rank, nothing = KINDS.index(VALUED), Decimal(0)
        last_line = file.line
        for before, day in pairwise([date.min, *sorted(given)]):
            gone = sorted(given[before].keys() - given[day].keys()) if before != date.min else []
            ended = ((last_line + n, client_id, nothing) for n, client_id in enumerate(gone, 1))
            rows = ((line, client_id, worth) for client_id, (line, worth) in given[day].items())
            for line, client_id, worth in (*rows, *ended):
                client = self.quoted_clients[client_id]
                value = f'{{"client_id":{client},"as_of":"{day}","total_assets":"{worth}"}}'
                yield Fact(day, rank, line, client_id, f"{client_id}/{day}", value.encode())

    def _openings(self, wanted: set[str]) -> Iterator[Fact]:
        rank = KINDS.index(OPENED)
        for row, client_id in enumerate(sorted(wanted)):
            first = self.first_seen[client_id]
            day = FIRST_CLOSE if first == date.max else first
            kind = "institution" if client_id in self.institutions else "individual"
            value = (
                f'{{"client_id":{self.quoted_clients[client_id]},"branch_id":{quoted(branch_of(client_id))},'
                f'"kind":"{kind}","opened_on":"{day}"}}'
            )
            yield Fact(day, rank, row, client_id, client_id, value.encode())

    def _assessments(self, wanted: set[str]) -> Iterator[Fact]:
        """Published risk levels; a level an algorithm guessed is no assessment."""
        rank = KINDS.index(ASSESSED)
        for row, ((client_id, day), published) in enumerate(sorted(self.levels.items())):
            if client_id in wanted and (level := LEVELS.get(published)):
                value = (
                    f'{{"client_id":{self.quoted_clients[client_id]},"scheme":"{SCHEME}","level":"{level}",'
                    f'"assessed_on":"{day}"}}'
                )
                yield Fact(day, rank, row, client_id, f"{client_id}/{day}", value.encode())


@cache
def _settled_at(day: date) -> str:
    return at(day, 15).isoformat()


def closes() -> Iterator[Fact]:
    """Every calendar day's close, after that day's facts."""
    day, rank = FIRST_CLOSE, KINDS.index(CLOSED)
    while day <= LAST_CLOSE:
        yield Fact(day, rank, 0, "", day.isoformat(), f'{{"business_date":"{day}"}}'.encode())
        day += ONE_DAY


@lru_cache(maxsize=8192)
def _said_at(rank: int, day: date) -> datetime:
    kind = KINDS[rank]
    return end_of(day) if kind is CLOSED else at(day, kind.hour)


def messages(facts: list[Fact], partitions: int) -> Iterator[Outgoing]:
    """Facts as they go onto the log; a day closed goes to every partition of every topic."""
    for day, rank, _, key, local_id, value in facts:
        kind, when = KINDS[rank], _said_at(rank, day)
        event, event_id = kind.event, kind.id_prefix + local_id
        if kind is CLOSED:
            for topic in broker.TOPICS:
                for partition in range(partitions):
                    yield Outgoing(topic, partition, local_id, event.type, event_id, SOURCE, when, value)
        else:
            place = partition_of(key, partitions)
            yield Outgoing(event.topic, place, key, event.type, event_id, SOURCE, when, value)
