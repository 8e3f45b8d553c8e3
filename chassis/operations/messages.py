"""Messages as the log keeps them: those a service told, found by type, key, id or trace, newest first. What names or reaches a
person is a mark there; who has the right opens one message, with a reason, and is on record."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from chassis.bus.record import partition_of
from chassis.database import Database
from chassis.errors import NotFound, Text
from chassis.personal.keys import SEALED, Value
from chassis.service import Service
from chassis.uow import UnitOfWork
from contracts.base import Event
from contracts.personal import PersonalEvent

MARK = "•••"
FINDINGS = ".finding.raised"
_COLUMNS = (
    """l.topic, l.partition, l."offset", l.written_at, l.key, l.type, l.id, l.source, l.time, l.traceparent, l.value"""
)


class MessagePlace(NamedTuple):
    """Where a message lies in the list."""

    written_at: datetime
    topic: str
    partition: int
    offset: int


class MessagesWanted(NamedTuple):
    """Which messages: written in a span of time and, where given, of a type, about a key, with an id, of a trace."""

    since: datetime
    until: datetime
    type: str | None = None
    key: str | None = None
    id: str | None = None
    trace: str | None = None


def told_by(service: Service) -> dict[str, type[Event]]:
    """The types a service tells."""
    kinds = [*service.publishes, *([service.completes] if service.completes else [])]
    return {kind.type: kind for kind in kinds}


async def listed(
    service: Service,
    database: Database,
    wanted: MessagesWanted,
    after: MessagePlace | None,
    limit: int,
    *,
    everything: bool,
) -> list[dict[str, Any]]:
    """The newest of each place of the log, then the newest of those: no part of the log is read further than that.

    Without `everything`, nothing that is for compliance alone: findings, and what is restricted [C28].
    """
    kinds = {name: kind for name, kind in told_by(service).items() if everything or not name.endswith(FINDINGS)}
    types = sorted(kinds) if wanted.type is None else [wanted.type] if wanted.type in kinds else []
    topics = sorted({kinds[one].topic for one in types})
    conditions, arguments = (
        ["l.written_at >= $3", "l.written_at < $4"],
        [types, topics, wanted.since, wanted.until, limit],
    )
    if not everything:
        conditions.append("""position('"restricted":true'::bytea IN l.value) = 0""")

    def given(condition: str, *values: Any) -> None:
        for value in values:
            arguments.append(value)
            condition = condition.replace("?", f"${len(arguments)}", 1)
        conditions.append(condition)

    partitions: list[int] | None = None
    if wanted.key is not None:
        partitions = [partition_of(wanted.key, database.settings.partitions)]
        given("l.key = ?::text", wanted.key)
    if wanted.id is not None:
        given("l.id = ?::text", wanted.id)
    if wanted.trace is not None:
        given("l.traceparent LIKE '%' || ?::text || '%'", wanted.trace)
    if after is not None:
        given('(l.written_at, l.topic, l.partition, l."offset") < (?::timestamptz, ?::text, ?::int, ?::bigint)', *after)
    arguments.append(partitions)
    schema = database.log.schema
    async with database.reading() as sql:
        rows = await sql.fetch(
            f"""SELECT {_COLUMNS} FROM {schema}.heads h, LATERAL (
                    SELECT * FROM {schema}.log l WHERE l.topic = h.topic AND l.partition = h.partition
                      AND l.type = ANY($1::text[]) AND {" AND ".join(conditions)}
                    ORDER BY l."offset" DESC LIMIT $5) l
                WHERE h.topic = ANY($2::text[]) AND (${len(arguments)}::int[] IS NULL OR h.partition = ANY(${len(arguments)}))
                ORDER BY l.written_at DESC, l.topic DESC, l.partition DESC, l."offset" DESC LIMIT $5""",
            *arguments,
        )
    return [dict(row) | {"value": masked(msgspec.json.decode(row["value"]))} for row in rows]


def masked(value: Any) -> Any:
    """A value with a mark for everything that lies under somebody's key."""
    if isinstance(value, str):
        return MARK if value.startswith(SEALED) else value
    if isinstance(value, Mapping):
        return {name: masked(one) for name, one in value.items()}
    return [masked(one) for one in value] if isinstance(value, list) else value


async def unmasked(
    service: Service, uow: UnitOfWork, topic: str, partition: int, offset: int, reason: str
) -> dict[str, Any]:
    """What a message says of a person, in clear, by member; none where the key is gone or blocked. It leaves a row with why.

    Raises: NotFound.
    """
    schema, kinds = uow.database.log.schema, told_by(service)
    row = await uow.sql.fetchrow(
        f"""SELECT {_COLUMNS} FROM {schema}.log l
            WHERE l.topic = $1 AND l.partition = $2 AND l."offset" = $3 AND l.type = ANY($4::text[])""",
        topic,
        partition,
        offset,
        sorted(kinds),
    )
    if row is None:
        raise NotFound(Text(f"no message {topic} {partition}/{offset}", f"没有消息 {topic} {partition}/{offset}"))
    event = msgspec.json.decode(row["value"], type=kinds[row["type"]])
    sealed = event.sealed if isinstance(event, PersonalEvent) else {}
    owner = event.key_owner if isinstance(event, PersonalEvent) else row["key"]
    opened = await uow.database.keyring.open([Value(owner, name, text) for name, text in sealed.items()])
    client = getattr(event, "client_id", None)
    uow.audit(
        "unmask", f"message/{row['id']}", key=row["key"], reason=reason, type=row["type"], members=sorted(sealed),
        **({"client_id": client} if client else {}),
    )  # fmt: skip
    return {"id": row["id"], "type": row["type"], "key": row["key"], "members": dict(zip(sealed, opened, strict=True))}
