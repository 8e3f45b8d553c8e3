"""The link by which clients confirm in their own zone: theirs alone, of one use, for its time [Q4]."""

import json
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event

from chassis.clock import utc_now
from chassis.rows import columns, fetch
from chassis.secrets import key_ring
from services.suitability.links import token_of
from services.suitability.tables import ConfirmationLink
from tests.chassis.audit.conftest import superuser
from tests.suitability.conftest import DAY, DESK, ELSEWHERE, MANAGER, Desk, assessed, client, opened, today
from tests.world import World

pytestmark = pytest.mark.services("suitability", "messaging")
ME, OTHER = client("c-1"), client("c-2")
GIVEN = {"warning_version": "W1", "signature": "s-1"}


async def begun(world: World, desk: Desk, product: str = "FUND", channel: str = "mobile") -> str:
    """A CONFIRM that staff have begun for the client; the path of its decision."""
    day = await today(world) - DAY * 50
    await world.publish(opened("c-1", phone="13800138000"), opened("c-2"), assessed("c-1", "LOW", day - DAY * 60))
    await world.close(day)
    await desk.keep("FUND", kind="fund:equity")
    await desk.keep("WARRANT", kind="warrant")
    asked = await desk.decide(DESK, "c-1", product, channel=channel)
    assert asked["outcome"] == "CONFIRM"
    return f"/decisions/{asked['decision_id']}"


async def asked_for(world: World) -> list[dict[str, Any]]:
    """The messages that suitability asked for, in order."""
    rows = await world.rows(
        "suitability", "SELECT value FROM bus.log WHERE type = 'suitability.message.requested' ORDER BY \"offset\""
    )
    return [json.loads(row["value"]) for row in rows]


async def token_in(world: World) -> str:
    link: str = (await asked_for(world))[-1]["fields"]["link"]
    return link.removeprefix("/me/confirmations/")


async def test_a_link_is_the_clients_own_and_of_one_use(world: World, desk: Desk) -> None:
    path = await begun(world, desk)
    assert (await desk.call(ELSEWHERE, "POST", f"{path}/link")).status_code == 404
    assert (await desk.call(ME, "POST", f"{path}/link")).status_code == 403
    sent = await desk.post(DESK, f"{path}/link")
    token = await token_in(world)
    assert token not in json.dumps(sent)  # who asked for it does not read it
    await world.settle()
    [message] = await world.rows("messaging", "SELECT kind, state, reason, asked_by FROM messages")
    assert (message["kind"], message["asked_by"]) == ("purchase_confirmation", "suitability")
    assert message["state"] in ("planned", "queued"), message["reason"]  # by the hour this test runs at

    shown = await desk.get(ME, f"/confirmation-links/{token}")
    assert (shown["decision_id"], shown["warning"]["version"]) == (path.removeprefix("/decisions/"), "W1")
    assert (await desk.call(OTHER, "GET", f"/confirmation-links/{token}")).status_code == 404
    assert (await desk.call(DESK, "GET", f"/confirmation-links/{token}")).status_code == 403
    for place in (0, 21, len(token) - 1):  # of the id, of the signature, and its last sign
        altered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert (await desk.call(ME, "GET", f"/confirmation-links/{altered}")).status_code == 404
        await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": altered}, 404)
    for who in (OTHER, DESK, MANAGER):
        await desk.post(who, f"{path}/confirmation", GIVEN | {"link": token}, 404)

    unsigned = await desk.post(ME, f"{path}/confirmation", {"warning_version": "W1", "link": token}, 422)
    assert unsigned["errors"][0]["pointer"] == "/signature"
    await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": token})
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "PASS"
    again = await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": token}, 409)
    assert again["type"].endswith("confirmation-link-used")
    assert (await desk.call(ME, "GET", f"/confirmation-links/{token}")).status_code == 409
    [kept] = await world.rows("suitability", "SELECT k.actor, l.used_at FROM confirmations k JOIN confirmation_links l USING (link_id)")  # fmt: skip
    assert (kept["actor"], kept["used_at"] is not None) == ("c-1", True)
    await desk.post(DESK, f"{path}/link", None, 409)


async def test_a_link_waits_for_the_cooling_time_and_ends_with_the_time_to_confirm(world: World, desk: Desk) -> None:
    path = await begun(world, desk, "WARRANT")
    decision = await desk.get(DESK, path)
    sent = await desk.post(DESK, f"{path}/link")
    [asked] = await asked_for(world)
    assert sent["opens_at"] == decision["not_before"]
    assert decision["not_before"] < sent["expires_at"] <= decision["confirm_by"]
    assert asked["not_before"][:19] == sent["opens_at"][:19]
    assert asked["not_after"][:19] == sent["expires_at"][:19]
    token = await token_in(world)
    answers = [
        {"question": code, "answer": said} for code, said in (("loss", "yes"), ("reserve", "yes"), ("urged", "no"))
    ]
    early = await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": token, "answers": answers}, 409)
    assert early["type"].endswith("cooling-time-running")
    await desk.get(ME, f"/confirmation-links/{token}")  # it is not used up


