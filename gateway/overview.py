"""`GET /v1/status`: every service's row, asked for at once; one that does not answer is shown as down."""

from typing import Any

from chassis.actor import Actor, Role
from chassis.version import version
from gateway.service_client import Part, ServiceClient

# The gateway asks in its own name: staff who may see the status need no right to each service's operations.
ASKING = Actor("gateway", Role.OPERATIONS)


async def overview(services: ServiceClient) -> dict[str, Any]:
    """State, version and the services' rows; `state` is the worst of them."""
    wanted = {name: (name, f"/v1/{name}/operations/status") for name in services.transports}
    rows = [_row(name, part) for name, part in (await services.get_all(wanted, ASKING)).items()]
    states = {row["state"] for row in rows}
    return {
        "state": next((state for state in ("down", "failing") if state in states), "up"),
        "version": version(),
        "services": sorted(rows, key=lambda row: row["service"]),
    }


def _row(name: str, part: Part) -> dict[str, Any]:
    if part.found:
        return dict(part.data)
    return {"service": name, "state": "down", "problem": part.problem or {"status": part.status}}
