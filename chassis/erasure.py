"""Erasing a client: each service says what still keeps them, and reads nothing of theirs meanwhile.

    listens={ErasureRequested: answering(ErasureAnswered, kept.judge)}

The gateway asks (`platform.erasure.requested`), and destroys the keys once every service has answered that its
retention is over and no hold stands against it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chassis.uow import UnitOfWork
from contracts.platform import ErasureAnswered, ErasureRequested


@dataclass(frozen=True, slots=True)
class Judgement:
    """What keeps a client here: `reason` (empty: nothing), until when; `owners` are the keys that go with theirs."""

    reason: str = ""
    kept_until: date | None = None
    owners: Sequence[str] = ()


Judge = Callable[[UnitOfWork, Sequence[str]], Awaitable[Mapping[str, Judgement]]]
"""Judges clients; those left out are kept by nothing."""


async def nothing_keeps(_: UnitOfWork, __: Sequence[str]) -> Mapping[str, Judgement]:
    """For a service that keeps nothing that names or reaches a person, and whose records stay under the bare id."""
    return {}


def answering(
    answered: type[ErasureAnswered], judge: Judge = nothing_keeps
) -> Callable[[Sequence[ErasureRequested], UnitOfWork], Awaitable[None]]:
    """The handler of `platform.erasure.requested` of one service."""

    async def answer(events: Sequence[ErasureRequested], uow: UnitOfWork) -> None:
        clients = [event.client_id for event in events]
        uow.database.keyring.forget(clients)
        found = await judge(uow, clients)
        for event in events:
            one = found.get(event.client_id, Judgement())
            uow.emit(
                answered(
                    erasure_id=event.erasure_id,
                    client_id=event.client_id,
                    round=event.round,
                    over=not one.reason,
                    reason=one.reason,
                    kept_until=one.kept_until,
                    owners=list(one.owners),
                    answered_at=uow.now,
                ),
                at=uow.now,
            )

    return answer
