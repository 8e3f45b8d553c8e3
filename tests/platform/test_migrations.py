"""What the migrations make is what the code believes: no table, column, index or default differs."""

import importlib
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from careline.services import SERVICES
from chassis import tables
from chassis.bus.log import SHARED_SCHEMA
from chassis.database import connect, owner_of
from chassis.service import Service
from tests.world import World

VERSIONS = {"version", "chassis_version", "log_version"}


def differences(connection: Connection, metadata: list[MetaData]) -> list[Any]:
    """What Alembic would still have to do in the schema at hand. Parts of the log are made as days come."""

    def ours(name: str | None, kind: str, *_: Any) -> bool:
        return not (kind == "table" and (name in VERSIONS or str(name).startswith("log_2")))

    options = {
        "include_name": lambda name, kind, _: ours(name, kind),
        "compare_type": True,
        "compare_server_default": False,
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))  # type: ignore[arg-type]


async def validate_checks(connection: AsyncConnection, schema: str) -> None:
    """SQLAlchemy cannot reflect a check that is NOT VALID: for as long as this transaction lasts they all are valid."""
    unproven = await connection.execute(
        text(
            """SELECT CAST(CAST(conrelid AS regclass) AS text), conname FROM pg_constraint
               WHERE contype = 'c' AND NOT convalidated AND connamespace = to_regnamespace(:schema)"""
        ),
        {"schema": schema},
    )
    for table, name in unproven.all():
        await connection.execute(text(f"SET LOCAL ROLE {owner_of(schema)}"))
        await connection.execute(text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))


async def found(url: str, schema: str, metadata: list[MetaData]) -> list[Any]:
    async def in_schema() -> Any:
        connection = await connect(url)
        await connection.execute(f"SET search_path = {schema}")
        return connection

    engine = create_async_engine("postgresql+asyncpg://", async_creator=in_schema)
    try:
        async with engine.connect() as connection:
            await validate_checks(connection, schema)
            return await connection.run_sync(differences, metadata)
    finally:
        await engine.dispose()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
async def test_a_services_schema_is_what_its_code_says(world: World, service: Service) -> None:
    importlib.import_module(f"{'gateway' if service.name == 'gateway' else f'services.{service.name}'}.app")
    assert await found(world.database(service.name).url, service.name, [tables.chassis, service.tables]) == []


async def test_the_log_is_what_the_code_says(world: World) -> None:
    assert await found(world.database("gateway").url, SHARED_SCHEMA, [tables.log]) == []
