"""What both FastStream peers share: the trade as pydantic reads it, the rule, and the end of a run."""

import asyncio
import time
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from pydantic import BaseModel

from bench.lanes.lane import LaneResult, Task, Watch
from chassis.clock import month_end, months_after

PATIENCE_SECONDS = 180


class TradeSettled(BaseModel):
    """Only what the peer needs; pydantic ignores the rest, as it does by default."""

    trade_id: str
    client_id: str
    trade_date: date
    commission: Decimal


NAMESPACE = UUID("0b9d7a3c-6a2f-4f0e-8f0a-6d6f6f1f2a10")
TYPE, SOURCE = "points.entry.posted", "peer"


def entry_of(trade: TradeSettled, cause: str) -> dict[str, Any]:
    """The entry, with the facts that ours keeps: both accounts, the lot's end, what the points were computed from."""
    return {
        "entry_id": uuid5(NAMESPACE, f"{trade.client_id}/{trade.trade_id}"),
        "client_id": trade.client_id,
        "trade_id": trade.trade_id,
        "kind": "accrued",
        "debit_account": "sys:issued:commission",
        "credit_account": f"cust:{trade.client_id}:available",
        "points": points_for(trade.commission),
        "expires_on": expiry_of(trade.trade_date),
        "commission": str(trade.commission),
        "tier": "NORMAL",
        "multiplier": 100,
        "trade_date": trade.trade_date,
        "policy": "peer/1",
        "posted_on": trade.trade_date,
        "cause": cause,
    }


def told_of(entry: dict[str, Any], at: datetime) -> dict[str, Any]:
    """The outbox row of an entry."""
    data = PointsPosted(
        entry_id=str(entry["entry_id"]),
        client_id=entry["client_id"],
        kind="accrued",
        points=str(Decimal(entry["points"]).scaleb(-2)),
        posted_on=entry["posted_on"],
        trade_id=entry["trade_id"],
    )
    return {
        "key": entry["client_id"],
        "type": TYPE,
        "event_id": f"{TYPE}/{data.entry_id}",
        "source": SOURCE,
        "time": at,
        "payload": data.model_dump_json(),
    }


class PointsPosted(BaseModel):
    """What is told of an entry."""

    entry_id: str
    client_id: str
    kind: str
    points: str
    posted_on: date
    trade_id: str


@lru_cache(maxsize=4096)
def expiry_of(day: date) -> date:
    """The end of the lot's month."""
    return month_end(months_after(day, 36))


def points_for(commission: Decimal) -> int:
    """Points in hundredths, rounded half up."""
    return int((commission * 100).to_integral_value(ROUND_HALF_UP))


def database_url(task: Task) -> str:
    """The same database, for SQLAlchemy."""
    return task.database_url.replace("postgresql://", "postgresql+asyncpg://", 1)


class Counting:
    """Measures from the first message handed over until the wanted number is committed."""

    def __init__(self, task: Task, watch: Watch) -> None:
        self.wanted = task.events
        self.watch = watch
        self.outcome = LaneResult()
        self.finished = asyncio.Event()
        self.begun = False

    def begin(self) -> None:
        """A handler was called."""
        if not self.begun:
            self.begun = True
            self.watch.start()

    def committed(self, events: int) -> None:
        """So many more are committed."""
        self.outcome.events += events
        if self.outcome.events >= self.wanted and not self.finished.is_set():
            self.watch.stop(self.outcome)
            self.finished.set()

    async def wait(self) -> LaneResult:
        """Until all are committed. Raises: TimeoutError."""
        began = time.monotonic()
        try:
            await asyncio.wait_for(self.finished.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            took = time.monotonic() - began
            raise TimeoutError(f"{self.outcome.events} of {self.wanted} after {took:.0f} s") from None
        return self.outcome
