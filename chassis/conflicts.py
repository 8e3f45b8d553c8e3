"""Facts that came again with other content: the first stays, the other waits for an operator (`careline conflicts`)."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from chassis.telemetry import CONFLICTS
from chassis.uow import UnitOfWork
from contracts.base import Event, encode

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conflict:
    """What is known under an identity beside what was offered under it, both as JSON holds them.

    `type` and `offered` are what the service's `accepts` is given when an operator accepts it.
    """

    type: str
    client_id: str
    identity: str
    known: Content
    offered: Content

    @classmethod
    def of(cls, event: Event, client_id: str, known: Content, identity: str | None = None) -> "Conflict":
        """A conflict of an event, which is offered as a whole."""
        return cls(event.type, client_id, identity or event.identity or "", known, msgspec.json.decode(encode(event)))


def whole(offered: Content) -> Hashable:
    """Offers are the same when all of their content is."""
    return msgspec.json.encode(offered, order="deterministic")


async def note(uow: UnitOfWork, conflicts: Sequence[Conflict], content: Callable[[Content], Hashable] = whole) -> None:
    """Keep conflicts, each once however often it comes: offers are the same when their `content` is.

    One that was accepted is not waiting any more: offered anew, it is a conflict with what is known by then. Whoever calls
    holds a lock on what is known, so that the same offer cannot be noted twice at once.
    """
    if not conflicts:
        return
    rows = await uow.sql.fetch(
        """SELECT type, client_id, identity, offered FROM conflicts
           WHERE (type, client_id, identity) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
             AND decision IS DISTINCT FROM 'accepted'""",
        [one.type for one in conflicts],
        [one.client_id for one in conflicts],
        [one.identity for one in conflicts],
    )
    seen = {(row["type"], row["client_id"], row["identity"], content(row["offered"])) for row in rows}
    new: list[Conflict] = []
    for one in conflicts:
        name = (one.type, one.client_id, one.identity, content(one.offered))
        if name not in seen:
            seen.add(name)
            new.append(one)
    await uow.sql.executemany(
        "INSERT INTO conflicts (at, type, client_id, identity, known, offered) VALUES ($1, $2, $3, $4, $5, $6)",
        [(uow.now, one.type, one.client_id, one.identity, one.known, one.offered) for one in new],
    )
    CONFLICTS.labels(uow.database.service).inc(len(new))
