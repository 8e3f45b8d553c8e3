"""Addresses that do not work: nothing more goes there until another one is told [MS13]."""

from datetime import datetime

from chassis.uow import UnitOfWork
from contracts.messaging import AddressFailed
from services.messaging.tables import MessageRow


async def fail_address(uow: UnitOfWork, row: MessageRow, reason: str, now: datetime) -> None:
    """Note that a message's address does not work, and ask for contact data, once an address."""
    if row.client_id is None or row.address_token is None or row.channel is None:
        return
    fresh = await uow.sql.fetchval(
        """INSERT INTO failed_addresses (channel, token, reason, since) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING RETURNING true""",
        row.channel,
        row.address_token,
        reason,
        now,
    )
    if fresh:
        uow.emit(
            AddressFailed(
                client_id=row.client_id, channel=row.channel, message_id=row.message_id,  # type: ignore[arg-type]
                reason=reason[:64] or "refused", at=now,
            ),
            at=now,
        )  # fmt: skip
