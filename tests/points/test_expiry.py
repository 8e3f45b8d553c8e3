"""Lots and their ends [P6, 4.7a], on a real ledger."""

from datetime import UTC, date, datetime
from decimal import Decimal

from chassis.actor import Actor, Role
from contracts.base import Event
from contracts.broker import ClientOpened
from contracts.points import LotsExpiring
from tests.points.facts import balance, cancelled, close, entries, spend, trade
from tests.points.test_redemptions import OWN, redeem, rich
from tests.world import World

NOTHING = Decimal(0)
MAY, END = date(2022, 5, 2), date(2024, 5, 31)


async def told(world: World, *events: Event) -> None:
    await world.publish(*events)
    await world.settle()


async def test_what_is_left_expires_at_the_close_of_the_month_24_months_on(ledger: World) -> None:
    await told(ledger, trade("t-1", "10", day=MAY), trade("t-2", "5", day=date(2022, 5, 31)), trade("t-3", "1"))
    await close(ledger, date(2024, 5, 30))
    assert await balance(ledger) == (Decimal(16), NOTHING)
    await close(ledger, END)
    assert await balance(ledger) == (Decimal(1), NOTHING)
    assert (await entries(ledger))[-1] == ("expired", None, Decimal(-15))
    [row] = await ledger.rows("points", "SELECT * FROM entries WHERE kind = 'expired'")
    assert (row["value_on"], row["posted_on"], row["trade_id"], row["tier"]) == (END, END, None, None)
    assert (row["debit_account"], row["credit_account"]) == ("cust:c-1:available", "sys:expired")


async def test_of_a_lot_partly_spent_the_rest_expires(ledger: World) -> None:
    await told(ledger, trade("t-1", "10", day=MAY))
    await spend(ledger, "c-1", 400)
    await close(ledger, END)
    assert (await entries(ledger))[-1] == ("expired", None, Decimal(-6))
    assert await balance(ledger) == (NOTHING, NOTHING)


async def test_a_late_gain_expires_the_same_way(ledger: World) -> None:
    await told(ledger, trade("t-1", "10", day=MAY))
    await close(ledger, END)
    heard = datetime(2024, 6, 5, 8, tzinfo=UTC)
    await ledger.publish(trade("t-2", "3", day=MAY), at=heard)
    await ledger.settle()
    assert await balance(ledger) == (NOTHING, NOTHING)
    rows = await ledger.rows(
        "points", "SELECT points, value_on, posted_on FROM entries WHERE kind = 'expired' ORDER BY number"
    )
    assert [tuple(row.values()) for row in rows] == [(1000, END, END), (300, END, date(2024, 6, 5))]


async def test_late_gains_of_one_end_posted_on_two_days_expire_each_on_its_own(ledger: World) -> None:
    await told(ledger, trade("t-1", "10", day=MAY))
    await close(ledger, END)
    for number, day in ((2, 5), (3, 6)):
        await ledger.publish(trade(f"t-{number}", str(number), day=MAY), at=datetime(2024, 6, day, 8, tzinfo=UTC))
    await ledger.settle()
    assert await balance(ledger) == (NOTHING, NOTHING)
    rows = await ledger.rows(
        "points", "SELECT step, points, posted_on FROM entries WHERE kind = 'expired' ORDER BY step"
    )
    assert [tuple(row.values()) for row in rows] == [
        (0, 1000, END), (1, 200, date(2024, 6, 5)), (2, 300, date(2024, 6, 6)),
    ]  # fmt: skip


async def test_a_cancellation_after_the_end_takes_back_the_expiry_and_leaves_no_debt_p7(ledger: World) -> None:
    await told(ledger, trade("t-1", "10", day=MAY), trade("t-2", "2", day=date(2024, 5, 2)))
    await close(ledger, END)
    await told(ledger, cancelled("t-1", "4", when=datetime(2024, 6, 3, 3, tzinfo=UTC)))
    assert await balance(ledger) == (Decimal(2), NOTHING)
    assert (await entries(ledger))[-2:] == [("expired", None, Decimal(6)), ("reversed", "t-1", Decimal(-6))]
    rows = await ledger.rows("points", "SELECT kind, value_on FROM entries ORDER BY number DESC LIMIT 2")
    assert [tuple(row.values()) for row in rows] == [("reversed", date(2024, 6, 3)), ("expired", END)]


async def test_l1_spent_l2_taken_100_left_whenever_the_cancellation_is_heard(ledger: World) -> None:
    """The rule's first example: L1 ends 30 June and was spent on 1 June, L2 ends 31 July, L3 in 2023."""
    clients = ("then", "august")
    for client in clients:
        await told(
            ledger,
            trade("L1", "100", client, date(2020, 6, 1)),
            trade("L2", "100", client, date(2020, 7, 1)),
            trade("L3", "100", client, date(2021, 1, 4)),
        )
        await spend(ledger, client, 10000, date(2022, 6, 1))
    when = datetime(2022, 6, 10, 3, tzinfo=UTC)
    await told(ledger, cancelled("L1", client="then", when=when))
    assert await balance(ledger, "then") == (Decimal(100), NOTHING)
    await close(ledger, date(2022, 7, 31))
    assert await balance(ledger, "then") == (Decimal(100), NOTHING)
    await told(ledger, cancelled("L1", client="august", when=when))
    for client in clients:
        assert await balance(ledger, client) == (Decimal(100), NOTHING)
        rows = await ledger.rows(
            "points", "SELECT free, expired FROM lots WHERE client_id = $1 ORDER BY expires_on", client
        )
        assert [tuple(row.values()) for row in rows] == [(0, 0), (0, 0)]
        whole = "SELECT whole FROM balances WHERE client_id = $1"
        assert await ledger.value("points", whole, client) == 10000, "nothing was taken of the third: it has no row"


