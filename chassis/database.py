"""A service's database: one engine, the service's own role and schema, and the only place that commits."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

import asyncpg
import msgspec
from sqlalchemy import TextClause, event, exc, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import greenlet_spawn

from chassis.actor import PLATFORM, Actor
from chassis.bus.log import HEAD_IDLE_SECONDS, SHARED_SCHEMA, Log
from chassis.outages import is_outage
from chassis.personal.keys import Keyring, NoKeys
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from contracts.base import encode_custom

_json = msgspec.json.Encoder(enc_hook=encode_custom)


def _as_it_is(value: Any) -> Any:
    return value


def role_of(service: str) -> str:
    """The role a service works as: it reads and writes its tables, and only adds to sealed ones."""
    return f"careline_{service}"


def owner_of(schema: str) -> str:
    """The NOLOGIN role that owns a schema and everything in it: migrations, sealing and upkeep work as it."""
    return f"careline_{schema}_owner"


def url_of(settings: Settings, service: str) -> str:
    """The URL a service's role logs in with."""
    if settings.database_url is None:
        raise ValueError("no database: set CARELINE_DATABASE_URL, or start the private server first")
    return settings.database_url.replace("{service}", service)


def owner_url_of(settings: Settings, service: str) -> str | None:
    """The URL of the login that may act as the owner of a service's schema; None where this process has none."""
    if settings.owner_url is not None:
        return settings.owner_url.replace("{service}", service)
    return None if settings.login_per_service else url_of(settings, service)


def as_owner(settings: Settings) -> Settings:
    """The settings of a process that acts for all services: where it has the owner's login, that one alone, which needs no
    password of any service."""
    if settings.owner_url is None or not settings.login_per_service:
        return settings
    return settings.model_copy(update={"database_url": settings.owner_url, "owner_url": None})


class Limits(NamedTuple):
    """How long, in seconds, one kind of work may wait for a lock, run a statement, do nothing inside a transaction."""

    lock: int
    statement: int
    idle: int

    @property
    def settings(self) -> dict[str, str]:
        """As PostgreSQL's settings."""
        return {
            "lock_timeout": f"{self.lock}s",
            "statement_timeout": f"{self.statement}s",
            "idle_in_transaction_session_timeout": f"{self.idle}s",
        }


REQUEST = Limits(lock=8, statement=30, idle=30)
WORK = Limits(lock=8, statement=1800, idle=60)
"""Batches and closes; a close of a large month has long statements."""
SHIPPING = Limits(lock=8, statement=60, idle=90)
"""The relay waits for Kafka inside its transaction; only its cursors are locked."""
KEEPALIVE = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
"""A peer that is gone without a word is noticed within a minute."""
POOL_WAIT_SECONDS = 0.8
"""How long one waits for a connection: a request hears "not now" within a second."""
POOL_IDLE_SECONDS = 60
"""The server ends what a pool has not used so long: what a rush opened is kept for the next, not for ever."""
POOL_MARGIN_SECONDS = 10
"""So long before that a connection is not used any more: a process that was busy or stopped has not heard of its end."""
STOPPED_SECONDS = HEAD_IDLE_SECONDS


async def connect(
    url: str, service: str | None = None, *, role: str | None = None, idle: int = 0
) -> asyncpg.Connection:
    """One connection of its own: in the service's schema as the service's role (or another), or as the login. The server
    ends it when it was not used for `idle` seconds; 0: never."""
    options = {
        "timezone": "UTC",
        "application_name": f"careline {service or 'admin'} {os.getpid()}",
        "random_page_cost": "1.1",  # solid-state disks: the planner's default sends small lookups to whole tables
        "jit": "off",
        "idle_session_timeout": f"{idle}s",
    } | KEEPALIVE
    if service:
        options |= {"role": role or role_of(service), "search_path": service} | WORK.settings
    connection = await asyncpg.connect(url, server_settings=options, timeout=10)
    await _speak_json(connection)
    return connection


async def connect_to_schema(settings: Settings, service: str) -> asyncpg.Connection:
    """One connection in a service's schema: as who owns it where this process has that login, so that it needs no password of
    the service's own; else as the service."""
    url = owner_url_of(settings, service)
    return await connect(url or url_of(settings, service), service, role=owner_of(service) if url else None)


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
    except (exc.DBAPIError, exc.TimeoutError, AsyncAdapt_asyncpg_dbapi.Error) as error:
        wrapper = error.orig if isinstance(error, exc.DBAPIError) else error  # a connection not had is wrapped once
        cause = wrapper.__cause__ if wrapper is not None else None
        invalid = isinstance(error, exc.DBAPIError) and error.connection_invalidated
        if isinstance(error, exc.TimeoutError) or invalid or (cause is not None and is_outage(cause)):
            raise DatabaseAway(str(cause or error)) from error
        raise


