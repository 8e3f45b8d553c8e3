"""What clients state of their health and life lies under their own keys: in clear in no column, event or record.

What follows from it (a person looks first, a questionnaire is due) needs only that and since when it was stated.
"""

from chassis.personal.keys import Value
from chassis.uow import UnitOfWork

CAUSE, CHANGE, REASON, DECIDED = "vulnerability", "life_change", "vulnerability_end", "vulnerability_end_decided"
ENDING = "vulnerability-end"
"""The kind of approval by which a vulnerability ends."""
_COLUMNS = (("vulnerabilities", "cause", CAUSE), ("life_changes", "change", CHANGE))

_AGAIN = """
    DELETE FROM life_changes t USING (
        SELECT t.ctid AS at, row_number() OVER (PARTITION BY t.client_id, t.stated_on, n.sealed ORDER BY t.ctid) > 1
               OR EXISTS (SELECT FROM life_changes o WHERE o.client_id = t.client_id AND o.stated_on = t.stated_on
                          AND o.change = n.sealed) AS again
        FROM unnest($1::text[], $2::text[], $3::text[]) AS n(client_id, words, sealed)
        JOIN life_changes t ON t.client_id = n.client_id AND t.change = n.words) e
    WHERE t.ctid = e.at AND e.again"""
"""A change is stated once a day: what would be sealed as what lies there sealed already goes."""


async def sealed(uow: UnitOfWork, client: str, field: str, words: str) -> str:
    """Words as a column may hold them; none of a client whose key was destroyed. The same words are sealed the same way."""
    [found] = await uow.database.keyring.seal([Value(client, field, words)])
    return found or ""


async def seal_earlier(uow: UnitOfWork) -> None:
    """Seal what was kept in clear before there was this. What was stated of one day in clear and sealed is one row: the sealed.
    What the audit said of it stays: it is sealed as it was written."""
    await _seal_reasons(uow)
    for table, column, field in _COLUMNS:
        rows = await uow.sql.fetch(
            f"""SELECT DISTINCT client_id, {column} FROM {table}
                WHERE {column} <> '' AND {column} NOT LIKE 'sealed:%' LIMIT 10000"""
        )
        if rows:
            texts = await uow.database.keyring.seal([Value(client, field, words) for client, words in rows])
            found = [*zip(*rows, strict=True), [text or "" for text in texts]]
            if table == "life_changes":
                await uow.sql.execute(_AGAIN, *found)
            await uow.sql.execute(
                f"""UPDATE {table} t SET {column} = n.sealed FROM unnest($1::text[], $2::text[], $3::text[])
                        AS n(client_id, words, sealed) WHERE t.client_id = n.client_id AND t.{column} = n.words""",
                *found,
            )


async def _seal_reasons(uow: UnitOfWork) -> None:
    """Why the end of a vulnerability was asked for, and what was said to it, lay beside what was asked."""
    rows = await uow.sql.fetch(
        """SELECT approval_id, client_id, why FROM approvals
           WHERE kind = $1 AND why <> '' AND client_id IS NOT NULL LIMIT 10000""",
        ENDING,
    )
    if rows:
        texts = await uow.database.keyring.seal([Value(client, REASON, why) for _, client, why in rows])
        await uow.sql.execute(
            """UPDATE approvals a SET why = '', body = a.body || jsonb_build_object('reason', n.sealed)
               FROM unnest($1::uuid[], $2::text[]) AS n(approval_id, sealed) WHERE a.approval_id = n.approval_id""",
            [approval_id for approval_id, _, _ in rows],
            [text or "" for text in texts],
        )
    rows = await uow.sql.fetch(
        """SELECT approval_id, client_id, because FROM approvals
           WHERE kind = $1 AND because <> '' AND because NOT LIKE 'sealed:%' AND client_id IS NOT NULL LIMIT 10000""",
        ENDING,
    )
    if rows:
        texts = await uow.database.keyring.seal([Value(client, DECIDED, because) for _, client, because in rows])
        await uow.sql.execute(
            """UPDATE approvals a SET because = n.sealed FROM unnest($1::uuid[], $2::text[]) AS n(approval_id, sealed)
               WHERE a.approval_id = n.approval_id""",
            [approval_id for approval_id, _, _ in rows],
            [text or None for text in texts],
        )
