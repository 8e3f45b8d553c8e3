"""Per-caller rate limits: a token bucket each, in this process."""

import asyncio
import ipaddress
from time import monotonic

from chassis.errors import TooManyRequests

FORGET_AFTER_SECONDS = 60.0
REFUSAL_SECONDS = 1.0


class Buckets:
    """One bucket a caller: `rate` requests a second, bursts of `burst`."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._buckets: dict[str, tuple[float, float]] = {}
        self._swept = monotonic()

    def take(self, caller: str) -> None:
        """Let one request of the caller through.

        Raises: TooManyRequests, with the seconds after which one will pass.
        """
        now = monotonic()
        left, at = self._buckets.get(caller, (self.burst, now))
        left = min(self.burst, left + (now - at) * self.rate)
        if left < 1:
            raise TooManyRequests(retry_after=max(1, round((1 - left) / self.rate)))
        self._buckets[caller] = (left - 1, now)
        if now - self._swept > FORGET_AFTER_SECONDS:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        full = self.burst / self.rate
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if now - bucket[1] < full}
        self._swept = now


class Strangers:
    """Requests of callers that name nobody, or nobody we know: a bucket for each address.

    Whoever is too fast waits for the refusal, so that asking again and again costs us little.
    """

    def __init__(self, rate: float) -> None:
        self.buckets = Buckets(rate, rate * 4)

    async def take(self, address: str) -> None:
        """Let one request of an address through.

        Raises: TooManyRequests, after a while.
        """
        try:
            self.buckets.take(network_of(address))
        except TooManyRequests:
            await asyncio.sleep(REFUSAL_SECONDS)
            raise


def network_of(address: str) -> str:
    """What one caller has of addresses: one of IPv4, but the 2^64 of a network of IPv6."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((known, 64), strict=False)) if known.version == 6 else address


class Attempts:
    """Tries to sign in: few at one name from one address, more from one address at all names.

    Never few at a name from everywhere: whoever knows a name could lock its owner out.
    """

    def __init__(self) -> None:
        self.at_name = Buckets(rate=0.5, burst=10)
        self.from_address = Buckets(rate=5, burst=100)

    def take(self, address: str, name: str = "") -> None:
        """Let one try through.

        Raises: TooManyRequests.
        """
        network = network_of(address)
        self.at_name.take(f"{network} {name}")
        self.from_address.take(network)
