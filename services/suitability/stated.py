"""What clients state of their health and life lies under their own keys: in clear in no column, event or record.

What follows from it (a person looks first, a questionnaire is due) needs only that and since when it was stated.
"""

from chassis.personal.keys import Value
from chassis.uow import UnitOfWork

CAUSE, CHANGE, REASON = "vulnerability", "life_change", "vulnerability_end"
_COLUMNS = (("vulnerabilities", "cause", CAUSE), ("life_changes", "change", CHANGE))


async def sealed(uow: UnitOfWork, client: str, field: str, words: str) -> str:
    """Words as a column may hold them; none of a client whose key was destroyed. The same words are sealed the same way."""
    [found] = await uow.database.keyring.seal([Value(client, field, words)])
    return found or ""


async def seal_earlier(uow: UnitOfWork) -> None:
    """Seal what was kept in clear before there was this."""
    for table, column, field in _COLUMNS:
        rows = await uow.sql.fetch(
            f"""SELECT DISTINCT client_id, {column} FROM {table}
                WHERE {column} <> '' AND {column} NOT LIKE 'sealed:%' LIMIT 10000"""
        )
        if rows:
            texts = await uow.database.keyring.seal([Value(client, field, words) for client, words in rows])
            await uow.sql.execute(
                f"""UPDATE {table} t SET {column} = n.sealed FROM unnest($1::text[], $2::text[], $3::text[])
                        AS n(client_id, words, sealed) WHERE t.client_id = n.client_id AND t.{column} = n.words""",
                *zip(*rows, strict=True),
                [text or "" for text in texts],
            )
