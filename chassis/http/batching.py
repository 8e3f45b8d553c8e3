"""Requests that come at the same time share one transaction.

While one batch commits, the next one gathers: nobody waits for a timer, and under load the statements, the heads'
locks and the commit are paid once for many. An answer is given after its commit.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import structlog
from fastapi import Depends, Request

from chassis.database import Database
from chassis.errors import Refusal
from chassis.outages import is_outage

log = structlog.get_logger()
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
AT_MOST = 100


class Batched(Generic[Asked, Answer]):
    """Hands questions to `work` together; it gives for each an answer or the refusal of that one."""

    def __init__(self, work: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer | Refusal]]]) -> None:
        self.work = work
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def ask(self, question: Asked) -> Answer:
        """The answer to one question. Raises: its refusal, or what went wrong."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                count = min(AT_MOST, len(self._waiting))
                await self._answer([self._waiting.popleft() for _ in range(count)])
        finally:
            self._working = None

    async def _answer(self, some: Sequence[tuple[Asked, asyncio.Future[Answer]]]) -> None:
        answers: Sequence[Answer | Exception]
        try:
            answers = await self.work([question for question, _ in some])
        except Exception as error:  # not swallowed: it is the answer
            if len(some) > 1 and not is_outage(error):  # one of them is to blame
                log.warning("requests worked on alone, as they failed together", error=error, count=len(some))
                for one in some:
                    await self._answer([one])
                return
            answers = [error] * len(some)
        for (_, future), answer in zip(some, answers, strict=True):
            if future.done():  # who asked has gone away
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)


def batched(work: Callable[[Database, Sequence[Any]], Awaitable[Sequence[Any]]]) -> Any:
    """A route's parameter: `desk: Annotated[Batched[Q, A], batched(decide_all)]`, one for the app's life."""

    async def of_app(request: Request) -> Batched[Any, Any]:
        state, name = request.app.state, f"batched_{work.__name__}"
        if not hasattr(state, name):
            setattr(state, name, Batched(partial(work, state.database)))
        found: Batched[Any, Any] = getattr(state, name)
        return found

    return Depends(of_app)
