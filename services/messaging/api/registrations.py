"""Registered addresses of staff over HTTP [MS14]."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.http import Once, Work, permits, router
from chassis.personal import mask_email, mask_phone
from chassis.personal.keys import Value
from contracts.fields import Id, Identifier, text_of
from services.messaging import registrations
from services.messaging.tables import RegistrationRow

routes = router("/v1/messaging", "messaging")
Registrar = Annotated[Actor, permits("messaging:registrations", Role.COMPLIANCE)]
SHOWN = 200


class Given(BaseModel, extra="forbid"):
    """An address that a member of staff writes to clients from."""

    staff_id: Identifier
    channel: Literal["sms", "email", "wecom"]
    address: Annotated[str, text_of(200, 1)]


class Registration(BaseModel):
    """A registered address, masked."""

    registration_id: Annotated[UUID, Field(description="the registration")]
    staff_id: str
    channel: str
    address: str | None
    registered_by: Annotated[str, Field(description="who registered it", examples=["s-17"])]
    registered_at: Annotated[datetime, Field(description="when it was registered")]
    ended_at: datetime | None


@routes.get("/registrations")
async def list_registrations(_: Registrar, uow: Work) -> list[Registration]:
    """What is registered, the latest first, up to 200."""
    return await _shown(uow, await registrations.listed(uow.sql, SHOWN))


@routes.post("/registrations", status_code=201)
async def register(_: Registrar, uow: Work, once: Once, given: Given) -> Registration:
    """Register an address of a member of staff other than oneself."""
    row = await registrations.register(uow, given.staff_id, given.channel, given.address)
    [shown] = await _shown(uow, [row])
    return shown


@routes.post("/registrations/{registration_id}/end")
async def end_registration(_: Registrar, uow: Work, registration_id: Id) -> Registration:
    """The address is nobody's to write from any more."""
    [shown] = await _shown(uow, [await registrations.end(uow, registration_id)])
    return shown


async def _shown(uow: Work, found: list[RegistrationRow]) -> list[Registration]:
    opened = await uow.database.keyring.open(
        [Value(f"staff:{row.staff_id}", registrations.FIELDS[row.channel], row.address) for row in found]
    )
    return [
        Registration(
            registration_id=row.registration_id, staff_id=row.staff_id, channel=row.channel,
            address=address and (mask_email(address) if row.channel == "email" else mask_phone(address)),
            registered_by=row.registered_by, registered_at=row.registered_at, ended_at=row.ended_at,
        )
        for row, address in zip(found, opened, strict=True)
    ]  # fmt: skip
