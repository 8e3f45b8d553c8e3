"""How clients are reached in WeCom: their external id, and the member whose friend they are [MS15]."""

from chassis.uow import UnitOfWork
from services.messaging.numbers import Tokens


async def link(uow: UnitOfWork, client_id: str, external_id: str, member: str) -> None:
    """Keep a client's external id and member; the latest word counts, and an id that failed before may work again."""
    token = Tokens(uow.database.settings).of("wecom", external_id)
    await uow.sql.execute(
        """INSERT INTO wecom_contacts (client_id, external_id, token, member, since) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (client_id) DO UPDATE SET external_id = excluded.external_id, token = excluded.token,
               member = excluded.member, since = excluded.since""",
        client_id,
        await uow.database.keyring.seal_one(client_id, "wecom", external_id),
        token,
        member,
        uow.now,
    )
    await uow.sql.execute("DELETE FROM failed_addresses WHERE channel = 'wecom' AND token = $1", token)
    uow.audit("wecom_linked", f"client/{client_id}", key=client_id, member=member)