async def test_a_newer_link_replaces_it_and_one_that_is_over_opens_nothing(world: World, desk: Desk) -> None:
    path = await begun(world, desk, channel="counter")
    await desk.post(DESK, f"{path}/link")
    first = await token_in(world)
    await desk.post(DESK, f"{path}/link")
    second = await token_in(world)
    replaced = await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": first}, 409)
    assert replaced["type"].endswith("confirmation-link-used")
    # Begun at the counter, where a recording is asked for; by the link it is the client's signature.
    assert (await desk.get(ME, f"/confirmation-links/{second}"))["needs"] == ["confirmation", "signature"]
    over = utc_now() - timedelta(minutes=1)
    async with world.sql("suitability") as sql:
        await sql.execute("UPDATE confirmation_links SET expires_at = $1 WHERE ended_at IS NULL", over)
        [link] = await fetch(sql, ConfirmationLink, f"SELECT {columns(ConfirmationLink)} FROM confirmation_links WHERE ended_at IS NULL")  # fmt: skip
    # The signature says how long it is good: what is kept here cannot make it longer or shorter.
    assert (await desk.call(ME, "GET", f"/confirmation-links/{second}")).status_code == 404
    signed = token_of(key_ring(world.settings, "field")[0], link)
    late = await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": signed}, 409)
    assert late["type"].endswith("confirmation-link-used")
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "CONFIRM"
    await desk.post(DESK, f"{path}/link")
    await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": await token_in(world)})
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "PASS"


async def clock_moved(world: World, hours: float) -> None:
    """Let the home's clock, which is its database's, be so much later: for every connection from now on."""
    async with superuser(world, "suitability") as sql:
        await sql.execute("CREATE SCHEMA IF NOT EXISTS later")
        for clock in ("now", "clock_timestamp"):
            await sql.execute(
                f"""CREATE OR REPLACE FUNCTION later.{clock}() RETURNS timestamptz LANGUAGE sql STABLE
                    AS $$SELECT pg_catalog.{clock}() + interval '1 minute' * {round(hours * 60)}$$"""
            )
        await sql.execute("GRANT USAGE ON SCHEMA later TO PUBLIC")
    database = world.database("suitability")
    event.listen(database.engine.sync_engine, "connect", lambda dbapi, _: dbapi.run_async(_read_later))
    await database.close()  # what comes connects anew


async def _read_later(connection: asyncpg.Connection) -> None:
    await connection.execute("SET search_path = later, suitability, pg_catalog")


async def test_opening_a_link_and_confirming_by_it_end_by_the_same_clock(world: World, desk: Desk) -> None:
    path = await begun(world, desk)
    await desk.post(DESK, f"{path}/link")
    token = await token_in(world)
    await clock_moved(world, 23.9)
    await desk.get(ME, f"/confirmation-links/{token}")
    unsigned = {"warning_version": "W1", "link": token}  # as far as it gets: the link is good, the signature is missing
    await desk.post(ME, f"{path}/confirmation", unsigned, 422)
    await clock_moved(world, 24.1)
    over = await desk.call(ME, "GET", f"/confirmation-links/{token}")
    late = await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": token}, 409)
    assert over.status_code == 409
    assert over.json()["type"] == late["type"]
    assert late["type"].endswith("confirmation-link-used")
    # There is time to confirm yet: another link is good, and ends with it.
    await clock_moved(world, 71.9)
    sent = await desk.post(DESK, f"{path}/link")
    assert sent["expires_at"] == (await desk.get(DESK, path))["confirm_by"]
    token = await token_in(world)
    await desk.get(ME, f"/confirmation-links/{token}")
    await clock_moved(world, 72.1)
    assert (await desk.call(ME, "GET", f"/confirmation-links/{token}")).status_code == 409
    await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": token}, 409)
    lapsed = await desk.post(DESK, f"{path}/link", None, 409)
    assert lapsed["type"].endswith("confirmation-lapsed")
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "CONFIRM"


async def test_a_link_for_another_decision_confirms_nothing(world: World, desk: Desk) -> None:
    path = await begun(world, desk)
    other = await desk.decide(DESK, "c-1", "FUND")
    await desk.post(DESK, f"/decisions/{other['decision_id']}/link")
    await desk.post(ME, f"{path}/confirmation", GIVEN | {"link": await token_in(world)}, 404)
