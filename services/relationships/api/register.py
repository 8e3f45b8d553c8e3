"""The register of annex 4 over HTTP, as of a day [CI13]."""

from typing import Annotated

from fastapi import Response

from chassis.actor import Actor
from chassis.http import Purpose, Work, gives, permits, registers, router
from chassis.personal.reading import reveal
from chassis.timeline import today
from contracts.annex4 import COLUMNS
from contracts.fields import BusinessDate, Identifier
from services.relationships import register
from services.relationships.api.shapes import STAFF, see_person

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.register:read", *STAFF)]


@routes.get("/managers/{person}/register", response_class=Response, responses=gives(registers.XLSX, registers.CSV))
async def print_register(
    actor: Reader,
    uow: Work,
    purpose: Purpose,
    person: Identifier,
    as_of: BusinessDate | None = None,
    format: registers.Format = "xlsx",
) -> Response:
    """A manager's clients (客户分类汇总表; 2,000 at most) by the first letter of their names. Names and phones in full for the manager
    themselves where the client is theirs now [A9], masked for everybody else; the read carries a purpose and is recorded."""
    await see_person(uow.sql, actor, person)
    day = as_of or await today(uow.sql)
    found = await register.entries(uow.sql, day, person)
    known: dict[str, str | None] = {}
    for in_full in (True, False):
        some = [one for one in found if (one.present == person == actor.person) is in_full]
        if some:
            read = register.personal_of(some)
            known |= await reveal(uow, f"staff/{person}/register", read, purpose, in_full=in_full)
    lines = register.ordered([register.line(one, known) for one in found])
    return registers.register("register", register.TITLE, day, COLUMNS, lines, format)