def _note_use(_: Any, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = monotonic()


def _only_living(dbapi: Any, record: ConnectionPoolEntry, _: object) -> None:
    """A connection that the server has ended is not handed out, nor one that it may have ended while nobody here was looking:
    the pool makes another in its place."""
    unused = monotonic() - record.info.get("used_at", monotonic())
    if dbapi.driver_connection.is_closed() or unused > POOL_IDLE_SECONDS - POOL_MARGIN_SECONDS:
        raise exc.DisconnectionError


def _begin(limits: Limits | None) -> TextClause:
    """The first statement of a transaction, which asks for its moment."""
    others = (
        "".join(f", set_config('{name}', '{value}', true)" for name, value in limits.settings.items()) if limits else ""
    )
    return text(f"SELECT clock_timestamp(){others}")


_BEGIN = {limits: _begin(limits) for limits in (None, REQUEST, WORK, SHIPPING)}


class Database:
    """Connections of one service. `partitions` is the one partition count of the platform."""

    def __init__(self, settings: Settings, service: str) -> None:
        self.settings = settings
        self.service = service
        self.partitions = settings.partitions
        self.url = url_of(settings, service)
        self.keyring = Keyring(NoKeys())
        """Keys of clients: the gateway's store where it is in this process, else over HTTP (`careline.platform`)."""
        self.log = Log(service if settings.on_kafka else SHARED_SCHEMA)
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: connect(self.url, service, idle=POOL_IDLE_SECONDS),
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_use_lifo=True,
            pool_timeout=POOL_WAIT_SECONDS,
            json_serializer=_as_it_is,
            json_deserializer=_as_it_is,
        )
        self._probe: asyncpg.Connection | None = None
        self._probing = asyncio.Lock()
        self._spares: list[tuple[Any, Any, float]] = []
        """Connections that reads gave back, the last on top: lent, the driver's, and since when nobody uses it."""
        self._waiting, self._closed = 0, False
        # SQLAlchemy sets JSON codecs of its own on each new connection; ours serve driver and SQLAlchemy alike.
        event.listen(self.engine.sync_engine, "connect", lambda dbapi, _: dbapi.run_async(_speak_json))
        event.listen(self.engine.sync_engine, "checkin", _note_use)
        event.listen(self.engine.sync_engine, "checkout", _only_living)

    @asynccontextmanager
    async def unit_of_work(self, actor: Actor = PLATFORM, limits: Limits | None = None) -> AsyncIterator[UnitOfWork]:
        """A transaction that commits at the end of the block, or leaves nothing behind. `limits` other than those of work."""
        try:
            with _outages_as_they_are():
                async with self._begun() as connection:
                    # The driver opens the transaction with SQLAlchemy's first statement: raw work before it is outside.
                    now = (await connection.execute(_BEGIN[limits])).scalar_one()
                    sql: Any = (await connection.get_raw_connection()).driver_connection
                    if not sql.is_in_transaction():
                        raise RuntimeError("the driver's connection is not in the transaction")
                    uow = UnitOfWork(self, connection, sql, now, actor)
                    yield uow
                    await uow.finish()
        except asyncpg.LockNotAvailableError:
            await self._end_stopped_publishers()
            raise

    async def _end_stopped_publishers(self) -> None:
        """End those that hold heads and do not go on: their process was stopped, or its machine is gone, in the middle of
        sending rows, where no time limit of the database's reaches them. The login may do so, a service's role may not."""
        admin = await connect(self.url)
        try:
            await admin.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name LIKE 'careline %' AND state = 'active'
                     AND wait_event = 'ClientRead' AND query LIKE 'COPY %' AND clock_timestamp() - query_start > $1""",
                timedelta(seconds=STOPPED_SECONDS),
            )
        finally:
            await admin.close()

    @asynccontextmanager
    async def probing(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection apart from the pool, one at a time: probes are answered also when requests wait for theirs."""
        async with self._probing:
            if self._probe is None or self._probe.is_closed():
                self._probe = await connect(self.url, self.service)
            yield self._probe

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[AsyncConnection]:
        """As `engine.begin()` does; what a read has not given back to the pool is there for it."""
        connection = self.engine.connect()
        self._waiting += 1
        try:
            if self._spares and self.engine.sync_engine.pool.checkedout() >= self.settings.pool_size:  # type: ignore[attr-defined]
                lent, driver, since = self._spares.pop()
                await (self._give_back(lent) if _lives(driver, since) else self._throw_away(lent))
            await connection.start()
        finally:
            self._waiting -= 1
        try:
            async with connection.begin():
                yield connection
        finally:
            await asyncio.shield(connection.close())

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """The driver's connection for reads, one statement a snapshot."""
        with _outages_as_they_are():
            lent, driver = await self._for_reads()
            try:
                yield driver
            except BaseException:
                await self._give_back(lent)
                raise
            # The pool's way there and back takes as long as a read: one read hands its connection to the next.
            if self._waiting or self._closed or driver.is_closed() or driver.is_in_transaction():
                await self._give_back(lent)
            else:
                self._spares.append((lent, driver, monotonic()))

    async def _for_reads(self) -> tuple[Any, Any]:
        while self._spares:
            lent, driver, since = self._spares.pop()
            if _lives(driver, since):
                return lent, driver
            await self._throw_away(lent)
        self._waiting += 1
        try:
            # Nothing is begun on it, so SQLAlchemy's own connection, and its way there and back, is left out.
            lent = await self.engine.raw_connection()
        finally:
            self._waiting -= 1
        return lent, lent.driver_connection

    async def _give_back(self, lent: Any) -> None:
        # Where the pool was closed meanwhile so is its socket, and that is waited for, whoever is gone.
        await asyncio.shield(greenlet_spawn(lent.close))

    async def _throw_away(self, lent: Any) -> None:
        await asyncio.shield(greenlet_spawn(lent.invalidate))

    async def close(self) -> None:
        """Give all connections back."""
        self._closed = True
        if self._probe is not None:
            await self._probe.close(timeout=2)
        while self._spares:
            await self._give_back(self._spares.pop()[0])
        await self.engine.dispose()


def _lives(driver: asyncpg.Connection, since: float) -> bool:
    """Whether a connection that nobody has used since can be lent: the server may have ended it unheard."""
    return not driver.is_closed() and monotonic() - since <= POOL_IDLE_SECONDS - POOL_MARGIN_SECONDS
