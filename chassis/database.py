"""A service's database: one engine, the service's own role and schema, and the only place that commits."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import event, exc, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chassis.actor import PLATFORM, Actor
from chassis.bus.log import SHARED_SCHEMA, Log
from chassis.outages import OUTAGES
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from contracts.base import encode_custom

_json = msgspec.json.Encoder(enc_hook=encode_custom)


def _as_it_is(value: Any) -> Any:
    return value


def role_of(service: str) -> str:
    """The NOLOGIN role that owns a service's schema."""
    return f"careline_{service}"


def url_of(settings: Settings, service: str) -> str:
    """The URL of a service's database."""
    if settings.database_url is None:
        raise ValueError("no database: set CARELINE_DATABASE_URL, or start the private server first")
    return settings.database_url.replace("{service}", service)


async def connect(url: str, service: str | None = None) -> asyncpg.Connection:
    """One connection of its own: as the service's role in its schema, or as the login."""
    options = {
        "timezone": "UTC",
        "application_name": f"careline {service or 'admin'} {os.getpid()}",
        "random_page_cost": "1.1",  # solid-state disks: the planner's default sends small lookups to whole tables
        "jit": "off",
    }
    if service:
        options |= {"role": role_of(service), "search_path": service}
    connection = await asyncpg.connect(url, server_settings=options, timeout=10)
    await _speak_json(connection)
    return connection


async def _speak_json(connection: asyncpg.Connection) -> None:
    # Binary, because COPY takes nothing else; jsonb's binary form is a version byte and the text.
    for name, version in (("json", b""), ("jsonb", b"\x01")):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=partial(_to_json, version),
            decoder=partial(_from_json, len(version)),
            format="binary",
        )


def _to_json(version: bytes, value: Any) -> bytes:
    return version + _json.encode(value)


def _from_json(skipped: int, data: bytes) -> Any:
    return msgspec.json.decode(memoryview(data)[skipped:])


class DatabaseAway(ConnectionError):
    """The database cannot be reached, or went away in the middle; what was not committed is not there."""


@contextmanager
def _outages_as_they_are() -> Iterator[None]:
    """SQLAlchemy wraps the driver's errors: an outage must be known as one, or a batch is taken for a bad record."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError) as error:
        cause = error.orig.__cause__ if isinstance(error, exc.DBAPIError) and error.orig else None
        invalid = isinstance(error, exc.DBAPIError) and error.connection_invalidated
        if isinstance(error, exc.TimeoutError) or invalid or isinstance(cause, OUTAGES):
            raise DatabaseAway(str(cause or error)) from error
        raise


def _only_living(dbapi: Any, *_: object) -> None:
    """A connection whose server has gone is not handed out, nor any made before it."""
    if dbapi.driver_connection.is_closed():
        raise exc.InvalidatePoolError


class Database:
    """Connections of one service. `partitions` is the one partition count of the platform."""

    def __init__(self, settings: Settings, service: str) -> None:
        self.settings = settings
        self.service = service
        self.partitions = settings.partitions
        self.url = url_of(settings, service)
        self.log = Log(service if settings.on_kafka else SHARED_SCHEMA)
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: connect(self.url, service),
            pool_size=settings.pool_size,
            max_overflow=settings.pool_overflow,
            pool_use_lifo=True,
            pool_timeout=10,
            json_serializer=_as_it_is,
            json_deserializer=_as_it_is,
        )
        # SQLAlchemy sets JSON codecs of its own on each new connection; ours serve driver and SQLAlchemy alike.
        event.listen(self.engine.sync_engine, "connect", lambda dbapi, _: dbapi.run_async(_speak_json))
        event.listen(self.engine.sync_engine, "checkout", _only_living)

    @asynccontextmanager
    async def unit_of_work(self, actor: Actor = PLATFORM) -> AsyncIterator[UnitOfWork]:
        """A transaction that commits at the end of the block, or leaves nothing behind."""
        with _outages_as_they_are():
            async with self.engine.begin() as connection:
                # The driver opens the transaction with SQLAlchemy's first statement: raw work before it would be outside.
                now = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
                sql: Any = (await connection.get_raw_connection()).driver_connection
                if not sql.is_in_transaction():
                    raise RuntimeError("the driver's connection is not in the transaction")
                uow = UnitOfWork(self, connection, sql, now, actor)
                yield uow
                await uow.finish()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """The driver's connection for reads, one statement a snapshot."""
        with _outages_as_they_are():
            async with self.engine.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                yield driver

    async def close(self) -> None:
        """Give all connections back."""
        await self.engine.dispose()
