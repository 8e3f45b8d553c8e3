"""Schemas: roles, the chassis's tables in every service's schema, the log, the service's own tables.

Alembic does the work, in process; it is imported only when a schema is not at its newest revision.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import asyncpg

from chassis.bus.log import SHARED_SCHEMA, Log
from chassis.clock import utc_now
from chassis.database import connect, role_of, url_of
from chassis.sealed import AUDIT, CLOCK_ENTRIES
from chassis.service import Service
from chassis.settings import Settings

CHASSIS_MIGRATIONS = Path(__file__).parent / "migrations"
LOG_MIGRATIONS = Path(__file__).parent / "bus" / "migrations"


def newest_revision(folder: Path) -> str:
    """The newest revision of a migrations folder: its files are named `NNNN_what.py`."""
    return max(path.name[:4] for path in (folder / "versions").glob("[0-9]*.py"))


async def migrate(settings: Settings, services: Sequence[Service]) -> None:
    """Bring every service's database to the newest revision. Safe to run by several processes at once."""
    topics_of = {service.name: service for service in services}
    for name, service in topics_of.items():
        url = url_of(settings, name)
        admin = await connect(url)
        try:
            await admin.execute("SELECT pg_advisory_lock(hashtext('careline migrate'))")
            await _make_schema(admin, name)
            log_schema = name if settings.on_kafka else SHARED_SCHEMA
            if log_schema == SHARED_SCHEMA:
                await _make_schema(admin, SHARED_SCHEMA)
            await _upgrade(admin, url, name, CHASSIS_MIGRATIONS, "chassis_version")
            await _upgrade(admin, url, log_schema, LOG_MIGRATIONS, "log_version")
            await _upgrade(admin, url, name, service.migrations, "version")
            if log_schema == SHARED_SCHEMA:
                await _share_log(admin, name)
            await _make_topics(admin, settings, service, log_schema)
            await _make_heads(admin, settings, service)
        finally:
            await admin.close()


async def _make_schema(admin: asyncpg.Connection, name: str) -> None:
    role = role_of(name)
    if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
        # Roles belong to the whole server: a migration of another database may be first.
        with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            await admin.execute(f"CREATE ROLE {role} NOLOGIN")
    if not await admin.fetchval("SELECT pg_has_role(current_user, $1, 'MEMBER')", role):
        await admin.execute(f"GRANT {role} TO CURRENT_USER")
    if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", name):
        await admin.execute(f"CREATE SCHEMA {name} AUTHORIZATION {role}")
        database = await admin.fetchval("SELECT quote_ident(current_database())")
        await admin.execute(f"GRANT TEMPORARY ON DATABASE {database} TO {role}")


async def _share_log(admin: asyncpg.Connection, service: str) -> None:
    role = role_of(service)
    await admin.execute(
        f"""GRANT USAGE ON SCHEMA {SHARED_SCHEMA} TO {role};
            GRANT SELECT, INSERT ON {SHARED_SCHEMA}.log TO {role};
            GRANT SELECT, UPDATE ON {SHARED_SCHEMA}.heads TO {role};
            GRANT SELECT ON {SHARED_SCHEMA}.relay_cursors TO {role}"""
    )


async def _make_topics(admin: asyncpg.Connection, settings: Settings, service: Service, schema: str) -> None:
    log = Log(schema)
    known = await admin.fetchval(f"SELECT max(partition) + 1 FROM {schema}.heads")
    if known and known != settings.partitions:
        raise ValueError(
            f"this platform was made with {known} partitions, CARELINE_PARTITIONS says {settings.partitions}"
        )
    await admin.execute(f"SET ROLE {role_of(schema)}")
    await log.create_topics(admin, {kind.topic for kind in service.publishes if kind.topic}, settings.partitions)
    await log.make_room(admin, utc_now().date() - timedelta(days=1))
    await admin.execute("RESET ROLE")


async def _make_heads(admin: asyncpg.Connection, settings: Settings, service: Service) -> None:
    """Where the numbers of sealed rows begin."""
    await admin.execute(
        f"""INSERT INTO {service.name}.sealed_heads (name, partition)
            SELECT n, p FROM unnest($1::text[]) n, generate_series(0, $2::int - 1) p ON CONFLICT DO NOTHING""",
        [table.name for table in (AUDIT, CLOCK_ENTRIES, *service.sealed)],
        settings.partitions,
    )


async def _upgrade(admin: asyncpg.Connection, url: str, schema: str, folder: Path, version_table: str) -> None:
    known = await admin.fetchval("SELECT to_regclass($1)", f"{schema}.{version_table}")
    if known and await admin.fetchval(f"SELECT version_num FROM {schema}.{version_table}") == newest_revision(folder):
        return
    await asyncio.to_thread(_run_alembic, url, schema, folder, version_table)


def _run_alembic(url: str, schema: str, folder: Path, version_table: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes |= {"url": url, "schema": schema, "version_table": version_table}
    command.upgrade(config, "head")


def run_environment() -> None:
    """What every migrations folder's `env.py` calls."""
    from alembic import context

    attributes = context.config.attributes

    async def go() -> None:
        from sqlalchemy import Connection, text
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        schema = attributes["schema"]
        engine = create_async_engine(
            "postgresql+asyncpg://", async_creator=lambda: connect(attributes["url"]), poolclass=NullPool
        )

        def upgrade(connection: Connection) -> None:
            context.configure(
                connection=connection, version_table=attributes["version_table"], transaction_per_migration=True
            )
            with context.begin_transaction():
                context.run_migrations()

        async with engine.connect() as connection:
            await connection.execute(text(f"SET ROLE {role_of(schema)}"))
            await connection.execute(text(f"SET search_path = {schema}"))
            await connection.commit()
            await connection.run_sync(upgrade)
            await connection.commit()
        await engine.dispose()

    asyncio.run(go())


def run_sql(migration: str) -> None:
    """Run the statements of the `.sql` file beside a migration, in its transaction."""
    from alembic import op

    text = Path(migration).with_suffix(".sql").read_text("utf-8")
    for statement in text.split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
