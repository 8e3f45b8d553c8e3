"""People and keys by the command line: each command on a running database, each on the record with before and after."""

import getpass
import io
from pathlib import Path
from typing import Any

import pytest

from careline.commands import access as commands
from chassis.actor import Actor, Role
from gateway.access import begin_session
from gateway.keys import make_key
from gateway.people import add_user
from gateway.staff import LastAdministrator
from gateway.tokens import GatewayTokens
from tests.cli.conftest import Careline
from tests.world import World

PASSWORD = "a long password"
ME = getpass.getuser()


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that asks for a password reads this one from its standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n" * 5))


async def acts(world: World, object: str) -> list[tuple[str, str, Any, Any]]:
    """What is on the record of an object: the act, by whom, and the state before and after."""
    rows = await world.rows("gateway", "SELECT action, actor, inputs FROM audit WHERE object = $1 ORDER BY at", object)
    return [(one["action"], one["actor"], one["inputs"].get("before"), one["inputs"].get("after")) for one in rows]


async def test_a_user_from_first_to_last(world: World, on_world: Careline) -> None:
    refused = await on_world("users", "add", "anna", "--role", "agent")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "role agent belongs to a branch" in refused.err
    assert (await on_world("users", "list")).out == ""
    for words, told in (
        (("add", "anna", "--role", "agent", "--branch", "B1"), "user anna may sign in as agent"),
        (("set-password", "anna"), "user anna has a new password"),
        (("disable", "anna"), "user anna may not sign in"),
        (("enable", "anna"), "user anna may sign in"),
        (("revoke-sessions", "anna"), "every session of user:anna has ended"),
    ):
        done = await on_world("users", *words)
        assert (done.code, done.err, told in done.out) == (0, "", True), words
    assert "branch_id: B1" in (await on_world("users", "show", "anna")).out
    assert (await on_world("users", "list")).out.splitlines()[1].split("\t")[:4] == ["anna", "agent", "B1", "False"]
    again = await on_world("users", "add", "anna", "--role", "hq")
    assert (again.code, "there is a user named anna" in again.err) == (1, True)
    assert (await on_world("users", "remove", "anna")).code == 0
    for command in ("show", "set-password", "disable", "enable", "remove"):
        missing = await on_world("users", command, "anna")
        assert (missing.code, "no user named anna" in missing.err) == (1, True), command
    found = await acts(world, "user/anna")
    assert [act for act, *_ in found] == ["add_user", "set_password", "disable_user", "enable_user", "remove_user"]
    assert {actor for _, actor, *_ in found} == {f"os:{ME}"}
    state = [(before and before["disabled"], after and after["disabled"]) for *_, before, after in found]
    assert state == [(None, False), (False, False), (False, True), (True, False), (False, None)]
    assert PASSWORD not in str(found)


async def test_a_key_from_first_to_last(world: World, on_world: Careline) -> None:
    refused = await on_world("keys", "add", "desk", "--role", "branch_manager")
    assert (refused.code, "belongs to a branch" in refused.err) == (1, True)
    made = await on_world("keys", "add", "feed")
    assert (made.code, made.out.startswith("ck_")) == (0, True)
    for command in ("disable", "enable", "revoke"):
        assert (await on_world("keys", command, "feed")).code == 0
    assert (await on_world("keys", "list")).out.splitlines()[1].split("\t")[:2] == ["feed", "system"]
    shown = await on_world("keys", "show", "feed")
    assert ("role: system" in shown.out, made.out.strip() in shown.out) == (True, False)
    assert (await on_world("keys", "remove", "feed")).code == 0
    for command in ("show", "disable", "enable", "revoke", "remove"):
        missing = await on_world("keys", command, "feed")
        assert (missing.code, "no key named feed" in missing.err) == (1, True), command
    found = await acts(world, "api_key/feed")
    assert [act for act, *_ in found] == [
        "make_api_key", "disable_api_key", "enable_api_key", "revoke_api_key", "remove_api_key"
    ]  # fmt: skip
    assert [(before is None, after is None) for *_, before, after in found] == [
        (True, False), (False, False), (False, False), (False, False), (False, True)
    ]  # fmt: skip


