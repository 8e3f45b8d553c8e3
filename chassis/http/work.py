"""What a route works in: a unit of work that commits before the response is sent, or a connection for reads."""

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
        uow.traceparent = request.headers.get("traceparent")
        uow.if_match = request.headers.get("if-match")
        note_work(request, uow)
        yield uow


async def reading(request: Request) -> AsyncIterator[asyncpg.Connection]:
    """A connection for reads, given back before the response is sent."""
    database: Database = request.app.state.database
    async with database.reading() as sql:
        yield sql


# `function` scope: the commit's outcome decides the response, not the other way round.
Work = Annotated[UnitOfWork, Depends(work, scope="function")]
Reading = Annotated[asyncpg.Connection, Depends(reading, scope="function")]
