"""Schemas: roles, the chassis's tables in every service's schema, the log, the service's own tables.

Alembic does the work, in process; it is imported only when a schema is not at its newest revision.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import asyncpg

from chassis.bus.log import SHARED_SCHEMA, Log
from chassis.bus.parts import Parts
from chassis.database import connect, owner_of, owner_url_of, role_of, url_of
from chassis.service import Service
from chassis.settings import Settings

CHASSIS_MIGRATIONS = Path(__file__).parent / "migrations"
LOG_MIGRATIONS = Path(__file__).parent / "bus" / "migrations"
ALL_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
LOCK_SECONDS, LOCK_TRIES = 2, 60
"""Whoever waits for a table's lock keeps all waiting who come after: a migration gives way and tries again."""
ONLY_READ = {"sealed_heads", "seals", "witnessed", "version", "chassis_version", "log_version"}


def newest_revision(folder: Path) -> str:
    """The newest revision of a migrations folder: its files are named `NNNN_what.py`."""
    return max(path.name[:4] for path in (folder / "versions").glob("[0-9]*.py"))


async def newer_schema(sql: asyncpg.Connection, service: Service) -> str:
    """What of a service's schema is of a newer version than this program; empty when nothing is."""
    for table, folder in (("chassis_version", CHASSIS_MIGRATIONS), ("version", service.migrations)):
        there, newest = await sql.fetchval(f"SELECT version_num FROM {table}"), newest_revision(folder)
        if there > newest:
            return f"{table} is at {there}, known here is {newest}"
    return ""


async def migrate(settings: Settings, services: Sequence[Service]) -> None:
    """Bring every service's database to the newest revision. Safe to run by several processes at once.

    A process whose logins own nothing only looks.

    Raises: ValueError when what is there does not fit, and such a process cannot change it.
    """
    for service in services:
        url = owner_url_of(settings, service.name)
        if url is None:
            await _look(settings, service)
        else:
            await _migrate(settings, service, url)


async def _migrate(settings: Settings, service: Service, url: str) -> None:
    name = service.name
    admin = await connect(url)
    try:
        await admin.execute("SELECT pg_advisory_lock(hashtext('careline migrate'))")
        await make_roles(admin, settings, name)
        await _make_schema(admin, name)
        log_schema = name if settings.on_kafka else SHARED_SCHEMA
        if log_schema == SHARED_SCHEMA:
            await make_roles(admin, settings, SHARED_SCHEMA)
            await _make_schema(admin, SHARED_SCHEMA)
        await _upgrade(admin, url, name, CHASSIS_MIGRATIONS, "chassis_version")
        await _upgrade(admin, url, log_schema, LOG_MIGRATIONS, "log_version")
        await _upgrade(admin, url, name, service.migrations, "version")
        await give_rights(admin, service)
        if log_schema == SHARED_SCHEMA:
            await _share_log(admin, name)
        await _make_topics(admin, settings, service, log_schema)
        await _make_heads(admin, settings, service)
    finally:
        await admin.close()


async def _look(settings: Settings, service: Service) -> None:
    fitting = {"chassis_version": CHASSIS_MIGRATIONS, "version": service.migrations}
    connection = await connect(url_of(settings, service.name), service.name)
    try:
        for table, folder in fitting.items():
            if await connection.fetchval(f"SELECT version_num FROM {table}") != newest_revision(folder):
                raise ValueError(
                    f"the schema of {service.name} is of another version: run `careline migrate` with CARELINE_OWNER_URL"
                )
    finally:
        await connection.close()


async def make_roles(admin: asyncpg.Connection, settings: Settings, schema: str) -> None:
    """The roles of a schema: who owns it, and who works in it where that is a service's."""
    if schema != SHARED_SCHEMA:
        await _make_role(admin, role_of(schema), logs_in=settings.login_per_service)
        if not settings.login_per_service:
            await _take(admin, role_of(schema))
    await _make_role(admin, owner_of(schema))
    await _take(admin, owner_of(schema))


