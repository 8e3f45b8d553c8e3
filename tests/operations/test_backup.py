"""What is backed up comes back to the row, on every form, and facts that come again afterwards change nothing it had."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from careline.backup.manifest import Manifest, read, write
from careline.backup.restoring import drill, restore
from careline.backup.taking import take
from careline.refusals import WrongArgument
from careline.schema import make_schemas
from careline.services import SERVICES, named
from chassis.personal.keys import Value
from chassis.service import Service
from chassis.settings import Settings
from contracts.broker import ClientOpened
from gateway.erasure import destroy
from tests.classification.facts import day, trade
from tests.cli.conftest import Careline
from tests.conftest import KEYS, POSTGRES, Cluster
from tests.operations.conftest import Forms
from tests.operations.pages import follow
from tests.world import World, running

BANK = str(Path(__file__).parents[1] / "data" / "bank")
NEWEST, OLDEST = next(iter(POSTGRES)), list(POSTGRES)[-1]
SOME = named("gateway", "classification", "points")
EXPORTS = ("clients", "tiers", "points", "groups")


@dataclass(frozen=True)
class Backup:
    """The three places of one backup."""

    folder: Path

    @property
    def places(self) -> tuple[Path, Path, Path]:
        return self.folder, self.folder / "keys", self.folder / "witness"


def quiet(_: str) -> None:
    """Nobody listens."""


async def backed_up(settings: Settings, folder: Path, services: Sequence[Service] = SERVICES) -> Backup:
    made = Backup(folder)
    await take(settings, services, *made.places, quiet)
    return made


def client(client_id: str, name: str) -> ClientOpened:
    return ClientOpened(client_id=client_id, branch_id="B1", opened_on=date(2019, 5, 2), name=name)


async def names_of(world: World) -> dict[str, str | None]:
    """The clients' names, as far as they can be read."""
    sealed = await world.rows("gateway", "SELECT key, value FROM bus.log WHERE type = $1", ClientOpened.type)
    values = [Value(row["key"], "name", json.loads(row["value"])["sealed"]["name"]) for row in sealed]
    return dict(zip((one.owner for one in values), await world.database("gateway").keyring.open(values), strict=True))


async def kept(world: World) -> list[Any]:
    """What clients hold and are."""
    points = await world.rows("points", "SELECT client_id, trade_id, kind, points FROM entries ORDER BY 1, 2, 3, 4")
    tiers = await world.rows("classification", "SELECT client_id, branch_id FROM clients ORDER BY 1")
    return [*points, *tiers]


@pytest.mark.parametrize(("forms", "form"), [(NEWEST, "login_per_service"), (OLDEST, "one_login")], indirect=["forms"])
async def test_each_documented_form_comes_back(forms: Forms, form: str, tmp_path: Path) -> None:
    made = getattr(forms, form)
    base = Settings(home=tmp_path / "home", **KEYS)  # type: ignore[arg-type]
    settings = await made(base, f"before_{form}")
    await make_schemas(settings, SOME)
    async with running(World(settings, "log", SOME)) as world:
        said = await world.publish(client("c-1", "王小明"), client("c-2", "李四"), trade("t-1", day(0), "10.00"))
        await world.close(day(0))
        await world.seal()
        backup = await backed_up(settings, tmp_path / "backup", SOME)
        at_backup = await kept(world)
        later = await world.publish(trade("t-2", day(1), "20.00"))
        await world.close(day(1))
        await world.seal()
        in_the_end = await kept(world)
        async with world.database("gateway").unit_of_work() as uow:
            await destroy(uow, ["c-2"])
        newer = await backed_up(settings, tmp_path / "newer", SOME)

    elsewhere = await made(base.model_copy(update={"home": tmp_path / "other"}), f"after_{form}")
    folder, _, witness = backup.places
    await restore(elsewhere, SOME, folder, newer.places[1], witness, quiet)
    async with running(World(elsewhere, "log", SOME)) as world:
        assert await world.findings(full=True) == []
        assert await kept(world) == at_backup
        assert await names_of(world) == {"c-1": "王小明", "c-2": None}, "who was erased since stays erased"
        assert await world.value("gateway", "SELECT count(*) FROM client_tokens WHERE owner = 'c-2'") == 0
        await world.redeliver(said)
        await world.settle()
        assert await kept(world) == at_backup, "facts that come again change nothing"
        await world.redeliver(later)
        await world.close(day(1))
        assert await kept(world) == in_the_end
        await world.seal()
        assert await world.findings(full=True) == []
    with pytest.raises(WrongArgument, match="there is a platform already"):
        await restore(elsewhere, SOME, *backup.places, quiet)


