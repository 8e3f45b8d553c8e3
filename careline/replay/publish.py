"""Saying the facts: in large batches, each in one transaction with the position reached. Exactly once, whatever dies."""

import asyncio
from collections.abc import Callable

from careline.replay.source import CLOSED, KINDS, DataSet, messages
from careline.replay.timeline import claim_timeline, move_position, read_position
from chassis.bus.record import Outgoing
from chassis.database import Database
from contracts.base import Registry, encode

_CLOSED = KINDS.index(CLOSED)
_REGISTRY = Registry([kind.event for kind in KINDS])
_PERSONAL = {kind.event.type for kind in KINDS if kind.event.personal}


async def publish(
    gateway: Database, data: DataSet, goal: int, said: Callable[[int], None], *, at_once: int = 5_000
) -> None:
    """Say the facts up to number `goal` that have not been said; `said` hears the position reached.

    Raises: what `claim_timeline` and `move_position` refuse, and outages (call it again: it goes on where it was).
    """
    async with gateway.unit_of_work() as uow:
        position = (await claim_timeline(uow, data)).position
    said(position)
    while position < goal:
        batch = data.facts[position : min(position + at_once, goal)]
        outgoing = await _sealed(gateway, list(messages(batch, gateway.partitions)))
        closed = [fact.day for fact in batch if fact.rank == _CLOSED]
        async with gateway.unit_of_work() as uow:
            await move_position(uow, position, position + len(batch), closed[-1] if closed else None)
            uow.publish(outgoing)
        position += len(batch)
        said(position)
        await asyncio.sleep(0)


async def _sealed(gateway: Database, outgoing: list[Outgoing]) -> list[Outgoing]:
    """The facts as a log may hold them: what people said and wrote is encrypted or masked, as at the door."""
    found = [one for one in outgoing if one.type in _PERSONAL]
    events = [_REGISTRY.decode(one.type, one.value) for one in found]
    for one, before, sealed in zip(found, events, await gateway.keyring.seal_events(events), strict=True):
        if sealed is not before:
            one.value = encode(sealed)
    return outgoing


async def position_of(gateway: Database, data: DataSet) -> int:
    """How many facts of the data set have been said; changes nothing."""
    async with gateway.reading() as sql:
        return (await read_position(sql, data)).position
