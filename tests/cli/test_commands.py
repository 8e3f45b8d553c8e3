"""Commands on a platform: what they do, what they print, how they end."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from chassis.clock import at, month_end, utc_now
from chassis.timeline import Timeline, announce
from contracts import broker
from contracts.base import Quantity, encode
from tests.chassis.audit.conftest import superuser
from tests.cli.conftest import Careline
from tests.world import World

BANK = str(Path(__file__).parents[1] / "data" / "bank")
DAY = date(2020, 7, 2)


def trade(trade_id: str = "t-1", commission: str = "12.34") -> broker.TradeSettled:
    return broker.TradeSettled(
        trade_id=trade_id, client_id="c-1", account_id="c-1", branch_id="B0", trade_date=DAY,
        settled_at=at(DAY, 15), instrument=broker.Instrument(symbol="S", kind="stock"),
        side="buy", quantity=Quantity(1), amount=Quantity("12340"), commission=Quantity(commission), currency="CNY",
    )  # fmt: skip


async def say_trades(world: World, *trades: broker.TradeSettled) -> None:
    opened = broker.ClientOpened(client_id="c-1", branch_id="B0", opened_on=date(2020, 7, 1))
    await world.publish(opened, *trades)
    await world.close(DAY)


async def test_a_replay_and_its_exports(on_world: Careline) -> None:
    counted = await on_world("replay", BANK, "--dry-run", "--until", "2020-07-31")
    assert (counted.code, counted.err) == (0, "")
    assert (await on_world("export", "clients")).out.count("\n") == 1  # the dry run said nothing
    done = await on_world("replay", BANK, "--until", "2020-07-31")
    assert done.code == 0, done.err
    assert counted.out in done.out
    assert "totals" in done.out
    clients = await on_world("export", "clients", "--as-of", "2020-07-31")
    assert clients.out.startswith(
        "client_id,branch_id,opened_on,class,provisional,asset_mean,turnover,tier,points,debt\n"
    )
    lines = clients.out.splitlines()[1:]
    assert lines == sorted(lines)
    again = await on_world("replay", BANK, "--until", "2020-07-31")
    assert "nothing was left to publish" in again.out
    for name in ("tiers", "points", "assessments", "mismatches", "groups"):
        assert (await on_world("export", name)).code == 0
    other = await on_world("replay", BANK, "--customers", "3")
    assert (other.code, other.err.count("\n")) == (1, 1)
    assert "CARELINE_HOME" in other.err


async def test_lag_verify_and_doctor_find_nothing_wrong_and_then_something(world: World, on_world: Careline) -> None:
    await say_trades(world, trade())
    assert "points" in (await on_world("lag")).out
    await world.seal()
    assert (await on_world("verify")).out.endswith("verified\n")
    healthy = await on_world("doctor")
    assert healthy.code == 0, healthy.out
    async with world.database("gateway").unit_of_work() as uow:
        announce(uow, Timeline.REAL, utc_now())
    await world.publish(broker.BranchChanged(branch_id="B1"), at=utc_now() - timedelta(minutes=1))
    await world.settle()
    lacking = await on_world("doctor")
    assert (lacking.code, "complaints: channels: no complaint phone or mailbox: B1" in lacking.out) == (1, True)
    await world.publish(broker.ClientUpdated(client_id="c-1", branch_id="B1"))
    stuck = await on_world("doctor")
    assert (stuck.code, "nobody works on them" in stuck.out, "careline up" in stuck.out) == (1, True, True)
    async with superuser(world) as sql:
        await sql.execute("UPDATE entries SET points = points + 1")
    altered = await on_world("verify")
    assert altered.code == 1
    assert "points.entries" in altered.out
    assert "altered" in altered.out


async def test_a_dead_letter_is_seen_tried_and_redriven(world: World, on_world: Careline) -> None:
    await world.publish_raw(broker.TRADES, "c-1", broker.TradeSettled.type, b'{"trade_id": 7}')
    await world.settle()
    listed = await on_world("dead-letters", "list", "--service", "points")
    letter = next(line.split()[0] for line in listed.out.splitlines() if line.startswith("points/"))
    assert '{"trade_id": 7}' in (await on_world("dead-letters", "show", letter)).out
    tried = await on_world("dead-letters", "redrive", letter, "--dry-run")
    assert (tried.code, "failed" in tried.out) == (1, True)
    async with world.sql("points") as sql:
        await sql.execute("UPDATE dead_letters SET value = $1", encode(trade("t-9")))
    done = await on_world("dead-letters", "redrive", "--all", "--service", "points")
    assert (done.code, "1 redriven, 0 failed" in done.out) == (0, True)
    assert "c-1" in (await on_world("export", "points")).out


async def test_other_content_is_listed_and_decided(world: World, on_world: Careline) -> None:
    await say_trades(world, trade(), trade(commission="99.99"))
    listed = await on_world("conflicts", "list", "--service", "points")
    conflict = next(line.split()[0] for line in listed.out.splitlines() if line.startswith("points/"))
    assert "99.99" in (await on_world("conflicts", "show", conflict)).out
    decided = await on_world("conflicts", "reject", conflict, "--reason", "a typing error at the source")
    assert (decided.code, "rejected by os:" in decided.out) == (0, True)
    again = await on_world("conflicts", "reject", conflict, "--reason", "again")
    assert (again.code, again.err.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["export", "nothing"], 1, "choose from clients, tiers"),
        (["export", "clients", "--as-of", "31.12.2020"], 2, "YYYY-MM-DD"),
        (["replay", BANK, "--until", "2020-02-30"], 2, "YYYY-MM-DD"),
        (["replay", BANK, "--until", "2030-01-01"], 1, "--until must be from 2020-07-01 to 2022-11-30"),
        (["replay", BANK, "--customers", "0"], 2, "--customers"),
        (["replay", "/nowhere"], 1, "there is no such folder"),
        (["serve", "nothing"], 2, "choose from gateway"),
        (["work", "points", "nothing"], 2, "choose from gateway"),
        (["up", "--port", "70000"], 2, "65535"),
        (["token", "--role", "client"], 1, "--client"),
        (["token", "--role", "emperor"], 2, "emperor"),
        (["dead-letters", "show", "points"], 1, "SERVICE/NUMBER"),
        (["dead-letters", "redrive"], 1, "--all"),
        (["conflicts", "accept", "points/1"], 2, "--reason"),
        (["nothing"], 2, "nothing"),
    ],
)
async def test_wrong_arguments_are_told(careline: Careline, words: list[str], code: int, expected: str) -> None:
    said = await careline(*words)
    assert said.code == code
    assert expected in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CARELINE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "the database does not answer"),
        ("CARELINE_PARTITIONS", "many", "CARELINE_PARTITIONS"),
        ("CARELINE_HOME", "/proc/none", "/proc/none"),
    ],
)
async def test_what_is_missing_is_one_line(
    careline: Careline, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    said = await careline("lag")
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert expected in said.err


async def test_a_broker_that_is_away_is_one_line(on_world: Careline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_BUS_URL", "kafka://127.0.0.1:1/none")
    said = await on_world("migrate")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "Kafka does not answer" in said.err


async def test_another_number_of_partitions_is_refused(on_world: Careline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_PARTITIONS", "7")
    said = await on_world("migrate")
    assert (said.code, "made with 4 partitions, CARELINE_PARTITIONS says 7" in said.err) == (1, True)


async def test_coverage_by_branch_and_its_ledger(on_world: Careline, world: World, tmp_path: Path) -> None:
    for client, branch in (("c-1", "B1"), ("c-2", "B1"), ("c-3", "B2")):
        await world.publish(broker.ClientOpened(client_id=client, branch_id=branch, opened_on=date(2019, 5, 2)))
    await world.settle()
    said = await on_world("coverage", "--as-of", "2020-07-02", "--branch", "B1", "--folder", str(tmp_path / "proof"))
    assert (said.code, said.err) == (0, "")
    heading, firm, branch, proof = (line.split() for line in said.out.splitlines())
    assert heading[:4] == ["branch_id", "counted", "covered", "needed"]
    assert firm == ["firm", "3", "0", "1", "0.00", "0", "0", "0"]
    assert branch == ["B1", "2", "0", "1", "0.00", "0", "0", "0"]
    assert proof[-1] in (tmp_path / "proof" / "coverage-2020-07-02.json").read_text("utf-8")
    assert (await on_world("coverage", "--as-of", "yesterday")).code == 2


async def test_a_month_of_points_is_closed_and_its_files_are_the_same_each_time(
    world: World, on_world: Careline, tmp_path: Path
) -> None:
    await say_trades(world, trade())
    month = f"{DAY:%Y-%m}"
    early = await on_world("points", "close", month)
    assert (early.code, early.err.count("\n")) == (1, 1)
    await world.close(month_end(DAY))
    written = []
    for name in ("one", "two"):
        said = await on_world("points", "close", month, "--folder", str(tmp_path / name))
        assert said.code == 0, said.err
        assert "liability" in said.out
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert {"liability.csv", "liability.xlsx", "manifest.sig"} <= written[0].keys()
    assert month in (await on_world("export", "points-liability")).out
    assert (await on_world("points", "close", "July")).code == 2
