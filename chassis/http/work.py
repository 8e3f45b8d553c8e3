"""What a route works in: a unit of work that commits before the response is sent, or a connection for reads."""

import re
from collections.abc import AsyncIterator
from typing import Annotated

import asyncpg
from fastapi import Depends, Request

from chassis.actor import Actor
from chassis.database import REQUEST, Database
from chassis.http.changes import note_work
from chassis.http.identity import identified
from chassis.uow import UnitOfWork


async def work(request: Request, actor: Annotated[Actor, Depends(identified)]) -> AsyncIterator[UnitOfWork]:
    """One transaction in the caller's name; an error anywhere in the route leaves nothing behind."""
    database: Database = request.app.state.database
    async with database.unit_of_work(actor, REQUEST) as uow:
        uow.traceparent = request.headers.get("traceparent") or trace_of(request.scope.get("request_id", ""))
        uow.if_match = request.headers.get("if-match")
        note_work(request, uow)
        yield uow


def trace_of(request_id: str) -> str | None:
    """A request's own id as a trace: what it made is found by it. None for ids of another form."""
    digits = request_id.replace("-", "").lower()
    return (
        f"00-{digits}-{digits[16:]}-01" if re.fullmatch(r"(?!0{32})[0-9a-f]{16}(?!0{16})[0-9a-f]{16}", digits) else None
    )


async def reading(request: Request) -> AsyncIterator[asyncpg.Connection]:
    """A connection for reads, given back before the response is sent."""
    database: Database = request.app.state.database
    async with database.reading() as sql:
        yield sql


# `function` scope: the commit's outcome decides the response, not the other way round.
Work = Annotated[UnitOfWork, Depends(work, scope="function")]
Reading = Annotated[asyncpg.Connection, Depends(reading, scope="function")]