async def _make_role(admin: asyncpg.Connection, role: str, *, logs_in: bool = False) -> None:
    can = "LOGIN" if logs_in else "NOLOGIN"
    known = await admin.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", role)
    if known is None:
        # Roles belong to the whole server: a migration of another database may be first.
        with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            await admin.execute(f"CREATE ROLE {role} {can}")
    elif logs_in and not known:
        await admin.execute(f"ALTER ROLE {role} LOGIN")


async def _take(admin: asyncpg.Connection, role: str) -> None:
    """Let the login act as a role. From PostgreSQL 16 on whoever makes a role may give it, but not yet take it."""
    since_16 = admin.get_server_version().major >= 16
    able = "SET" if since_16 else "MEMBER"
    if not await admin.fetchval(f"SELECT pg_has_role($1, '{able}') AND pg_has_role($1, 'USAGE')", role):
        await admin.execute(f"GRANT {role} TO CURRENT_USER" + (" WITH SET TRUE, INHERIT TRUE" if since_16 else ""))


async def _make_schema(admin: asyncpg.Connection, name: str) -> None:
    role, owner = role_of(name), owner_of(name)
    known = await admin.fetchval("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = $1", name)
    if known is None:
        await admin.execute(f"CREATE SCHEMA {name} AUTHORIZATION {owner}")
    elif known == role:  # made when a service still owned what it works on
        await _take(admin, role)
        await admin.execute(f"ALTER SCHEMA {name} OWNER TO {owner}; REASSIGN OWNED BY {role} TO {owner}")


async def give_rights(admin: asyncpg.Connection, service: Service) -> None:
    """Give a service's role its rights, and take every other: sealed rows are only added, numbers, seals and versions
    only read."""
    name, role = service.name, role_of(service.name)
    added_to = {table.name for table in service.every_sealed}
    for table, has in await admin.fetch(
        """SELECT c.relname, array(SELECT p FROM unnest($3::text[]) p WHERE has_table_privilege($2, c.oid, p))
           FROM pg_class c
           WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition""",
        name,
        role,
        [*ALL_RIGHTS],
    ):
        gets = ("SELECT",) if table in ONLY_READ else ("SELECT", "INSERT") if table in added_to else ALL_RIGHTS[:4]
        if {*has} != {*gets}:
            await admin.execute(f'REVOKE ALL ON {name}."{table}" FROM {role}')
            await admin.execute(f'GRANT {", ".join(gets)} ON {name}."{table}" TO {role}')
    complete = await admin.fetchval(
        """SELECT has_schema_privilege($2, $1, 'USAGE') AND NOT has_schema_privilege($2, $1, 'CREATE')
              AND (SELECT coalesce(bool_and(has_sequence_privilege($2, oid, 'USAGE')), true)
                   FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'S')
              AND (SELECT coalesce(bool_and(has_function_privilege($2, oid, 'EXECUTE')), true)
                   FROM pg_proc WHERE pronamespace = $1::regnamespace)""",
        name,
        role,
    )
    if not complete:
        await admin.execute(
            f"""REVOKE ALL ON SCHEMA {name} FROM {role};
                GRANT USAGE ON SCHEMA {name} TO {role};
                GRANT USAGE ON ALL SEQUENCES IN SCHEMA {name} TO {role};
                GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {name} TO {role}"""
        )
    if not await admin.fetchval("SELECT has_database_privilege($1, current_database(), 'TEMPORARY')", role):
        database = await admin.fetchval("SELECT quote_ident(current_database())")
        await admin.execute(f"GRANT TEMPORARY ON DATABASE {database} TO {role}")


async def _share_log(admin: asyncpg.Connection, service: str) -> None:
    role = role_of(service)
    await admin.execute(
        f"""GRANT USAGE ON SCHEMA {SHARED_SCHEMA} TO {role};
            GRANT SELECT, INSERT ON {SHARED_SCHEMA}.log TO {role};
            GRANT SELECT, UPDATE ON {SHARED_SCHEMA}.heads TO {role};
            GRANT SELECT ON {SHARED_SCHEMA}.relay_cursors, {SHARED_SCHEMA}.low_water, {SHARED_SCHEMA}.past_days TO {role}"""
    )


