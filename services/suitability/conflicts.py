"""Facts that came again with other content: the first stays, the other is kept for an operator to decide."""

from collections.abc import Mapping
from typing import Any

import msgspec

from chassis.telemetry import CONFLICTS
from chassis.uow import UnitOfWork
from contracts.base import Event, encode


async def note(uow: UnitOfWork, client: str, identity: str, known: Mapping[str, Any], offered: Event) -> None:
    """Keep a conflict, once however often the other content comes."""
    kept = await uow.sql.fetchval(
        """INSERT INTO conflicts (at, type, client_id, identity, known, offered)
           SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (
               SELECT FROM conflicts WHERE type = $2 AND client_id = $3 AND identity = $4 AND offered = $6)
           RETURNING 1""",
        uow.now,
        offered.type,
        client,
        identity,
        known,
        msgspec.json.decode(encode(offered)),
    )
    if kept:
        CONFLICTS.labels("suitability").inc()
