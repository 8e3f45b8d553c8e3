"""`careline positions` and `careline dead-letters skip`: the ways on, with a reason, audited."""

import pytest

from contracts.broker import ACCOUNTS
from tests.classification.facts import opened
from tests.cli.conftest import Careline
from tests.world import World


async def test_positions_are_shown_and_skipped(world: World, on_world: Careline) -> None:
    await world.publish(opened())
    await world.settle()
    shown = await on_world("positions", "show", "--service", "points")
    assert (shown.code, "careline.broker.trades" in shown.out) == (0, True)
    behind = await on_world("positions", "skip", "points", ACCOUNTS, "0", "--to", "999", "--reason", "tried")
    assert (behind.code, f"points {ACCOUNTS}/0: " in behind.out) == (0, True)
    again = await on_world("positions", "skip", "points", ACCOUNTS, "0", "--to", "1", "--reason", "tried")
    assert (again.code, "forward only" in again.err) == (1, True)
    rows = await world.rows("points", "SELECT inputs FROM audit WHERE action = 'skip_position'")
    assert [(row["inputs"]["after"], row["inputs"]["reason"]) for row in rows] == [(999, "tried")]
    assert await world.value("points", "SELECT since IS NOT NULL FROM consumer_offsets WHERE next = 999")
    refused = await on_world("positions", "ship-again", "gateway", ACCOUNTS, "0", "--from", "0", "--reason", "x")
    assert (refused.code, "ships no" in refused.err) == (1, True)  # on the log nothing is shipped


async def test_a_position_whose_record_is_gone_is_shown_as_such(world: World, on_world: Careline) -> None:
    async with world.database("gateway").unit_of_work() as uow:
        await uow.sql.execute("SET LOCAL ROLE NONE")
        await uow.sql.execute("UPDATE bus.low_water SET next = 5, since = now() WHERE topic = $1", ACCOUNTS)
    shown = await on_world("positions", "show", "--service", "points")
    assert (shown.code, "GONE" in shown.out) == (1, True)


async def test_a_dead_letter_is_skipped_with_a_reason(world: World, on_world: Careline) -> None:
    await world.publish_raw("careline.broker.trades", "c-1", "broker.trade.settled", b"\xff")
    await world.settle()
    listed = await on_world("dead-letters", "list", "--service", "points")
    letter = next(line.split()[0] for line in listed.out.splitlines() if line.startswith("points/"))
    done = await on_world("dead-letters", "skip", letter, "--reason", "a test at the source")
    assert (done.code, done.out.strip()) == (0, "1 skipped")
    assert letter not in (await on_world("dead-letters", "list", "--service", "points")).out
    assert letter in (await on_world("dead-letters", "list", "--service", "points", "--state", "skipped")).out
    again = await on_world("dead-letters", "redrive", letter)
    assert (again.code, "was skipped by" in again.err) == (1, True)
    row = await world.rows("points", "SELECT skipped_because, raw_key FROM dead_letters")
    assert (row[0]["skipped_because"], row[0]["raw_key"]) == ("a test at the source", b"c-1")
    assert await world.value("points", "SELECT count(*) FROM audit WHERE action = 'skip_dead_letter'") == 1


@pytest.mark.only_kafka
async def test_what_lies_in_the_publishers_log_is_shipped_again_and_changes_nothing(
    world: World, on_world: Careline
) -> None:
    await world.publish(opened())
    await world.settle()
    before = await world.value("classification", "SELECT count(*) FROM clients")
    shipped = await world.rows(
        "gateway", "SELECT partition, next FROM relay_cursors WHERE topic = $1 AND next > 0", ACCOUNTS
    )
    partition, following = shipped[0]["partition"], shipped[0]["next"]
    words = ("positions", "ship-again", "gateway", ACCOUNTS, str(partition), "--reason", "tried", "--from")
    done = await on_world(*words, "0")
    assert (done.code, f"{following} records are shipped again" in done.out) == (0, True)
    await world.settle()
    assert (
        await world.value(
            "gateway", "SELECT next FROM relay_cursors WHERE topic = $1 AND partition = $2", ACCOUNTS, partition
        )
        == following
    )
    assert await world.value("classification", "SELECT count(*) FROM clients") == before
    assert (await on_world(*words, str(following))).code == 1
