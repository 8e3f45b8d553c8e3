"""`careline upgrade`: it says what it would do, changes nothing when only asked, and refuses what it must not touch."""

import asyncio
import dataclasses
import shutil
from pathlib import Path

import pytest

from careline.schema import make_schemas
from careline.services import SERVICES, named
from chassis.database import connect
from chassis.migrate import newest_revision
from chassis.settings import Settings
from tests.cli.conftest import Careline
from tests.conftest import KEYS, Cluster
from tests.operations.pages import follow
from tests.world import World

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def version_of(world: World) -> str:
    return str(await world.value("points", "SELECT version_num FROM points.version"))


async def as_before(world: World, revision: str) -> None:
    """The database as an earlier version left it, as far as its version table goes."""
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute("SET LOCAL ROLE NONE")
        await uow.sql.execute("UPDATE points.version SET version_num = $1", revision)


async def test_what_would_be_done_is_said_and_nothing_is_changed(
    world: World, careline: Careline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARELINE_DATABASE_URL", world.settings.database_url or "")
    newest = await version_of(world)
    asked = await careline("upgrade", "--check")
    assert (asked.code, f"points.version at {newest}, nothing to do" in asked.out) == (0, True), asked
    assert "never backed up" in asked.out
    await as_before(world, "0001")
    asked = await careline("upgrade", "--check")
    assert (asked.code, "points.version at 0001: 0002_client_facts" in asked.out) == (0, True), asked
    assert await version_of(world) == "0001"
    await as_before(world, "9999")
    refused = await careline("upgrade")
    assert (refused.code, "WRONG  points.version is at 9999" in refused.out) == (1, True), refused
    assert await version_of(world) == "9999"
    await as_before(world, newest)
    monkeypatch.setenv("CARELINE_PARTITIONS", "7")
    refused = await careline("upgrade", "--check")
    assert (refused.code, "set CARELINE_PARTITIONS=4" in refused.out) == (1, True), refused
    monkeypatch.delenv("CARELINE_PARTITIONS")
    monkeypatch.setenv(
        "CARELINE_DATABASE_URL", (world.settings.database_url or "").replace("postgres@", "careline_{service}@")
    )
    refused = await careline("upgrade", "--check")
    assert (refused.code, "set CARELINE_OWNER_URL" in refused.out) == (1, True), refused


async def test_the_chapter_is_followed_word_for_word(postgres: Cluster, database_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", database_url=database_url, **KEYS)  # type: ignore[arg-type]
    await make_schemas(settings, SERVICES)
    keys = {f"CARELINE_{name.upper()}": value for name, value in KEYS.items()}
    done = await follow(
        "docs/operations.md", "A newer version",
        CARELINE_HOME=str(settings.home), CARELINE_DATABASE_URL=database_url, BACKUPS=str(tmp_path), **keys,
    )  # fmt: skip
    assert done.code == 0, done
    assert "the backup holds" in done.out


async def test_a_migration_gives_way_while_somebody_works_on_a_table(database_url: str, tmp_path: Path) -> None:
    """It waits two seconds at a time, so that nobody queues behind it for longer, and comes through at the end."""
    settings = Settings(home=tmp_path, database_url=database_url, **KEYS)  # type: ignore[arg-type]
    [points] = named("points")
    folder = tmp_path / "migrations"
    shutil.copytree(points.migrations, folder, ignore=shutil.ignore_patterns("__pycache__"))
    await make_schemas(settings, [points])
    newest = newest_revision(folder)
    (folder / "versions" / "9998_wider.py").write_text(
        f"""from alembic import op
revision, down_revision, branch_labels, depends_on = "9998", "{newest}", None, None


def upgrade():
    op.execute("ALTER TABLE points.balances ADD COLUMN wider int")


def downgrade():
    raise NotImplementedError
""",
        "utf-8",
    )
    at_work = await connect(database_url)
    await at_work.execute("BEGIN; SELECT FROM points.balances")
    migrating = asyncio.create_task(make_schemas(settings, [dataclasses.replace(points, migrations=folder)]))
    reader = await connect(database_url)
    # The migration waits: whoever comes now is behind it, and still answered.
    while not await reader.fetchval(WAITING):
        assert not migrating.done()
    await reader.fetch("SELECT FROM points.balances", timeout=30)
    assert not migrating.done()
    await at_work.execute("COMMIT")
    await migrating
    assert await reader.fetchval("SELECT version_num FROM points.version") == "9998"
    for one in (reader, at_work):
        await one.close()
