"""Point-in-time recovery: PostgreSQL's own, from a base backup and the archived WAL. Positions and effects are of one moment."""

import asyncio
import subprocess
from pathlib import Path

import asyncpg

from chassis.folders import private_folder
from chassis.servers.postgres import PrivatePostgres, wheel_binaries
from chassis.servers.sockets import socket_folder
from chassis.settings import Settings
from tests.faults.scene import scene
from tests.faults.suite import prepared

KEPT = "SELECT count(*) FROM counting.entries"


async def test_a_moment_between_two_batches_comes_back_and_the_sources_send_again(tmp_path: Path) -> None:
    archive, base = tmp_path / "archive", tmp_path / "b" / "pg" / "data"
    archive.mkdir()
    server = PrivatePostgres(
        tmp_path / "a",
        settings={
            "wal_level": "replica",
            "max_wal_senders": "2",
            "archive_mode": "on",
            "archive_command": f"cp %p {archive}/%f",
        },
    )
    url = await asyncio.to_thread(server.start)
    try:
        settings = await prepared(Settings(home=tmp_path / "home", database_url=url))
        async with scene(settings, "pointintime", 1) as at:
            await at.say(60)
            await at.step(limit=20)
            private_folder(base.parents[1])
            private_folder(base.parent)
            await asyncio.to_thread(
                subprocess.run,
                [
                    str(wheel_binaries() / "pg_basebackup"), "--pgdata", str(base), "--wal-method=none", "--checkpoint=fast",
                    "--dbname", f"host={socket_folder(server.folder)} user=postgres",
                ],
                check=True,
                capture_output=True,
            )  # fmt: skip
            await at.say(40)
            await at.step(limit=30)
            admin = await at.admin()
            wanted, moment = await admin.fetchval(KEPT), await admin.fetchval("SELECT clock_timestamp()")
            await at.say(50)
            await at.drain()
            assert await admin.fetchval(KEPT) > wanted
            last = await admin.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
            async with asyncio.timeout(60):
                while (await admin.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < last:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)  # the archiver wakes nobody
            await admin.close()
            said, facts = at.messages, at.facts
    finally:
        await asyncio.to_thread(server.stop, even_if_used=True)

    (base / "recovery.signal").touch()
    restored = PrivatePostgres(
        tmp_path / "b",
        settings={
            "restore_command": f"cp {archive}/%f %p",
            "recovery_target_time": moment.isoformat(),
            "recovery_target_action": "promote",
            "hot_standby": "off",
        },
    )
    url = await asyncio.to_thread(restored.start)
    try:
        settings = Settings(home=tmp_path / "home", database_url=url)
        async with scene(settings, "pointintime", 1) as at:
            admin = await asyncpg.connect(url)
            assert await admin.fetchval(KEPT) == wanted
            await admin.close()
            at.facts, at.messages = facts, said
            await at.publish(said)  # whatever was sent before: what is known changes nothing
            await at.drain()
            assert await at.outcome() == (0, 0)
    finally:
        await asyncio.to_thread(restored.stop, even_if_used=True)