async def _make_topics(admin: asyncpg.Connection, settings: Settings, service: Service, schema: str) -> None:
    log = Log(schema)
    known = await admin.fetchval(f"SELECT max(partition) + 1 FROM {schema}.heads")
    if known and known != settings.partitions:
        raise ValueError(
            f"this platform was made with {known} partitions, CARELINE_PARTITIONS says {settings.partitions}"
        )
    await admin.execute(f"SET ROLE {owner_of(schema)}")
    await log.create_topics(admin, {kind.topic for kind in service.publishes if kind.topic}, settings.partitions)
    await admin.execute("RESET ROLE")
    await Parts(admin, schema).make_room(await admin.fetchval("SELECT clock_timestamp()::date"))


async def _make_heads(admin: asyncpg.Connection, settings: Settings, service: Service) -> None:
    """Where the numbers of sealed rows begin."""
    await admin.execute(
        f"""INSERT INTO {service.name}.sealed_heads (name, partition)
            SELECT n, p FROM unnest($1::text[]) n, generate_series(0, $2::int - 1) p ON CONFLICT DO NOTHING""",
        [table.name for table in service.every_sealed],
        settings.partitions,
    )


async def _upgrade(admin: asyncpg.Connection, url: str, schema: str, folder: Path, version_table: str) -> None:
    known = await admin.fetchval("SELECT to_regclass($1)", f"{schema}.{version_table}")
    if known:
        there, newest = (
            await admin.fetchval(f"SELECT version_num FROM {schema}.{version_table}"),
            newest_revision(folder),
        )
        if there == newest:
            return
        if there and there > newest:
            raise ValueError(
                f"schema {schema} is at revision {there}, this version of Careline knows {newest}: start the newer version"
            )
    from sqlalchemy.exc import DBAPIError

    for attempt in range(LOCK_TRIES):
        try:
            await asyncio.to_thread(_run_alembic, url, schema, folder, version_table)
            return
        except DBAPIError as error:  # somebody works on a table for long: let those behind us go first, and try again
            cause = error.orig.__cause__ if error.orig else None
            if attempt == LOCK_TRIES - 1 or not isinstance(cause, asyncpg.LockNotAvailableError):
                raise


def _run_alembic(url: str, schema: str, folder: Path, version_table: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(CHASSIS_MIGRATIONS))  # its env.py serves every folder of versions
    config.set_main_option("version_locations", str(folder / "versions"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {"url": url, "schema": schema, "version_table": version_table}
    command.upgrade(config, "head")


def run_environment() -> None:
    """What `chassis/migrations/env.py` calls."""
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
            await connection.execute(text(f"SET ROLE {owner_of(schema)}"))
            await connection.execute(text(f"SET search_path = {schema}"))
            await connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))
            await connection.commit()
            await connection.run_sync(upgrade)
            await connection.commit()
        await engine.dispose()

    asyncio.run(go())


def run_sql(migration: str) -> None:
    """Run the statements of the `.sql` file beside a migration, in its transaction."""
    from alembic import op

    for statement in _statements(migration):
        op.get_bind().exec_driver_sql(statement)


def run_beside_work(migration: str) -> None:
    """Run them one by one, each for itself: `CREATE INDEX CONCURRENTLY` on a table that others write to. It waits for whoever is at
    work and holds nobody up; what a try that broke off left behind is the first statement's to drop."""
    from alembic import op

    with op.get_context().autocommit_block():
        sql = op.get_bind()
        sql.exec_driver_sql("SET lock_timeout = 0")
        for statement in _statements(migration):
            sql.exec_driver_sql(statement)
        sql.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")


def _statements(migration: str) -> list[str]:
    text = Path(migration).with_suffix(".sql").read_text("utf-8")
    return [statement for statement in text.split(";\n") if statement.strip()]
