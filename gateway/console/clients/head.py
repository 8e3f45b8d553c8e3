"""What the pages of one client share: their tabs, for whom they are, and what is shown of somebody nobody knows."""

from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import Request
from starlette.responses import Response

from chassis.actor import Actor
from contracts.fields import text_of
from gateway.console.areas import STAFF
from gateway.console.frame import visitors
from gateway.console.render import render
from gateway.service_client import Part

Serving = Annotated[Actor, visitors("console.clients:read", *STAFF)]
Purpose = Annotated[str, text_of(200)]


class Tab(NamedTuple):
    """A page of a client: what follows their address, and what it is called."""

    path: str
    title: str


TABS = (
    Tab("", "Overview"),
    Tab("timeline", "Timeline"),
    Tab("standing", "Class and tier"),
    Tab("points", "Points"),
    Tab("suitability", "Suitability"),
    Tab("products", "Products"),
    Tab("information", "Information"),
    Tab("team", "Team"),
    Tab("messages", "Messages"),
)


def address(client: str, tab: str = "", **query: str) -> str:
    """A page of a client."""
    place = f"/clients/{quote(client, safe='')}" + (f"/{tab}" if tab else "")
    said = urlencode({name: value for name, value in query.items() if value})
    return f"{place}?{said}" if said else place


def place_of(client: str, purpose: str, tab: str) -> dict[str, Any]:
    """What the head of a client's page is made from."""
    tabs = [(one.title, address(client, one.path, purpose=purpose), one.path == tab) for one in TABS]
    return {"client": client, "purpose": purpose, "tabs": tabs}


def no_client(request: Request, part: Part) -> Response:
    """Nobody of that number, or nobody the visitor may see."""
    page = render(request, "problem_here.html", part=part, back="/clients")
    page.status_code = part.status
    return page
