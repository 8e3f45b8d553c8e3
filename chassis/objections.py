"""Clients who object to being looked at (账户查看异议): staff see them only where a service to them asks for it [A16].

Kept in every service, as relationships tell it, and asked in the reading door: every read of a client's pages, and of lists about one
client, by anybody of the staff but compliance names what triggered it as its purpose (`task/ID`, `case/ID`, ...). It is recorded with the
read, which the client can ask for.
"""

import re
from collections.abc import Iterable, Sequence

import asyncpg

from chassis.actor import Actor, Role
from chassis.errors import Forbidden, Text
from chassis.uow import UnitOfWork
from contracts.relationships import ObjectionChanged

TRIGGERS = ("task", "case", "contact", "request", "visit", "message")
_TRIGGERED = re.compile(rf"(?:console: )?(?:{'|'.join(TRIGGERS)})/\S{{1,100}}")
NOT_LIMITED = {Role.CLIENT, Role.SYSTEM, Role.COMPLIANCE}


class ViewingObjected(Forbidden):
    """The client objects to being looked at: name the service that asks for it as the purpose (`task/ID`, `case/ID`, `contact/ID`,
    `request/ID`, `visit/ID`, `message/ID`)."""

    title = Text("The client objects to being viewed", "客户对主动查看账户有异议")


async def keep_objections(events: Sequence[ObjectionChanged], uow: UnitOfWork) -> None:
    """Keep who objects to whom; of a client the highest revision counts."""
    best: dict[str, ObjectionChanged] = {}
    for event in sorted(events, key=lambda one: one.revision):
        best[event.client_id] = event
    for client_id, event in sorted(best.items()):
        everybody, persons = folded(event)
        await uow.sql.execute(
            """INSERT INTO client_objections AS o (client_id, revision, everybody, persons) VALUES ($1, $2, $3, $4)
               ON CONFLICT (client_id) DO UPDATE SET revision = excluded.revision, everybody = excluded.everybody,
                   persons = excluded.persons WHERE o.revision < excluded.revision""",
            client_id,
            event.revision,
            everybody,
            persons,
        )


def folded(event: ObjectionChanged) -> tuple[bool, list[str]]:
    """What the stretches come to: whether the client objects to everybody, and to whom else."""
    everybody, persons = False, set[str]()
    for one in event.stretches:
        if one.person is None:
            everybody, persons = one.objects, persons if one.objects else set()
        elif one.objects:
            persons.add(one.person)
        else:
            persons.discard(one.person)
    return everybody, sorted(persons)


async def objecting(sql: asyncpg.Connection, actor: Actor, clients: Iterable[str]) -> set[str]:
    """Those of these clients who object to being looked at by somebody of the staff; of others nobody does."""
    if actor.role in NOT_LIMITED:
        return set()
    rows = await sql.fetch(
        "SELECT client_id FROM client_objections WHERE client_id = ANY($1::text[]) AND (everybody OR $2 = ANY(persons))",
        list(clients),
        actor.person,
    )
    return {client_id for (client_id,) in rows}


def is_triggered(purpose: str) -> bool:
    """Whether a purpose names the service that asks for the read; the console says that it is the console first."""
    return _TRIGGERED.fullmatch(purpose) is not None


async def require_no_objection(sql: asyncpg.Connection, actor: Actor, client_id: str, purpose: str) -> None:
    """Raises: ViewingObjected, unless the purpose names what triggered the read."""
    if not is_triggered(purpose) and await objecting(sql, actor, [client_id]):
        raise ViewingObjected