async def test_sessions_are_listed_shown_and_ended(world: World, on_world: Careline) -> None:
    tokens, li = GatewayTokens(world.settings).session, Actor("user:li", Role.HQ, person="s-li")
    for name in ("one", "two", "three"):
        await begin_session(world.database("gateway"), tokens.check(tokens.make(li, 600, id=name)), li, "test")
    listed = await on_world("sessions", "list", "--person", "s-li")
    assert [line.split("\t")[0] for line in listed.out.splitlines()] == ["id", "one", "three", "two"]
    assert "person: s-li" in (await on_world("sessions", "show", "one")).out
    assert (await on_world("sessions", "revoke", "one")).code == 0
    assert (await on_world("sessions", "revoke", "--person", "s-li")).code == 0
    assert (await on_world("sessions", "list")).out == ""
    assert (await on_world("sessions", "list", "--all")).out.count("\n") == 4
    for wrong in (("revoke",), ("revoke", "one", "--person", "s-li"), ("revoke", "one"), ("show", "four")):
        assert (await on_world("sessions", *wrong)).code == 1, wrong
    assert [act for act, *_ in await acts(world, "person/s-li")][-2:] == ["end_session", "revoke_sessions"]


@pytest.mark.parametrize("command", ["disable", "remove"])
async def test_nobody_shuts_themselves_out_as_the_last_administrator(
    world: World, on_world: Careline, command: str
) -> None:
    await on_world("users", "add", ME, "--role", "operations")
    await on_world("users", "add", "anna", "--role", "agent", "--branch", "B1")
    refused = await on_world("users", command, ME)
    assert (refused.code, "last administrator" in refused.err) == (1, True)
    assert [act for act, *_ in await acts(world, f"user/{ME}")] == ["add_user"]
    await on_world("users", "add", "li", "--role", "hq")
    assert (await on_world("users", command, ME)).code == 0
    assert (await on_world("users", command, "li")).code == 0, "somebody else"


async def test_a_key_does_not_revoke_itself_as_the_last_administrators(world: World) -> None:
    from gateway import keys

    gateway, own = world.database("gateway"), Actor("key:root", Role.OPERATIONS)
    await make_key(gateway, own, "root", Role.OPERATIONS)
    for act in (keys.revoke_key, keys.disable_key, keys.remove_key):
        with pytest.raises(LastAdministrator):
            await act(gateway, own, "root")
    await add_user(gateway, own, "li", PASSWORD, Role.HQ)
    await keys.revoke_key(gateway, own, "root")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--role", "hq", "--person", "s-li"), ("s-li", "hq", None, None)),
        (("--role", "agent", "--person", "s-an", "--branch", "B1"), ("s-an", "agent", "B1", None)),
        (("--role", "client", "--client", "7c"), ("7c", "client", None, "7c")),
    ],
)
async def test_a_token_says_who_it_stands_for(
    world: World, on_world: Careline, words: tuple[str, ...], said: tuple[Any, ...]
) -> None:
    made = await on_world("token", *words)
    actor = GatewayTokens(world.settings).bearer.check(made.out.strip()).actor
    assert (actor.person, str(actor.role), actor.branch_id, actor.client_id) == said


async def test_a_token_of_a_branchs_role_names_its_branch(on_world: Careline) -> None:
    refused = await on_world("token", "--role", "agent", "--person", "s-an")
    assert (refused.code, "--branch" in refused.err) == (1, True)


def test_every_command_is_tried() -> None:
    """A command added here needs a test of its own; keys rotate in tests/operations."""
    words = Path(__file__).read_text("utf-8")
    for app in (commands.users, commands.keys, commands.sessions):
        for one in app.registered_commands:
            assert f'"{one.name}"' in words or one.name in ("make", "rotate", "rewrap"), one.name
