"""What both FastStream peers share: the trade as pydantic reads it, the rule, and the end of a run."""

import asyncio
import time
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from pydantic import BaseModel

from bench.lanes.lane import Outcome, Task, Watch

PATIENCE_SECONDS = 180


class TradeSettled(BaseModel):
    """Only what the peer needs; pydantic ignores the rest, as it does by default."""

    trade_id: str
    client_id: str
    trade_date: date
    commission: Decimal


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
        self.outcome = Outcome()
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

    async def wait(self) -> Outcome:
        """Until all are committed. Raises: TimeoutError."""
        began = time.monotonic()
        try:
            await asyncio.wait_for(self.finished.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            took = time.monotonic() - began
            raise TimeoutError(f"{self.outcome.events} of {self.wanted} after {took:.0f} s") from None
        return self.outcome
