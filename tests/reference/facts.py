"""The fixed mapping of a data folder to facts.

Choices where the texts are silent:
- `customers` N takes the first N client ids in ascending order; the month ends of the file are those of all rows.
- Two rows with the same client and trade id: the one with the earlier trade date stays, then the earlier row.
- Two month-end rows of one client and date: the later row states the value.
- A client whose only date is the 2000-01-01 placeholder has no date at all: opened 2020-07-01. The placeholder
  is set aside in all three files.
- A month end of the file later than `until` closes no gap: its valuation of 0 is not known yet.
- Two risk levels of one client for one questionnaire date: the later row states it.
- A missing trade or month-end file is an error; only `bank_assets.csv` may be missing.
"""

import csv
import gzip
import io
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from .days import every_day
from .exact import half_up

PLACEHOLDER = date(2000, 1, 1)
FIRST_CLOSE = date(2020, 7, 1)
LAST_CLOSE = date(2022, 11, 30)

FUND_KINDS = {
    "Money Market": "fund:money_market",
    "Bond": "fund:bond",
    "Bonds": "fund:bond",
    "Balanced": "fund:balanced",
    "Equity": "fund:equity",
    "Structured": "fund:structured",
    "Other": "fund:other",
}


@dataclass(frozen=True)
class Trade:
    """One settled trade; commission in hundredths."""

    client_id: str
    trade_id: str
    trade_date: date
    symbol: str
    side: str
    amount: Decimal
    commission: int
    kind: str


@dataclass
class Client:
    """What the files say of one client; trades and valuations in date order."""

    client_id: str
    branch_id: str
    kind: str
    opened_on: date
    trades: list[Trade] = field(default_factory=list)
    valuations: dict[date, Decimal] = field(default_factory=dict)


@dataclass
class Facts:
    """Clients opened up to the last close, ascending by id; the closed days; published risk levels.

    Risk levels are by client and `last_questionnaire_on`, also of clients not opened yet.
    """

    clients: list[Client]
    closes: list[date]
    risk_levels: dict[str, dict[date, str]]


def rows_of(path: Path) -> list[dict[str, str]]:
    """All rows of a CSV file, gzipped or not."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def commission_of(amount: Decimal) -> int:
    """1 per mille of the amount, in hundredths, half up per trade."""
    return int(half_up(amount, Decimal(1000), 2).scaleb(2))


def kinds_of_instruments(folder: Path) -> dict[str, str]:
    """Instrument kind per symbol, from the symbol's last row."""
    path = folder / "bank_assets.csv"
    if not path.exists():
        return {}
    kinds = {}
    for row in rows_of(path):
        if row["category"] == "MTF":
            # A fund type nobody has named is not guessed at.
            kinds[row["symbol"]] = FUND_KINDS.get(row["sub_category"], "unknown")
        else:
            kinds[row["symbol"]] = {"Stock": "stock", "Bond": "bond"}.get(row["category"], "unknown")
    return kinds


def read_facts(folder: Path, until: date | None = None, customers: int | None = None) -> Facts:
    """The facts of a folder up to and including a date, for all or the first so many customers."""
    last = min(until or LAST_CLOSE, LAST_CLOSE)
    customer_rows = rows_of(folder / "bank_customers.csv.gz")
    trade_rows = rows_of(folder / "bank_trades.csv.gz")
    asset_rows = rows_of(folder / "bank_month_end_assets.csv.gz")

    dates: dict[str, set[date]] = {}
    for rows, column in ((customer_rows, "recorded_on"), (trade_rows, "traded_on"), (asset_rows, "as_of")):
        for row in rows:
            seen = dates.setdefault(row["customer_id"], set())
            if row[column]:
                seen.add(date.fromisoformat(row[column]))

    wanted = sorted(dates)[:customers]
    institutions = {row["customer_id"] for row in customer_rows if row["customer_type"] == "Legal Entity"}
    clients = {}
    for client_id in wanted:
        opened_on = min(dates[client_id] - {PLACEHOLDER}, default=FIRST_CLOSE)
        kind = "institution" if client_id in institutions else "individual"
        if opened_on <= last:
            clients[client_id] = Client(client_id, "B" + client_id[0], kind, opened_on)

    kinds = kinds_of_instruments(folder)
    known: set[tuple[str, str]] = set()
    for row in sorted(trade_rows, key=lambda row: row["traded_on"]):
        client = clients.get(row["customer_id"])
        trade_date = date.fromisoformat(row["traded_on"])
        identity = (row["customer_id"], row["trade_id"])
        if client is None or trade_date > last or identity in known:
            continue
        known.add(identity)
        amount = Decimal(row["amount"])
        kind = kinds.get(row["symbol"], "unknown")
        commission = commission_of(amount)
        client.trades.append(Trade(*identity, trade_date, row["symbol"], row["side"], amount, commission, kind))

    add_valuations(clients, asset_rows, last)
    risk_levels: dict[str, dict[date, str]] = {client_id: {} for client_id in wanted}
    for row in customer_rows:
        answered_on = date.fromisoformat(row["last_questionnaire_on"] or PLACEHOLDER.isoformat())
        if row["customer_id"] in risk_levels and answered_on <= last:
            risk_levels[row["customer_id"]][answered_on] = row["risk_level"]
    return Facts(list(clients.values()), every_day(FIRST_CLOSE, last), risk_levels)


def add_valuations(clients: dict[str, Client], asset_rows: list[dict[str, str]], last: date) -> None:
    """Each month-end row, and a 0 at the month end of the file that follows one with a row but has none."""
    month_ends = sorted({date.fromisoformat(row["as_of"]) for row in asset_rows})
    given: dict[str, dict[date, Decimal]] = {}
    for row in asset_rows:
        by_date = given.setdefault(row["customer_id"], {})
        by_date[date.fromisoformat(row["as_of"])] = Decimal(row["total_assets"])
    for client_id, by_date in given.items():
        valued = dict(by_date)
        for month_end, following in pairwise(month_ends):
            if month_end in by_date and following not in by_date:
                valued[following] = Decimal(0)
        if client_id in clients:
            clients[client_id].valuations = {day: valued[day] for day in sorted(valued) if day <= last}
