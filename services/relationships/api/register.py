"""The register of annex 4 and the sheet of annex 3 over HTTP, as of a day [CI13]."""

from typing import Annotated

from fastapi import Response

from chassis.actor import Actor, Role
from chassis.http import Purpose, Work, gives, permits, registers, router
from chassis.objections import is_triggered, objecting
from chassis.personal.keys import Value as PersonalValue
from chassis.personal.reading import reveal
from chassis.timeline import today
from contracts.annex4 import COLUMNS
from contracts.fields import BusinessDate, Identifier
from services.relationships import client_sheet, register
from services.relationships.api.information import reads_in_full
from services.relationships.api.shapes import STAFF, see_client, see_person
from services.relationships.information import sheets
from services.relationships.policy import Policies

routes = router("/v1/relationships", "relationships")
Sheets = Annotated[Actor, permits("relationships.sheet:read", Role.CLIENT, *STAFF)]
Reader = Annotated[Actor, permits("relationships.register:read", *STAFF)]


@routes.get(
    "/managers/{person}/register",
    response_class=Response,
    responses=gives(registers.XLSX, registers.CSV, registers.HTML),
)
async def print_register(
    actor: Reader,
    uow: Work,
    purpose: Purpose,
    person: Identifier,
    as_of: BusinessDate | None = None,
    format: registers.Printed = "xlsx",
) -> Response:
    """A manager's clients (客户分类汇总表; 2,000 at most) by the first letter of their names. Names and phones in full for the manager
    themselves where the client is theirs now [A9], masked for everybody else; the read carries a purpose and is recorded. Who objects to being looked at is not on it [A16]."""
    await see_person(uow.sql, actor, person)
    day = as_of or await today(uow.sql)
    found = await register.entries(uow.sql, day, person)
    if not is_triggered(purpose):
        hidden = await objecting(uow.sql, actor, [one.client_id for one in found])
        found = [one for one in found if one.client_id not in hidden]
    known: dict[str, str | None] = {}
    for in_full in (True, False):
        some = [one for one in found if (one.present == person == actor.person) is in_full]
        if some:
            read = register.personal_of(some)
            known |= await reveal(uow, f"staff/{person}/register", read, purpose, in_full=in_full)
    lines = register.ordered([register.line(one, known) for one in found])
    return registers.register("register", register.TITLE, day, COLUMNS, lines, format)


@routes.get(
    "/clients/{client_id}/sheet",
    response_class=Response,
    responses=gives(registers.XLSX, registers.CSV, registers.HTML),
)
async def print_sheet(
    actor: Sheets,
    uow: Work,
    purpose: Purpose,
    client_id: Identifier,
    as_of: BusinessDate | None = None,
    format: registers.Printed = "xlsx",
) -> Response:
    """A client's sheet (客户服务档案表) as of a day: what was in force then, personal values in full for the client, who looks after them
    and their team, masked for everybody else. Related persons are never on it [CI11]. The read carries a purpose and is recorded."""
    await see_client(uow.sql, actor, client_id)
    day = as_of or await today(uow.sql)
    sheet = (await sheets(uow.sql, [client_id], day, (await uow.policies(Policies)).information.on(day)))[client_id]
    fields = {
        line.indicator.code: PersonalValue(client_id, line.indicator.field, line.value.sealed)
        for line in sheet.lines
        if line.value is not None and line.value.sealed is not None and line.indicator.code in client_sheet.PRINTED
    }
    in_full = await reads_in_full(uow, actor, client_id)
    known = await reveal(uow, f"client/{client_id}", fields, purpose, in_full=in_full, key=client_id)
    return registers.register(
        "client-sheet", client_sheet.TITLE, day, client_sheet.COLUMNS, client_sheet.lines(sheet, known), format
    )
