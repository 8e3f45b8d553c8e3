"""Who did and read what, about whom: the rows of the sealed audit table, newest first."""

from datetime import datetime
from typing import Any, NamedTuple

from chassis.database import Database


class AuditPlace(NamedTuple):
    """A row's place in the list."""

    at: datetime
    partition: int
    number: int


class AuditWanted(NamedTuple):
    """Which rows: until an instant, and, where given, from one on, about a client, by a person, of an action or its beginning."""

    since: datetime | None
    until: datetime
    client: str | None = None
    person: str | None = None
    action: str | None = None


async def listed(database: Database, wanted: AuditWanted, after: AuditPlace | None, limit: int) -> list[dict[str, Any]]:
    """The rows from behind a place on; a read of many clients is found by those its row names."""
    query, arguments = query_of(wanted, after, limit)
    async with database.reading() as sql:
        rows = await sql.fetch(query, *arguments)
    return [dict(row) | {"clients": _named(row["clients"])} for row in rows]


def query_of(wanted: AuditWanted, after: AuditPlace | None, limit: int) -> tuple[str, list[Any]]:
    """The statement and its arguments. A client's rows are found by index, however far back they lie."""
    conditions, arguments = ["at < $1"], list[Any]([wanted.until])

    def given(condition: str, value: Any, kind: str = "text") -> None:
        arguments.append(value)
        conditions.append(condition.replace("@", f"${len(arguments)}::{kind}"))

    if wanted.since is not None:
        given("at >= @", wanted.since, "timestamptz")
    if wanted.client is not None:
        given("(object = 'client/' || @ OR (inputs ? 'client_id' AND inputs -> 'client_id' ? @))", wanted.client)
    if wanted.person is not None:
        given("(actor IN (@, 'user:' || @) OR inputs ->> 'person' = @)", wanted.person)
    if wanted.action is not None:
        given("starts_with(action, @)", wanted.action)
    if after is not None:
        first = len(arguments) + 1
        arguments += list(after)
        conditions.append(f"(at, partition, number) < (${first}, ${first + 1}, ${first + 2})")
    arguments.append(limit)
    # First a client's own, then the newest of them: not everybody's, newest first, until enough are theirs.
    first_found = "MATERIALIZED " if wanted.client is not None else ""
    query = f"""WITH found AS {first_found}(SELECT at, partition, number FROM audit WHERE {" AND ".join(conditions)}),
        page AS (SELECT partition, number FROM found ORDER BY at DESC, partition DESC, number DESC LIMIT ${len(arguments)})
        SELECT partition, number, at, actor, role, action, object, inputs ->> 'purpose' AS purpose,
               coalesce(inputs ->> 'person', '') AS person, inputs -> 'client_id' AS clients, inputs ->> 'path' AS path
        FROM page JOIN audit USING (partition, number) ORDER BY at DESC, partition DESC, number DESC"""
    return query, arguments


def _named(said: Any) -> list[str]:
    return [] if said is None else [said] if isinstance(said, str) else [str(one) for one in said]