async def test_the_embedded_home_is_backed_up_tried_and_restored_as_the_page_says(
    careline: Careline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page, home, new = "docs/operations.md", str(tmp_path / "home"), str(tmp_path / "new")
    assert (await careline("replay", BANK, "--until", "2020-07-31")).code == 0
    evidence = tmp_path / "home" / "evidence" / "ab"
    evidence.mkdir(parents=True)
    (evidence / "file").write_bytes(b"a recording")
    exports = [(await careline("export", name)).out for name in EXPORTS]
    places = {"CARELINE_HOME": home, "BACKUPS": str(tmp_path), "NEW_HOME": new, "TMPDIR": str(tmp_path)}
    done = await follow(page, "Backup", **places)
    assert (done.code, done.out.splitlines()[-1]) == (0, "the backup holds"), done
    assert [name for name in os.listdir(tmp_path) if name.startswith("careline-drill")] == []
    assert (await careline("backup", str(tmp_path / "monday"))).code == 1  # each has a folder of its own
    assert (await careline("restore", str(tmp_path / "monday"))).code == 1  # this home has a platform
    restored = await follow(page, "Restore", **places)
    assert (restored.code, restored.out.splitlines()[-1]) == (0, "verified"), restored
    assert (tmp_path / "new" / "evidence" / "ab" / "file").read_bytes() == b"a recording"
    monkeypatch.setenv("CARELINE_HOME", new)
    assert [(await careline("export", name)).out for name in EXPORTS] == exports
    again = await careline("replay", BANK, "--until", "2020-07-31")
    assert "nothing was left to publish" in again.out


async def test_a_backup_that_was_touched_or_does_not_fit_is_refused(world: World, forms: Forms, tmp_path: Path) -> None:
    backup = await backed_up(world.settings, tmp_path / "backup")
    fresh = await forms.one_login(world.settings.model_copy(update={"home": tmp_path / "other"}), "touched")
    other_key = Settings(home=tmp_path / "x", **(KEYS | {"seal_key": KEYS["field_key"]}))  # type: ignore[arg-type]
    for update, words in (
        ({"partitions": 8}, "4 partitions"),
        ({"bus_url": "kafka://nowhere:1/x"}, "without Kafka"),
        ({"seal_key": other_key.seal_key}, "seal key of this backup"),
    ):
        with pytest.raises(WrongArgument, match=words):
            await restore(Settings(**(fresh.model_dump() | update)), SERVICES, *backup.places, quiet)
    with pytest.raises(WrongArgument, match="restored together"):
        await restore(fresh, SERVICES[:1], *backup.places, quiet)
    archive = backup.folder / "data" / "points.dump"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1])
    with pytest.raises(WrongArgument, match=r"points\.dump is not what was backed up"):
        await restore(fresh, SERVICES, *backup.places, quiet)
    archive.write_bytes(whole)
    (backup.folder / "data" / "manifest.json").unlink()
    with pytest.raises(WrongArgument, match="not finished"):
        await restore(fresh, SERVICES, *backup.places, quiet)


async def test_the_drill_finds_what_was_altered_before_the_backup(world: World, tmp_path: Path) -> None:
    await world.publish(client("c-1", "王小明"), trade("t-1", day(0), "10.00"))
    await world.close(day(0))
    await world.seal()
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute("SET LOCAL ROLE NONE")
        await uow.sql.execute("UPDATE points.entries SET points = points + 1")
    backup = await backed_up(world.settings, tmp_path / "backup")
    found = await drill(world.settings, SERVICES, *backup.places, tmp_path, quiet)
    assert {(one.service, one.table) for one in found} == {("points", "entries")}


@pytest.mark.only_kafka
async def test_on_kafka_what_came_after_the_backup_is_read_again_and_a_new_kafka_is_shipped_what_is_kept(
    world: World, postgres: Cluster, tmp_path: Path
) -> None:
    await world.publish(client("c-1", "王小明"), trade("t-1", day(0), "10.00"))
    await world.close(day(0))
    await world.seal()
    backup = await backed_up(world.settings, tmp_path / "backup")
    at_backup = await kept(world)
    await world.publish(trade("t-2", day(1), "20.00"))
    await world.close(day(1))
    in_the_end = await kept(world)
    await world.stop()

    elsewhere = {"home": tmp_path / "same", "database_url": await postgres.make("same_kafka")}
    same = world.settings.model_copy(update=elsewhere)
    said: list[str] = []
    await restore(same, SERVICES, *backup.places, said.append)
    assert said[-1] == "Kafka has it all"
    async with running(World(same, "kafka")) as restored:
        assert await kept(restored) == at_backup
        await restored.settle()
        assert await kept(restored) == in_the_end

    fresh = {
        "home": tmp_path / "new",
        "database_url": await postgres.make("new_kafka"),
        "bus_url": f"{same.bus_url}-new",
    }
    await restore(new := same.model_copy(update=fresh), SERVICES, *backup.places, said.append)
    assert "positions begin anew" in said[-1]
    async with running(World(new, "kafka")) as restored:
        await restored.settle()
        assert await kept(restored) == at_backup
        assert await restored.rows("points", "SELECT DISTINCT action FROM audit WHERE action ~ 'reconcile'")
        await restored.publish(trade("t-2", day(1), "20.00"))
        await restored.close(day(1))
        assert await kept(restored) == in_the_end
    another = msgspec.structs.replace(read(backup.folder / "data", Manifest), home="another")
    write(backup.folder / "data", another)
    with pytest.raises(WrongArgument, match="belongs to home"):
        await restore(same, SERVICES, *backup.places, quiet)
    for name in ("same_kafka", "new_kafka"):
        await postgres.drop(name)
