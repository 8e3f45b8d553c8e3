"""Everything the services know about one client, on one page: class, tier, points, and how each came about."""

from typing import Any
from urllib.parse import quote

from chassis.actor import Actor
from chassis.errors import NotFound, Unavailable
from chassis.objections import ViewingObjected
from gateway.service_client import Part, ServiceClient
from gateway.transport import Headers

OBJECTED = ViewingObjected.name()


async def client_view(services: ServiceClient, actor: Actor, client_id: str, passed: Headers) -> dict[str, Any]:
    """The parts side by side; a part whose service does not answer says so, and the rest is shown.

    Raises: ViewingObjected when the client objects to it; NotFound when no service knows the client (or the caller may not see
    them); Unavailable when none answers.
    """
    name = quote(client_id, safe="")
    wanted = {
        part: (service, f"/v1/{service}/clients/{name}{rest}")
        for part, (service, rest) in services.client_parts.items()
    }
    parts = await services.get_all(wanted, actor, passed=passed)
    if not any(part.found for part in parts.values()):
        if any(part.status == 403 and OBJECTED in str((part.problem or {}).get("type")) for part in parts.values()):
            raise ViewingObjected
        if any(part.status >= 500 for part in parts.values()):
            raise Unavailable(retry_after=1)
        raise NotFound
    known = parts["classification"].data if "classification" in parts and parts["classification"].found else {}
    view: dict[str, Any] = {"client_id": client_id}
    for member in ("branch_id", "class", "tier"):
        if member in known:
            view[member] = known[member]
    view |= {part: _shown(answer) for part, answer in parts.items() if answer.found or answer.status != 404}
    view["unavailable"] = sorted(part for part, answer in parts.items() if answer.status >= 500)
    view["links"] = _links(name, services, parts)
    return view


def _shown(part: Part) -> Any:
    return part.data if part.found else {"available": False, "status": part.status, "problem": part.problem}


def _links(name: str, services: ServiceClient, parts: dict[str, Part]) -> dict[str, str]:
    links = {"self": f"/v1/clients/{name}"}
    for part in parts:
        service, rest = services.client_parts[part]
        links[part] = f"/v1/{service}/clients/{name}{rest.partition('?')[0]}"
    if "points" in parts:
        links["points_entry_explained"] = f"/v1/points/clients/{name}/entries/{{entry}}/explain"
    return links
