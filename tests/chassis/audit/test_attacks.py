"""Whoever alters history is refused; and whoever cannot be refused, because they own the server, is found.

Each attack is tried with a service's own role, which must be refused, and then by a superuser: the sealer then signs
nothing more, and `verify` names what and where, at once after a clean run and in full.
"""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import pytest

from chassis.telemetry import SEALING_STOPPED
from chassis.verify import verify
from chassis.witness import folder_of
from tests.chassis.audit.conftest import act, sealer, superuser
from tests.world import World


@dataclass(frozen=True)
class Attack:
    """Statements that alter the history (`{p}` is the partition), the words verify finds for it, and whether the sealer
    sees it before it signs the next rows."""

    name: str
    sql: tuple[str, ...]
    found: str
    stops: bool = True


ATTACKS = [
    Attack("a row altered", ("UPDATE audit SET actor = 'nobody' WHERE partition = {p} AND number = 12",), "altered"),
    Attack("an old row altered", ("UPDATE audit SET actor = 'nobody' WHERE partition = {p} AND number = 2",), "altered", False),
    Attack("a row deleted", ("DELETE FROM audit WHERE partition = {p} AND number = 11",), "missing: 11"),
    Attack("an old row deleted", ("DELETE FROM audit WHERE partition = {p} AND number = 1",), "missing: 1", False),
    Attack(
        "a row inserted at the head",
        ("INSERT INTO audit SELECT partition, 99, at, actor, role, 'other', object, inputs, policy FROM audit "
         "WHERE partition = {p} AND number = 0",),
        "outside every numbered range", False,
    ),
    Attack(
        "a row inserted before the first",
        ("INSERT INTO audit SELECT partition, -1, at, actor, role, 'other', object, inputs, policy FROM audit "
         "WHERE partition = {p} AND number = 0",),
        "outside every numbered range", False,
    ),
    Attack(
        "a row inserted in a partition that is none",
        ("INSERT INTO audit SELECT 77, number, at, actor, role, 'other', object, inputs, policy FROM audit "
         "WHERE partition = {p} AND number = 0",),
        "outside every numbered range", False,
    ),
    Attack(
        "two rows swapped",
        ("UPDATE audit SET number = -1 - number WHERE partition = {p} AND number IN (11, 12)",
         "UPDATE audit SET number = CASE number WHEN -12 THEN 12 ELSE 11 END WHERE partition = {p} AND number < 0"),
        "swapped",
    ),
    Attack(
        "rows renumbered",
        ("DELETE FROM audit WHERE partition = {p} AND number = 12",
         "UPDATE audit SET number = number - 1 WHERE partition = {p} AND number > 12",
         "UPDATE sealed_heads SET next = next - 1 WHERE name = 'audit' AND partition = {p}"),
        "altered, swapped or renumbered",
    ),
    Attack(
        "the tail cut with its seals",
        ("DELETE FROM audit WHERE partition = {p} AND number >= 10",
         "DELETE FROM seals WHERE name = 'audit' AND partition = {p} AND first >= 10",
         "UPDATE sealed_heads SET next = 10 WHERE name = 'audit' AND partition = {p}"),
        "are gone, of rows 10 to 14",
    ),
    Attack(
        "the last seal deleted",
        ("DELETE FROM seals WHERE name = 'audit' AND partition = {p} AND first >= 10",),
        "are gone, of rows 10 to 14",
    ),
    Attack(
        "a partition emptied",
        ("DELETE FROM audit WHERE partition = {p}", "DELETE FROM seals WHERE name = 'audit' AND partition = {p}",
         "UPDATE sealed_heads SET next = 0 WHERE name = 'audit' AND partition = {p}"),
        "are gone, of rows 0 to 14",
    ),
    Attack(
        "a partition emptied with its head",
        ("DELETE FROM audit WHERE partition = {p}", "DELETE FROM seals WHERE name = 'audit' AND partition = {p}",
         "DELETE FROM sealed_heads WHERE name = 'audit' AND partition = {p}"),
        "its head, which numbers its rows, is gone",
    ),
    Attack(
        "everything emptied",
        ("TRUNCATE audit, clock_entries, entries, seals", "UPDATE sealed_heads SET next = 0", "DELETE FROM witnessed"),
        "are gone, of rows 0 to 14",
    ),
    Attack(
        "seals made again with another key",
        ("UPDATE seals SET signature = decode(repeat('ab', 64), 'hex'), digest = sha256(digest) "
         "WHERE name = 'audit' AND partition = {p} AND first = 10",),
        "was made again",
    ),
    Attack("numbers set back", ("UPDATE sealed_heads SET next = 3 WHERE name = 'audit' AND partition = {p}",), "set back"),
]  # fmt: skip
INSERTS = {attack.name for attack in ATTACKS if "inserted" in attack.name}