async def test_a_late_lot_that_ends_first_is_what_the_spend_took(ledger: World) -> None:
    """The rule's second example: 100 spent in May from L1 (ends December), then L0 (ends July) becomes known."""
    await told(ledger, trade("L1", "100", day=date(2019, 12, 2)))
    await spend(ledger, "c-1", 10000, date(2021, 5, 3))
    await close(ledger, date(2021, 8, 31))
    assert await balance(ledger) == (NOTHING, NOTHING)
    await told(ledger, trade("L0", "100", day=date(2019, 7, 1)))
    assert await balance(ledger) == (Decimal(100), NOTHING)
    rows = await ledger.rows("points", "SELECT free FROM lots ORDER BY expires_on")
    assert [row["free"] for row in rows] == [0]
    assert await ledger.value("points", "SELECT whole FROM balances") == 10000, "L1, of which nothing is taken now"
    assert await ledger.value("points", "SELECT count(*) FROM entries WHERE kind = 'expired'") == 0


async def test_the_clients_page_shows_lots_and_their_ends_and_no_date_that_is_over(ledger: World) -> None:
    own = Actor("c-1", Role.CLIENT, client_id="c-1")
    await told(ledger, ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2022, 1, 3)))
    await told(ledger, trade("t-1", "10", day=MAY), trade("t-2", "5"), trade("t-3", "2", day=date(2022, 9, 1)))
    await close(ledger, END)
    async with ledger.client("points", own) as http:
        seen = (await http.get("/v1/points/clients/c-1")).raise_for_status().json()
        first = (await http.get("/v1/points/clients/c-1/lots", params={"limit": "1"})).raise_for_status().json()
        rest = (await http.get("/v1/points/clients/c-1/lots", params={"cursor": first["next"]})).json()
    ends = [{"expires_on": "2024-07-31", "points": "5.00"}, {"expires_on": "2024-09-30", "points": "2.00"}]
    assert seen["next_expiries"] == ends
    assert [*first["items"], *rest["items"]] == [end | {"held": "0.00"} for end in ends]


async def test_what_is_held_past_its_end_is_shown_without_an_end(ledger: World) -> None:
    await rich(ledger)
    assert (await redeem(ledger)).status_code == 201
    await close(ledger, date(2024, 7, 31))
    async with ledger.client("points", OWN) as http:
        seen = (await http.get("/v1/points/clients/c-1")).raise_for_status().json()
        listed = (await http.get("/v1/points/clients/c-1/lots")).raise_for_status().json()["items"]
    bonuses = [
        {"expires_on": "2025-01-31", "points": "200.00", "held": "0.00"},
        {"expires_on": "2026-01-31", "points": "200.00", "held": "0.00"},
    ]
    assert seen["lots"] == listed == [{"expires_on": None, "points": "0.00", "held": "30.00"}, *bonuses]
    assert [one["reward"] for one in seen["holds"]] == ["SMS1"]
    assert [one["expires_on"] for one in seen["next_expiries"]] == ["2025-01-31", "2026-01-31"]


async def test_an_expiry_says_why_in_two_languages(ledger: World) -> None:
    await told(ledger, ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2022, 1, 3)))
    await told(ledger, trade("t-1", "10", day=MAY))
    await close(ledger, END)
    async with ledger.client("points", Actor("c-1", Role.CLIENT, client_id="c-1")) as http:
        newest = (await http.get("/v1/points/clients/c-1/entries")).json()["items"][0]
        path = f"/v1/points/clients/c-1/entries/{newest['entry_id']}/explain"
        why = (await http.get(path)).raise_for_status().json()
    assert (why["kind"], why["rule"]["id"], why["inputs"]) == ("expired", "P6", None)
    assert why["sentence"]["en"] == "10.00 points expired on 2024-05-31."
    assert "到期" in why["sentence"]["zh-CN"]


async def test_what_expires_is_told_60_30_and_7_days_ahead_once_a_month_as_a_sum(ledger: World) -> None:
    await ledger.publish(trade("t-1", "10", day=date(2022, 7, 4)), trade("t-2", "5", day=date(2022, 7, 20)))
    await ledger.publish(trade("t-3", "7", day=date(2022, 8, 1)), trade("t-4", "9", "c-2", date(2022, 7, 4)))
    await ledger.settle()
    await spend(ledger, "c-2", 900, date(2022, 7, 5))
    for day in (date(2024, 5, 31), date(2024, 7, 31)):
        await close(ledger, day)
    told = await ledger.rows(
        "points",
        "SELECT convert_from(value, 'UTF8')::jsonb AS said FROM bus.log WHERE type = $1 ORDER BY 1",
        LotsExpiring.type,
    )
    assert {(one["said"]["client_id"], one["said"]["month"], one["said"]["points"], one["said"]["days_left"]) for one in told} == {
        ("c-1", "2024-07", "15.00", 60), ("c-1", "2024-07", "15.00", 30), ("c-1", "2024-07", "15.00", 7),
        ("c-1", "2024-08", "7.00", 60),
    }  # fmt: skip
    assert len(told) == 4
