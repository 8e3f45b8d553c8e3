"""Services granted by hand: a reason, an end, and a second person."""

from datetime import date, timedelta
from uuid import UUID

from uuid_utils import uuid7

from chassis import approvals
from chassis.approvals import Approval, ApprovalKind
from chassis.errors import FieldError, Invalid, Text
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from services.products import clients, entitlements
from services.products.people import DESK_DECIDES
from services.products.policy import Policies

LONGEST = timedelta(days=366)


async def ask(
    uow: UnitOfWork, client_id: str, branch_id: str | None, code: str, since: date | None, until: date, reason: str
) -> Approval:
    """Ask for a service until a day (exclusive); it is given when another person agrees.

    Raises: Invalid.
    """
    day = await today(uow.sql)
    since = since or day
    if code not in (await uow.policies(Policies)).services.on(day).body.names:
        raise Invalid(errors=(FieldError("/code", "no service of the policy"),))
    if not day <= since < until <= since + LONGEST:
        raise Invalid(errors=(FieldError("/until", f"after {since}, a year at most; it begins today or later"),))
    wanted = {"code": code, "since": since.isoformat(), "until": until.isoformat()}
    return await approvals.ask(
        uow, OVERRIDE, f"override/{UUID(bytes=uuid7().bytes)}", body=wanted, why=reason, after=wanted,
        client_id=client_id, branch_id=branch_id,
    )  # fmt: skip


async def _grant(uow: UnitOfWork, approval: Approval) -> None:
    client = approval.client_id
    assert client is not None
    uow.happened_at = await effective_now(uow.sql, uow.now)
    await clients.lock(uow, [client])
    await uow.sql.execute(
        "INSERT INTO overrides (client_id, override_id, code, since, until, reason, asked_by, decided_by) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        client,
        UUID(approval.object.removeprefix("override/")),
        approval.body["code"],
        date.fromisoformat(approval.body["since"]),
        date.fromisoformat(approval.body["until"]),
        approval.why,
        approval.asked_by,
        uow.actor.person,
    )
    await entitlements.tell(uow, [client])


OVERRIDE = ApprovalKind(
    "override", Text("A service granted by hand", "手工授予权益"), decides=DESK_DECIDES, apply=_grant
)