@pytest.mark.every_postgres
async def test_a_services_role_is_refused_each(sealed: World, place: int) -> None:
    async with sealed.sql("points") as sql:
        for attack in ATTACKS:
            for statement in attack.sql:
                if attack.name not in INSERTS:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await sql.execute(statement.format(p=place))
    assert await sealed.findings(full=True) == []


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_a_superuser_is_found_and_nothing_is_signed_on_top_of_it(
    sealed: World, place: int, attack: Attack
) -> None:
    async with superuser(sealed) as sql:
        for statement in attack.sql:
            await sql.execute(statement.format(p=place))
        await sql.execute("SELECT pg_stat_force_next_flush()")
    for full in (False, True):
        found = await sealed.findings(full=full)
        assert {(one.service, one.table) for one in found} == {("points", "audit")}, found
    assert any(attack.found in one.detail for one in found), found
    if attack.stops:
        before = await sealed.rows("points", "SELECT * FROM seals ORDER BY 1, 2, 3")
        if "emptied" not in attack.name and "set back" not in attack.name:
            await act(sealed, 1)
        await sealed.seal()
        assert await sealed.rows("points", "SELECT * FROM seals ORDER BY 1, 2, 3") == before
        assert sealer(sealed).alarm
        assert SEALING_STOPPED.labels("points")._value.get() == 1
        assert not sealer(sealed, "gateway").alarm


async def test_a_history_made_whole_again_is_sealed_again(sealed: World, place: int) -> None:
    was = await sealed.value("points", "SELECT actor FROM audit WHERE partition = $1 AND number = 12", place)
    for actor, alarm in (("nobody", True), (was, False)):
        async with superuser(sealed) as sql:
            await sql.execute("UPDATE audit SET actor = $2 WHERE partition = $1 AND number = 12", place, actor)
        await sealed.seal()
        assert bool(sealer(sealed).alarm) is alarm
    await act(sealed, 3)
    await sealed.seal()
    assert await sealed.findings() == []


Change = Callable[[World], Awaitable[None]]


async def _witness_missing(world: World) -> None:
    (folder_of(world.settings) / "points.log").unlink()


async def _witness_shorter(world: World) -> None:
    path = folder_of(world.settings) / "points.log"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


async def _witness_line_altered(world: World) -> None:
    path = folder_of(world.settings) / "points.log"
    path.write_bytes(path.read_bytes().replace(b'"audit"', b'"autid"', 1))


async def _everything_missing(world: World) -> None:
    shutil.rmtree(folder_of(world.settings))


@pytest.mark.parametrize("change", [_witness_missing, _witness_shorter, _witness_line_altered, _everything_missing])
async def test_an_altered_witness_is_found(sealed: World, change: Change) -> None:
    await change(sealed)
    for full in (False, True):
        found = await sealed.findings(full=full)
        # Old lines are read again in full only.
        assert any(one.service == "points" for one in found) or (change is _witness_line_altered and not full), found


@pytest.mark.parametrize("change", [_witness_missing, _witness_shorter, _everything_missing])
async def test_a_running_sealer_stops_at_it(sealed: World, change: Change) -> None:
    await change(sealed)
    await act(sealed, 1)
    await sealed.seal()
    assert sealer(sealed).alarm


async def test_a_key_replaced_is_found(sealed: World) -> None:
    import base64

    from pydantic import SecretStr

    other = sealed.settings.model_copy(update={"seal_key": SecretStr(base64.b64encode(b"x" * 32).decode())})
    found = await verify(other, sealed.platform.services, sealed.platform.databases)
    assert [one.service for one in found] == ["keys"]
    assert "seal key in use" in found[0].detail
