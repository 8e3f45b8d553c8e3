"""Conflicts: a fact came again with other content. The first stands until an operator accepts the other."""

from typing import Any, Literal

import asyncpg
import msgspec

from chassis.actor import Actor
from chassis.database import Database
from chassis.errors import AlreadyDecided, Conflict, NotFound, Text
from chassis.service import Service
from contracts.base import Registry

Decision = Literal["accepted", "rejected"]
_COLUMNS = "id, at, type, client_id, identity, known, offered, decided_at, decided_by, decision"


class NotAcceptable(Conflict):
    """This service cannot put the offered content in place of what it holds: correct it at its source."""

    title = Text("Cannot be accepted here", "此处无法采纳")


async def listed(
    database: Database, *, undecided: bool = True, after: int = 0, limit: int = 201
) -> list[dict[str, Any]]:
    """Conflicts in the order they came."""
    condition = "decision IS NULL" if undecided else "true"
    async with database.reading() as sql:
        rows = await sql.fetch(
            f"SELECT {_COLUMNS} FROM conflicts WHERE {condition} AND id > $1 ORDER BY id LIMIT $2", after, limit
        )
    return [dict(row) for row in rows]


async def count(sql: asyncpg.Connection) -> int:
    """How many are undecided."""
    found: int = await sql.fetchval("SELECT count(*) FROM conflicts WHERE decision IS NULL")
    return found


async def decide(
    service: Service, database: Database, actor: Actor, conflict: int, decision: Decision, reason: str
) -> dict[str, Any]:
    """Accept the offered content (the service applies it as a late fact) or leave what is known. Audited.

    Raises: NotFound, AlreadyDecided, NotAcceptable.
    """
    async with database.unit_of_work(actor) as uow:
        row = await uow.sql.fetchrow(f"SELECT {_COLUMNS} FROM conflicts WHERE id = $1 FOR UPDATE", conflict)
        if row is None:
            raise NotFound(Text(f"no conflict {conflict}", f"没有编号为 {conflict} 的冲突"))
        if row["decision"] is not None:
            raise AlreadyDecided(
                Text(f"{row['decision']} by {row['decided_by']}", f"已由 {row['decided_by']} 处理"),
                state=row["decision"],
            )
        if decision == "accepted":
            accepts = {kind.type: (kind, handler) for kind, handler in service.accepts.items()}
            if row["type"] not in accepts:
                raise NotAcceptable
            kind, handler = accepts[row["type"]]
            registry = Registry([kind], service.views)
            await handler([registry.decode(kind.type, msgspec.json.encode(row["offered"]))], uow)
        decided = await uow.sql.fetchrow(
            f"""UPDATE conflicts SET decision = $2, decided_at = $3, decided_by = $4 WHERE id = $1
                RETURNING {_COLUMNS}""",
            conflict,
            decision,
            uow.now,
            actor.person,
        )
        uow.audit(
            f"conflict_{decision}", f"conflict/{conflict}", key=row["client_id"], reason=reason, known=row["known"]
        )
    assert decided is not None
    return dict(decided)
