"""A made-up data folder in the shape of the real one, for machines that do not have that."""

import csv
import gzip
import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

from chassis.clock import month_end

CUSTOMERS, TRADES = 4_000, 60_000
FIRST, DAYS = date(2020, 7, 2), 850


def make_folder(folder: Path, customers: int = CUSTOMERS, trades: int = TRADES) -> Path:
    """Customers, trades and month-end assets, from a seed."""
    folder.mkdir(parents=True)
    chance = random.Random(1)  # noqa: S311 - data, not secrets
    names = [f"{chance.randrange(16**10):010X}" for _ in range(customers)]
    people = (
        (name, "Mass", "Balanced", "CAP_LT30K", str(FIRST), str(FIRST), "made-up", "") for name in names
    )  # fmt: skip
    header = "customer_id,customer_type,risk_level,investment_capacity,last_questionnaire_on,recorded_on,source,quirk"
    _write(folder / "bank_customers.csv.gz", header, people)
    deals = []
    for number in range(trades):
        day = FIRST + timedelta(days=chance.randrange(DAYS))
        amount = f"{chance.randrange(100, 5_000_000) / 100:.2f}"
        deals.append((f"MADE-{number}", chance.choice(names), str(day), "XS0000000001", "buy", amount, "exact", "EUR",
                      "made-up", "10", "Branch", "X", ""))  # fmt: skip
    header = "trade_id,customer_id,traded_on,symbol,side,amount,amount_is,currency,source,units,channel,market,quirk"
    _write(folder / "bank_trades.csv.gz", header, deals)
    ends = sorted({month_end(FIRST + timedelta(days=offset)) for offset in range(0, DAYS, 28)})
    assets = (
        (name, str(end), f"{chance.randrange(100_000, 30_000_000) / 100:.2f}")
        for end in ends
        for name in names[: len(names) // 2]
    )
    _write(folder / "bank_month_end_assets.csv.gz", "customer_id,as_of,total_assets", assets)
    return folder


def _write(path: Path, header: str, rows: Iterable[Sequence[str]]) -> None:
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)
