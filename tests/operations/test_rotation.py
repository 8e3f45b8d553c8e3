"""Every key of the platform's own is replaced by a command while it runs: what was written before stays readable."""

import base64
import secrets
from pathlib import Path

import httpx
import pytest

from careline.asgi import apps_of
from chassis.actor import Role
from chassis.personal.keys import Value
from chassis.secrets import key_ring
from chassis.settings import Settings
from contracts.broker import ClientOpened
from gateway.app import gateway_app
from gateway.client_search import note_clients
from gateway.settings import GatewaySettings
from gateway.tokens import issue_token
from tests.classification.facts import day, opened, trade
from tests.cli.conftest import Careline
from tests.operations.pages import follow
from tests.world import World, running

NAMES = ("internal", "field", "seal", "master")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home that makes its own keys."""
    return Settings(home=tmp_path / "home")


async def found(world: World, phone: str) -> list[str]:
    """Clients found by their number, at the gateway's door."""
    app = gateway_app(world.settings, world.database("gateway"), apps_of(world.platform), own=GatewaySettings())
    headers = {"authorization": f"Bearer {issue_token(world.settings, Role.HQ)}", "Purpose": "test"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://careline.test") as http:
        answer = await http.post("/v1/clients/search", json={"phone": phone}, headers=headers)
    assert answer.status_code == 200, answer.text
    return [one["client_id"] for one in answer.json()["clients"]]


async def note(world: World, client_id: str, phone: str) -> str:
    """A client comes with their number; the sealed number."""
    fact = ClientOpened(client_id=client_id, branch_id="B1", opened_on=day(0), phone=phone)
    gateway = world.database("gateway")
    [sealed] = await gateway.keyring.seal_events([fact])
    async with gateway.unit_of_work() as uow:
        await note_clients(uow, [(fact, uow.now, f"e-{client_id}")])
    await world.publish(fact)
    return sealed.sealed["phone"]


async def read(world: World, client_id: str, sealed: str) -> str | None:
    [value] = await world.database("gateway").keyring.open([Value(client_id, "phone", sealed)])
    return value


async def test_every_key_rotates_while_the_platform_runs_and_the_old_ones_can_go(
    world: World, careline: Careline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARELINE_DATABASE_URL", world.settings.database_url or "")
    sealed = await note(world, "c-1", "13800000001")
    await world.publish(opened(), trade("t-1", day(0), "10.00"))
    await world.close(day(0))
    await world.seal()
    before = {name: key_ring(world.settings, name) for name in NAMES}
    done = await follow(
        "docs/operations.md", "Keys, passwords, certificates",
        CARELINE_HOME=str(world.settings.home), CARELINE_DATABASE_URL=world.settings.database_url or "",
    )  # fmt: skip
    assert (done.code, done.out.splitlines()[-1]) == (0, "verified"), done
    for name in NAMES:
        assert key_ring(world.settings, name)[1:] == before[name], name
    actions = await world.rows("gateway", "SELECT object FROM audit WHERE action = 'rotate key' ORDER BY 1")
    assert [row["object"] for row in actions] == sorted(f"key/{name}" for name in NAMES)

    # The platform that has run all the while, with the keys it began with.
    world.database("gateway").keyring.forget(["c-1"])
    assert await read(world, "c-1", sealed) == "13800000001"
    assert await found(world, "13800000001") == ["c-1"]
    later = await note(world, "c-2", "13800000002")
    await world.publish(trade("t-2", day(0), "10.00"))
    await world.settle()
    await world.seal()
    assert await world.findings(full=True) == []
    await careline("keys", "rewrap")  # what it wrapped before it had heard of the new key

    for name in ("master", "seal"):
        path = world.settings.home / "secrets" / f"{name}.key"
        path.write_text(path.read_text("ascii").splitlines()[0], "ascii")
    async with running(World(world.settings, "log")) as fresh:
        assert await read(fresh, "c-1", sealed) == "13800000001"
        assert await read(fresh, "c-2", later) == "13800000002"
        assert await found(fresh, "13800000001") == ["c-1"]
        assert await found(fresh, "13800000002") == ["c-2"]
        assert await fresh.findings(full=True) == []


async def test_keys_of_the_environment_are_rotated_by_their_owner(
    world: World, careline: Careline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARELINE_DATABASE_URL", world.settings.database_url or "")
    sealed = await note(world, "c-1", "13800000001")
    [old] = key_ring(world.settings, "master")
    new = base64.b64encode(secrets.token_bytes(32)).decode()
    monkeypatch.setenv("CARELINE_MASTER_KEY", f"{new},{base64.b64encode(old).decode()}")
    refused = await careline("keys", "rotate", "master")
    assert (refused.code, "CARELINE_MASTER_KEY=NEW,OLD" in refused.err) == (1, True)
    assert (await careline("keys", "rewrap")).out.startswith("2 keys were wrapped by an older")
    assert (await careline("keys", "rewrap")).out.startswith("0 keys")
    alone = Settings(**(world.settings.model_dump() | {"master_key": new}))
    async with running(World(alone, "log")) as fresh:
        assert await read(fresh, "c-1", sealed) == "13800000001"
        assert await found(fresh, "13800000001") == ["c-1"]
    async with world.sql("gateway") as sql:
        for owner, wrapped in await sql.fetch("SELECT owner, wrapped FROM client_keys"):
            assert old not in (owner, wrapped)
