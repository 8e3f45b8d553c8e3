"""`GET /v1/status`: every service's row, asked for at once; one that does not answer is shown as down."""

from collections import deque
from time import time
from typing import Any

from chassis.actor import Actor, Role
from chassis.version import version
from gateway.service_client import Part, ServiceClient

# The gateway asks in its own name: staff who may see the status need no right to each service's operations.
ASKING = Actor("gateway", Role.OPERATIONS)


class Trend:
    """How far behind each service was, as the gateway saw it: at most one sample in ten seconds, the last of six hours or more."""

    EVERY_SECONDS, KEPT = 10.0, 2160

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[str, tuple[int, float]]]] = deque(maxlen=self.KEPT)

    def note(self, rows: list[dict[str, Any]], at: float) -> None:
        """Keep a sample, unless there is one of just now; a service that is down has none."""
        if not self._samples or at - self._samples[-1][0] >= self.EVERY_SECONDS:
            up = [row for row in rows if row["state"] != "down"]
            self._samples.append((at, {row["service"]: (row["lag_records"], row["lag_seconds"]) for row in up}))

    def told(self) -> dict[str, Any]:
        """Instants (seconds of the epoch), and of each service records and seconds at them."""
        names = sorted({name for _, of in self._samples for name in of})
        return {
            "at": [at for at, _ in self._samples],
            "services": {
                name: {
                    "records": [of[name][0] if name in of else None for _, of in self._samples],
                    "seconds": [of[name][1] if name in of else None for _, of in self._samples],
                }
                for name in names
            },
        }


async def overview(services: ServiceClient) -> dict[str, Any]:
    """State, version and the services' rows; `state` is the worst of them."""
    wanted = {name: (name, f"/v1/{name}/operations/status") for name in services.transports}
    rows = [_row(name, part) for name, part in (await services.get_all(wanted, ASKING)).items()]
    states = {row["state"] for row in rows}
    trend_of(services).note(rows, time())
    return {
        "state": next((state for state in ("down", "failing") if state in states), "up"),
        "version": version(),
        "services": sorted(rows, key=lambda row: row["service"]),
    }


def trend_of(services: ServiceClient) -> Trend:
    """The trend of these services."""
    if services.trend is None:
        services.trend = Trend()
    trend: Trend = services.trend
    return trend


def _row(name: str, part: Part) -> dict[str, Any]:
    if part.found:
        return dict(part.data)
    return {"service": name, "state": "down", "problem": part.problem or {"status": part.status}}
