"""What keeps a client here: an open account. What is personal goes with its key."""

from collections.abc import Sequence

from chassis.erasure import Judgement
from chassis.uow import UnitOfWork


async def judge_erasure(uow: UnitOfWork, clients: Sequence[str]) -> dict[str, Judgement]:
    """An open account keeps a client. A prospect is found by no number any more; the keys of prospects go with those of the
    clients they became."""
    await uow.sql.execute("UPDATE prospects SET tokens = '{}' WHERE prospect_id = ANY($1::text[])", list(clients))
    rows = await uow.sql.fetch(
        """SELECT client_id FROM clients
           WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL AND closed_on IS NULL""",
        list(clients),
    )
    kept = {row["client_id"] for row in rows}
    owners = {
        row["converted_to"]: row["owners"]
        for row in await uow.sql.fetch(
            """SELECT converted_to, array_agg(prospect_id ORDER BY prospect_id) AS owners FROM prospects
               WHERE converted_to = ANY($1::text[]) GROUP BY converted_to""",
            list(clients),
        )
    }
    return {
        one: Judgement("account open" if one in kept else "", owners=owners.get(one, ()))
        for one in kept | owners.keys()
    }
