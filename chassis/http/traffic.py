"""How a service's requests went of late: the numbers of its row in the gateway's status."""

from collections import deque
from dataclasses import dataclass
from time import monotonic

from prometheus_client import Histogram

WINDOW_SECONDS = 300.0
REQUESTS = Histogram(
    "careline_http_seconds",
    "Time to answer a request",
    ["service", "method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


@dataclass(frozen=True, slots=True)
class Recently:
    """Requests a second, share of 5xx answers, and the 95th percentile of the time, in milliseconds."""

    rate: float
    errors: float
    p95_ms: float


class Traffic:
    """The last requests, up to 2,000 of the last five minutes."""

    def __init__(self) -> None:
        self.started = monotonic()
        self._last: deque[tuple[float, float, int]] = deque(maxlen=2000)

    def note(self, seconds: float, status: int) -> None:
        """A request was answered."""
        self._last.append((monotonic(), seconds, status))

    def recently(self) -> Recently:
        """The numbers of the window."""
        now = monotonic()
        while self._last and self._last[0][0] < now - WINDOW_SECONDS:
            self._last.popleft()
        if not self._last:
            return Recently(0.0, 0.0, 0.0)
        full = len(self._last) == self._last.maxlen
        span = now - self._last[0][0] if full else min(WINDOW_SECONDS, now - self.started)
        times = sorted(seconds for _, seconds, _ in self._last)
        failed = sum(status >= 500 for *_, status in self._last)
        return Recently(
            round(len(times) / max(span, 1.0), 3),
            round(failed / len(times), 4),
            round(times[(len(times) * 95 + 99) // 100 - 1] * 1000, 2),
        )
