"""What keeps a client here: an open account. What is personal goes with its key."""

from collections.abc import Sequence

from chassis.erasure import Judgement
from chassis.uow import UnitOfWork


async def judge_erasure(uow: UnitOfWork, clients: Sequence[str]) -> dict[str, Judgement]:
    """An open account keeps a client. A prospect is found by no number any more."""
    await uow.sql.execute("UPDATE prospects SET tokens = '{}' WHERE prospect_id = ANY($1::text[])", list(clients))
    rows = await uow.sql.fetch(
        """SELECT client_id FROM clients
           WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL AND closed_on IS NULL""",
        list(clients),
    )
    return {row["client_id"]: Judgement("account open") for row in rows}
