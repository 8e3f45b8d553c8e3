"""A backup in a bucket of a real S3 server: taken, tried and restored as the page says; whoever cannot reach it is told."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from careline.backup.places import BucketFailed, Places, fetched, written
from careline.refusals import WrongArgument
from chassis.servers.ports import free_port
from tests.classification.facts import day, trade
from tests.cli.conftest import Careline
from tests.conftest import KEYS
from tests.operations.conftest import Forms
from tests.operations.pages import follow
from tests.operations.test_backup import client, kept
from tests.world import World, running

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a bucket on a server of its own, which the environment names."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    words = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while True:
                with suppress(httpx.ConnectError):
                    httpx.put(f"{address}/backups", timeout=60).raise_for_status()
                    break
                assert server.poll() is None
                time.sleep(0.1)  # another process starts; nothing here can be woken
            for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": address}).items():
                monkeypatch.setenv(name, value)
            yield "backups"
        finally:
            server.terminate()


async def test_a_backup_in_a_bucket_is_taken_tried_and_restored_as_the_page_says(
    world: World, bucket: str, forms: Forms, careline: Careline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await world.publish(client("c-1", "王小明"), trade("t-1", day(0), "10.00"))
    await world.close(day(0))
    await world.seal()
    at_backup = await kept(world)
    keys = {f"CARELINE_{name.upper()}": value for name, value in KEYS.items()}
    given = keys | {
        "CARELINE_HOME": str(world.settings.home),
        "CARELINE_DATABASE_URL": world.settings.database_url or "",
    }
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    fresh = await forms.one_login(world.settings.model_copy(update={"home": tmp_path / "other"}), "from_a_bucket")
    done = await follow(
        "docs/operations.md", "A backup in a bucket", BUCKET=bucket, TMPDIR=str(scratch),
        NEW_HOME=str(fresh.home), NEW_DATABASE=fresh.database_url or "", **given,
    )  # fmt: skip
    lines = done.out.splitlines()
    assert (done.code, "the backup holds" in lines, lines[-1]) == (0, True, "verified"), done
    assert list(scratch.iterdir()) == [], "nothing is left of what was on its way"
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    again = await careline("backup", f"s3://{bucket}/careline/monday")
    assert (again.code, "is not empty" in again.err) == (1, True), again
    async with running(World(fresh, "log")) as restored:
        assert await restored.findings(full=True) == []
        assert await kept(restored) == at_backup


async def test_what_cannot_be_had_from_a_bucket_is_said(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bring(place: str) -> None:
        async with fetched(Places.named(place, None, None)):
            raise AssertionError("nothing was there")

    with pytest.raises(WrongArgument, match="nothing is at s3://backups/none/data"):
        await bring("s3://backups/none")
    with pytest.raises(BucketFailed, match="NoSuchBucket"):
        await bring("s3://another/place")
    with pytest.raises(WrongArgument, match="name the bucket and a place in it"):
        await bring("s3://backups")
    place = Places.named("s3://backups/half", str(tmp_path / "keys"), str(tmp_path / "witness"))

    async def break_off() -> None:
        async with written(place) as (folder, keys, _):
            assert keys == tmp_path / "keys"
            folder.mkdir()
            (folder / "data").write_bytes(b"half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await break_off()
    with pytest.raises(WrongArgument, match="nothing is at"):
        await bring("s3://backups/half")
