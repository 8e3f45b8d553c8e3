"""Changes over HTTP leave a row: a route that names no act of its own leaves one in its own name.

Nothing is to be remembered by a route. Most name their act, the object and its state before and after with `uow.audit`;
what this adds is that none that wrote something goes without, unless it published facts as they came.
"""

from fastapi import Request
from starlette.responses import Response

from chassis.http.reads import OBJECTS
from chassis.uow import UnitOfWork

SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_WORK = "careline.work"


def note_work(request: Request, uow: UnitOfWork) -> None:
    """The unit of work a request changes something in."""
    request.scope[_WORK] = uow


async def record_change(request: Request, response: Response) -> None:
    """Leave the row of a change that has none yet; called before the commit."""
    uow: UnitOfWork | None = request.scope.get(_WORK)
    if uow is None or request.method in SAFE or response.status_code >= 400 or uow.is_on_record:
        return
    if not await uow.sql.fetchval("SELECT pg_current_xact_id_if_assigned() IS NOT NULL"):
        return  # nothing was written
    named = {name: str(value) for name, value in request.path_params.items()}
    subject = next((f"{OBJECTS[name]}/{value}" for name, value in named.items() if name in OBJECTS), request.url.path)
    uow.audit(request.scope["route"].name, subject, key=named.get("client_id"), path=request.url.path, **named)
