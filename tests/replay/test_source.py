"""The fixed mapping of files to facts, on real rows, and what is said about files that cannot be read."""

import gzip
import shutil
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from careline.replay.files import UnreadableData
from careline.replay.source import ASSETS, CUSTOMERS, INSTRUMENTS, KINDS, TRADES, commission_of, messages, read
from contracts import broker
from contracts.base import Event, Registry
from tests.reference.facts import read_facts

BANK = Path(__file__).parents[1] / "data" / "bank"
REGISTRY = Registry(broker.EVENTS)


def events(folder: Path, customers: int | None = None) -> list[Event]:
    facts = read(folder, customers, "CNY").facts
    return [REGISTRY.decode(KINDS[fact.rank].event.type, fact.value) for fact in facts]


def of(kind: type[Event], found: list[Event]) -> list[Event]:
    return [event for event in found if type(event) is kind]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the data that a test may spoil."""
    return Path(shutil.copytree(BANK, tmp_path / "data"))


def rewrite(path: Path, change: "object") -> None:
    lines = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode().splitlines()
    change(lines)  # type: ignore[operator]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("customers", [None, 10])
def test_it_says_what_the_reference_says(customers: int | None) -> None:
    found, expected = events(BANK, customers), read_facts(BANK, customers=customers)
    opened = {(e.client_id, e.branch_id, e.kind, e.opened_on) for e in of(broker.ClientOpened, found)}  # type: ignore[attr-defined]
    assert opened == {(c.client_id, c.branch_id, c.kind, c.opened_on) for c in expected.clients}
    trades = {
        (e.client_id, e.trade_id, e.trade_date, e.instrument.kind, e.amount, int(e.commission * 100), e.side)  # type: ignore[attr-defined]
        for e in of(broker.TradeSettled, found)
    }
    assert trades == {
        (t.client_id, t.trade_id, t.trade_date, t.kind, t.amount, t.commission, t.side)
        for c in expected.clients
        for t in c.trades
    }
    valued = {(e.client_id, e.as_of): e.total_assets for e in of(broker.AssetsValued, found)}  # type: ignore[attr-defined]
    assert valued == {(c.client_id, day): worth for c in expected.clients for day, worth in c.valuations.items()}
    assert [e.business_date for e in of(broker.BrokerDayClosed, found)] == expected.closes  # type: ignore[attr-defined]


def test_what_is_said_until_a_day_is_a_prefix() -> None:
    data = read(BANK, None, "CNY")
    goal = data.through(date(2021, 3, 31))
    assert all(fact.day <= date(2021, 3, 31) for fact in data.facts[:goal])
    assert all(fact.day > date(2021, 3, 31) for fact in data.facts[goal:])
    assert KINDS[data.facts[goal - 1].rank].event is broker.BrokerDayClosed


def test_guessed_and_placeholder_levels_are_no_assessments() -> None:
    assessed = of(broker.AssessmentRecorded, events(BANK))
    assert assessed
    assert {e.level for e in assessed} <= {"VERY_LOW", "LOW", "MEDIUM", "HIGH"}  # type: ignore[attr-defined]
    assert all(e.assessed_on != date(2000, 1, 1) for e in assessed)  # type: ignore[attr-defined]


def test_envelopes_are_the_same_in_every_run_and_a_close_goes_everywhere() -> None:
    data = read(BANK, None, "CNY")
    said = list(messages(data.facts, 4))
    assert [m.id for m in said] == [m.id for m in messages(read(BANK, None, "CNY").facts, 4)]
    closes = Counter(m.id for m in said if m.type == broker.BrokerDayClosed.type)
    assert set(closes.values()) == {4 * len(broker.TOPICS)}
    trade = next(m for m in said if m.type == broker.TradeSettled.type)
    assert trade.time.isoformat().endswith("T07:00:00+00:00")  # 15:00 in Shanghai


@pytest.mark.parametrize(
    ("amount", "commission"),
    [
        ("4.99", "0.00"),
        ("5", "0.01"),
        ("14.999", "0.01"),
        ("3.1974423109204505e-15", "0.00"),
        ("20008956.20", "20008.96"),
    ],
)
def test_commission_is_one_per_mille_rounded_half_up_to_cents(amount: str, commission: str) -> None:
    assert commission_of(Decimal(amount)) == commission


def test_without_the_list_of_securities_their_kind_is_unknown(folder: Path) -> None:
    (folder / INSTRUMENTS).unlink()
    assert {e.instrument.kind for e in of(broker.TradeSettled, events(folder))} == {"unknown"}  # type: ignore[attr-defined]


def test_the_later_of_two_valuations_of_one_day_is_said(folder: Path) -> None:
    rewrite(folder / ASSETS, lambda lines: lines.append(lines[1].rsplit(",", 1)[0] + ",77.00"))
    assert 77 in {e.total_assets for e in of(broker.AssetsValued, events(folder))}  # type: ignore[attr-defined]
    assert len(of(broker.AssetsValued, events(folder))) == len(of(broker.AssetsValued, events(BANK)))


def set_field(line: int, column: int, text: str) -> "object":
    def change(lines: list[str]) -> None:
        fields = lines[line - 1].split(",")
        fields[column] = text
        lines[line - 1] = ",".join(fields)

    return change


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (TRADES, set_field(5, 5, "12,50"), "line 5: 14 fields where the header has 13"),
        (TRADES, set_field(5, 5, "abc"), "line 5: amount 'abc' is not a decimal number"),
        (TRADES, set_field(5, 5, "1_000"), "line 5: amount '1_000' is not a decimal number"),
        (TRADES, set_field(5, 5, "NaN"), "line 5: amount 'NaN' is not a decimal number"),
        (TRADES, set_field(5, 5, "-3"), "line 5: amount '-3' is negative"),
        (TRADES, set_field(5, 5, "1e15"), "line 5: amount '1e15' is not below"),
        (TRADES, set_field(5, 5, "1e-41"), "line 5: amount '1e-41' has more than 40 decimals"),
        (TRADES, set_field(6, 2, "2020-13-01"), "line 6: traded_on '2020-13-01' is not a date"),
        (TRADES, set_field(6, 2, "1066-10-14"), "line 6: traded_on 1066-10-14 lies outside"),
        (TRADES, set_field(7, 4, "hold"), "line 7: side 'hold' is neither buy nor sell"),
        (TRADES, set_field(7, 0, ""), "line 7: trade_id must have 1 to 64 characters"),
        (TRADES, set_field(7, 1, "x" * 65), "line 7: customer_id must have 1 to 64 characters, not 65"),
        (TRADES, set_field(1, 5, "sum"), "line 1: no column amount"),
        (CUSTOMERS, set_field(2, 5, "yesterday"), "line 2: recorded_on 'yesterday' is not a date"),
        (ASSETS, set_field(3, 2, ""), "line 3: total_assets '' is not a decimal number"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(folder: Path, name: str, change: object, words: str) -> None:
    rewrite(folder / name, change)
    with pytest.raises(UnreadableData) as refused:
        read(folder, None, "CNY")
    assert f"{name}, {words}" in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / TRADES).write_bytes((folder / TRADES).read_bytes()[:1000])
    with pytest.raises(UnreadableData, match=f"{TRADES}: not a whole gzip file"):
        read(folder, None, "CNY")
    (folder / TRADES).write_bytes(gzip.compress(b"trade_id\n\xff\xfe\n"))
    with pytest.raises(UnreadableData, match=f"{TRADES}, line 2: not UTF-8"):
        read(folder, None, "CNY")
    (folder / TRADES).unlink()
    with pytest.raises(UnreadableData, match=f"{TRADES}: there is no such file"):
        read(folder, None, "CNY")
    with pytest.raises(UnreadableData, match="there is no such folder"):
        read(folder / "none", None, "CNY")
