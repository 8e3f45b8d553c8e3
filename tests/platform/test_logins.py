"""Who may log in to the database, and what each login can reach: no superuser is needed, no service reads another's rows."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import ValidationError

from careline.schema import make_schemas
from chassis.database import Database, connect, owner_of, role_of, url_of
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from gateway.app import service as gateway
from services.points.app import service as points
from tests.conftest import FAST, KEYS, POSTGRES

SERVICES = (gateway, points)


@pytest.fixture(scope="module", params=list(POSTGRES))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivatePostgres]:
    """A server of its own, on which nobody has made a role yet."""
    server = PrivatePostgres(tmp_path_factory.mktemp("logins"), bin_dir=POSTGRES[request.param], settings=FAST)
    server.start()
    yield server
    server.stop(even_if_used=True)


async def works(settings: Settings) -> None:
    """A service writes what it may."""
    database = Database(settings, "points")
    try:
        async with database.unit_of_work() as uow:
            uow.audit("act", "thing/1", key="c-1")
            await uow.sql.execute("DELETE FROM balances")
    finally:
        await database.close()


async def test_every_form_migrates_and_works_without_a_superuser(server: PrivatePostgres, tmp_path: Path) -> None:
    admin = await asyncpg.connect(server.url)
    try:
        # The documented login: it may make roles and owns its database, nothing else.
        await admin.execute("DROP DATABASE IF EXISTS documented")
        await admin.execute("CREATE ROLE platform LOGIN CREATEROLE")
        await admin.execute("CREATE DATABASE documented OWNER platform")
        url = server.url.replace("postgres@", "platform@").replace("/careline?", "/documented?")
        one = Settings(home=tmp_path, database_url=url, **KEYS)  # type: ignore[arg-type]
        for _ in range(2):
            await make_schemas(one, SERVICES)
        await works(one)

        # A login for each service, as the embedded form has: nothing to climb up to.
        await admin.execute("CREATE DATABASE each OWNER platform")
        each = one.model_copy(
            update={
                "database_url": url.replace("platform@", "careline_{service}@").replace("documented", "each"),
                "owner_url": url.replace("documented", "each"),
            }
        )
        await make_schemas(each, SERVICES)
        await works(each)
        await make_schemas(each.model_copy(update={"owner_url": None}), SERVICES)  # a process without it only looks
        await _reaches_only_its_own(each)
        await _homes_of_before_are_taken_over(admin, one, url)
        supers = await admin.fetch("SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin")
        assert [name for (name,) in supers] == ["postgres"]
    finally:
        await admin.close()


async def _reaches_only_its_own(settings: Settings) -> None:
    sql = await connect(url_of(settings, "points"), "points")
    try:
        for attempt in (
            "SELECT 1 FROM gateway.audit",
            "SET ROLE NONE; SELECT 1 FROM gateway.audit",
            f"SET ROLE {role_of('gateway')}",
            f"SET ROLE {owner_of('points')}",
            "SET ROLE platform",
            "SET ROLE postgres",
            "CREATE TABLE mine (n int)",
            "UPDATE sealed_heads SET next = 0",
            "DELETE FROM audit",
            "SELECT pg_read_file('/etc/passwd')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await sql.execute(attempt)
        with pytest.raises(asyncpg.RaiseError):
            await sql.execute("SELECT take_numbers('audit', '{0}', '{-1}')")
    finally:
        await sql.close()


async def _homes_of_before_are_taken_over(admin: asyncpg.Connection, settings: Settings, url: str) -> None:
    """Where a service's role owned its schema, as it once did, a migration takes it over and gives rights back."""
    before = await asyncpg.connect(url.replace("platform@", "postgres@"))
    try:
        await before.execute(f"ALTER SCHEMA points OWNER TO {role_of('points')}")
        await before.execute(f"REASSIGN OWNED BY {owner_of('points')} TO {role_of('points')}")
        await make_schemas(settings, SERVICES)
        owners = await before.fetch(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'points'::regnamespace"
        )
        assert [name for (name,) in owners] == [owner_of("points")]
    finally:
        await before.close()
    await works(settings)
    sql = await connect(url, "points")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sql.execute("DELETE FROM audit")
    finally:
        await sql.close()


@pytest.mark.parametrize("url", ["postgresql://careline:pw@db/{service}", "postgresql://db.{service}/careline"])
def test_a_database_each_without_kafka_is_refused_with_the_reason(url: str) -> None:
    with pytest.raises(ValidationError, match="events need Kafka"):
        Settings(database_url=url)
    assert Settings(database_url=url, bus_url="kafka://k:9092/x").login_per_service is False
    assert Settings(database_url="postgresql://careline_{service}@db/careline").login_per_service
