"""Entitlements: what gives what, what takes it away, as of any day and as known."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import at
from contracts import complaints, suitability
from contracts.broker import AgreementEnded, ClientClosed
from contracts.classification import TIERS, CoreChanged, CoreStretch, SupplementaryChanged
from services.products.entitlement_rules import Dated, InForce, Known, entitled, levels_over_time
from services.products.policy import Policies
from services.products.told import after, before, first_difference, on
from tests.products.facts import AGENT, CHECKER, DAY, DESK, OPENED, close, get, hear, opened, post, told
from tests.products.test_subscriptions import NEXT, assessed, buy, gold, tier
from tests.world import World

BOOK = Policies()
RULES = InForce.of(BOOK.services.all, BOOK.catalogue.all)
BASE = {"QUOTES", "ORDERS", "ENQUIRY", "BASIC_INFO", "COUNTER", "CALL_CENTRE", "WEB"}
SINCE = date(2024, 1, 1)


def codes_on(known: Known, day: date = SINCE) -> set[str]:
    return {one.code for one in on(entitled(known, RULES), day)}


def client(**known: Any) -> Known:
    return Known(SINCE, None, **known)


def with_tier(code: str) -> Known:
    return client(tiers=[Dated(code, SINCE, None)])


EXTENDED = {
    "NORMAL": {"RESEARCH"},
    "SILVER": {"RESEARCH", "PRIORITY_QUEUE"},
    "GOLD": {"RESEARCH", "PRIORITY_QUEUE", "DEDICATED_LINE", "TEAM_ONE_TO_ONE"},
}
EXTENDED["PLATINUM"] = EXTENDED["GOLD"] | {
    "LINE_PRIORITY", "ADVISER_ONE_TO_ONE", "SEMINARS", "THIRD_PARTY_RESEARCH", "PRIVATE_PLACEMENTS"
}  # fmt: skip
EXTENDED["DIAMOND"] = EXTENDED["PLATINUM"] | {"FAST_CHANNEL"}


@pytest.mark.parametrize("code", TIERS)
def test_extended_services_by_tier_are_cumulative_upward(code: str) -> None:
    """按客户级别,提供差异化的延伸服务(关怀服务)."""
    assert codes_on(with_tier(code)) == BASE | EXTENDED[code]


def test_all_levels_have_the_same_basic_services_also_while_everything_else_is_kept_back() -> None:
    """所有级别的客户都拥有标准化的基础服务."""
    for code in TIERS:
        known = with_tier(code)
        known.holds = [Dated("ALL", SINCE, None)]
        assert codes_on(known) >= BASE


def test_nothing_before_the_account_opens_or_after_it_closes() -> None:
    known = with_tier("GOLD")
    known.closed_on = SINCE + timedelta(days=30)
    assert codes_on(known, SINCE - timedelta(days=1)) == set()
    assert codes_on(known, SINCE + timedelta(days=29)) >= BASE
    assert codes_on(known, SINCE + timedelta(days=30)) == set()
    assert entitled(Known(), RULES) == []


def test_a_product_is_kept_back_while_level_agreement_or_a_hold_say_so() -> None:
    days = [SINCE + timedelta(days=n) for n in range(8)]
    known = client(
        products=[Dated("C", days[0], None), Dated("SMS1", days[0], None), Dated("E", days[0], None)],
        levels=levels_over_time([Dated("HIGH", days[0], days[4]), Dated("LOW", days[2], days[6])]),
        agreements=[Dated("adviser", days[1], days[5])],
        holds=[Dated("E", days[3], days[4]), Dated("ALL", days[7], None)],
    )
    had = [codes_on(known, day) & {"LIVE_ANSWERS", "SMS1", "BOND_INFO"} for day in days]
    assert had == [
        {"LIVE_ANSWERS", "BOND_INFO"}, {"LIVE_ANSWERS", "SMS1", "BOND_INFO"}, {"SMS1", "BOND_INFO"}, {"SMS1"},
        {"SMS1", "BOND_INFO"}, {"BOND_INFO"}, {"BOND_INFO"}, set(),
    ]  # fmt: skip


def test_habits_core_and_what_is_granted_by_hand() -> None:
    end = SINCE + timedelta(days=5)
    known = client(
        habits=[Dated("D", SINCE, end), Dated("I", end, None)], core=[Dated("", SINCE, end)],
        overrides=[Dated("FAST_CHANNEL", SINCE, end)],
    )  # fmt: skip
    more = codes_on(known) - codes_on(client())
    assert more == {
        "FLOOR_MEETINGS", "VIP_CHANNEL", "LEVEL2", "TOPVIEW", "DESK_SERVICE", "TOP_TERMINAL", "FIRST_CALL", "GREEN_CHANNEL",
        "RING_THROUGH", "FAST_CHANNEL",
    }  # fmt: skip
    assert codes_on(known, end) - codes_on(client()) == {"TOPVIEW", "VALUE_MEETINGS", "WEALTH_COURSES"}


def spans() -> st.SearchStrategy[tuple[int, int | None]]:
    return st.tuples(st.integers(0, 40), st.none() | st.integers(1, 20))


def dated(what: str, span: tuple[int, int | None]) -> Dated:
    since = SINCE + timedelta(days=span[0])
    return Dated(what, since, since + timedelta(days=span[1]) if span[1] else None)


@given(st.lists(spans(), max_size=3), st.lists(spans(), max_size=3), st.lists(spans(), max_size=3), st.integers(0, 70))
def test_a_day_says_what_its_facts_say(held: list[Any], levels: list[Any], holds: list[Any], n: int) -> None:
    """The stretches of a day are those that a day looked at by itself has."""
    day = SINCE + timedelta(days=n)
    known = client(
        products=[dated("B", span) for span in held], levels=[dated("MEDIUM", span) for span in levels],
        holds=[dated("ALL", span) for span in holds],
    )  # fmt: skip

    def so(dated_: list[Dated]) -> bool:
        return any(one.since <= day and (one.until is None or day < one.until) for one in dated_)

    expected = so(known.products) and so(known.levels) and not so(known.holds)
    assert ("VIP_TRADING" in codes_on(known, day)) == expected
    stretches = [one for one in entitled(known, RULES) if one.code == "VIP_TRADING"]
    assert all(one.until is not None for one in stretches[:-1]), "joined, in order"
    assert all(first.until < second.since for first, second in pairwise(stretches) if first.until)


@given(st.lists(spans(), max_size=3), st.lists(spans(), max_size=3))
def test_what_is_told_from_the_first_difference_on_makes_the_new_history(old: list[Any], new: list[Any]) -> None:
    def history(spans_: list[Any]) -> list[Any]:
        return entitled(client(overrides=[dated("LEVEL2", span) for span in spans_]), RULES)

    was, now = history(old), history(new)
    day = first_difference(was, now)
    if day is None:
        day = date(2024, 6, 1)
    told_ = [*before(was, day), *after(now, day)]
    for n in range(80):
        one = SINCE + timedelta(days=n)
        assert {(s.code, s.source) for s in on(told_, one)} == {(s.code, s.source) for s in on(now, one)}


# Over HTTP, on a real database.


async def codes(world: World, **query: Any) -> set[str]:
    answer = await get(world, "/clients/c-1/entitlements", **query)
    assert answer.status_code == 200, answer.text
    return {one["code"] for one in answer.json()["items"]}


async def test_every_answer_says_why_and_what_would_give_the_rest(shop: World) -> None:
    await gold(shop)
    await buy(shop, "B")
    answer = (await get(shop, "/clients/c-1/entitlements")).json()
    items = {(one["code"], one["source"]): one for one in answer["items"]}
    guidance = items["LIVE_GUIDANCE", "PRODUCT:B"]
    assert {name: guidance[name] for name in ("version", "from", "until")} == {
        "version": "services/shipped-1", "from": str(NEXT), "until": "2025-01-01"
    }  # fmt: skip
    assert guidance["why"] == {
        "en": "account diagnosis and live guidance: product B, until 2025-01-01", "zh-CN": "账户诊断、实时操盘指导：产品B，至2025-01-01前"
    }  # fmt: skip
    assert items["DEDICATED_LINE", "TIER:GOLD"]["from"] == str(OPENED)
    missing = {one["code"]: one for one in answer["missing"]}
    assert missing["LEVEL2"]["given_by"] == ["PRODUCT:C", "HABIT:D"]
    assert missing["FAST_CHANNEL"]["why"]["en"] == "fast trading line: given by tier DIAMOND"
    assert not set(missing) & {one["code"] for one in answer["items"]}
    assert "LIVE_GUIDANCE" not in await codes(shop, as_of=str(DAY))
    assert (await get(shop, "/clients/c-1/contact")).json() == {
        "client_id": "c-1", "line": "dedicated", "one_to_one": ["team"], "ring_through": False, "green_channel": False
    }  # fmt: skip


async def test_blocks_come_from_their_events_and_are_lifted_by_them(shop: World) -> None:
    await gold(shop)
    await buy(shop, "B")
    placed: dict[str, Any] = {"client_id": "c-1", "hold_id": "h-1", "scope": "products"}
    await hear(shop, complaints.HoldPlaced(**placed, at=at(date(2024, 2, 5), 10)))
    await close(shop, date(2024, 2, 5))
    assert "LIVE_GUIDANCE" not in await codes(shop)
    answer = (await get(shop, "/clients/c-1/entitlements")).json()
    blocked = next(one for one in answer["missing"] if one["code"] == "LIVE_GUIDANCE")
    assert (blocked["given_by"], blocked["blocked_by"]) == (["PRODUCT:B", "PRODUCT:C"], ["hold ALL"])
    await hear(shop, suitability.HoldLifted(**placed, at=at(date(2024, 2, 7), 10)))  # of another service
    assert "LIVE_GUIDANCE" not in await codes(shop, as_of="2024-02-08")
    await hear(shop, complaints.HoldLifted(**placed, at=at(date(2024, 2, 7), 10)))
    assert "LIVE_GUIDANCE" in await codes(shop, as_of="2024-02-08")
    assert "LIVE_GUIDANCE" not in await codes(shop, as_of="2025-01-02"), "the level ends with the year"
    assert {"SMS1", "SMS2"} <= await codes(shop, as_of="2024-03-01")
    ended = AgreementEnded(client_id="c-1", agreement_id="ag-c-1", kind="adviser", ref="doc-7", on=date(2024, 2, 20))
    await hear(shop, ended)
    assert {"SMS1", "SMS2"} & await codes(shop, as_of="2024-03-01") == {"SMS2"}


async def test_as_of_an_instant_it_is_what_holds_said_then(shop: World) -> None:
    await gold(shop)
    await buy(shop, "B")
    placed: dict[str, Any] = {"client_id": "c-1", "hold_id": "h-1", "scope": "B"}
    on_5, on_7 = date(2024, 2, 5), date(2024, 2, 7)
    await hear(
        shop, complaints.HoldPlaced(**placed, at=at(on_5, 10)), complaints.HoldLifted(**placed, at=at(on_7, 15)),
    )  # fmt: skip
    for when, has in (
        (at(on_5, 9, 59), True), (at(on_5, 10), False), (at(date(2024, 2, 6), 12), False), (at(on_7, 14, 59), False),
        (at(on_7, 15), True), (on_5, False), (on_7, True),
    ):  # fmt: skip
        assert ("LIVE_GUIDANCE" in await codes(shop, as_of=when.isoformat())) == has, when
    before = (await get(shop, "/clients/c-1/entitlements", as_of=at(on_7, 14).isoformat())).json()
    assert (before["as_of"], before["at"][:16]) == (str(on_7), at(on_7, 14).isoformat()[:16])
    kept_back = next(one for one in before["missing"] if one["code"] == "LIVE_GUIDANCE")
    assert kept_back["blocked_by"] == ["hold B"]
    lines = (await get(shop, "/clients/c-1/entitlements", as_of=at(on_5, 9).isoformat())).json()["items"]
    guidance = next(one for one in lines if one["code"] == "LIVE_GUIDANCE")
    assert (guidance["from"], guidance["until"]) == (str(NEXT), "2024-02-06"), "until the hold's next day"
    for wrong in ("2024-02-05T10:00:00", "1989-12-31", "now"):
        assert (await get(shop, "/clients/c-1/entitlements", as_of=wrong)).status_code == 422, wrong


async def test_what_is_known_later_is_not_known_before(shop: World) -> None:
    await gold(shop)
    known: datetime = await shop.value("products", "SELECT clock_timestamp()")
    await hear(shop, tier(2, (OPENED, "DIAMOND"), since=OPENED))
    assert "FAST_CHANNEL" in await codes(shop)
    assert "FAST_CHANNEL" not in await codes(shop, known_at=known.isoformat())
    change = (await told(shop, "products.entitlement.changed", "c-1"))[-1]
    assert (change["changed_from"], {one["since"] for one in change["stretches"]}) == (str(OPENED), {str(OPENED)})


async def test_the_same_facts_in_another_order_give_the_same(shop: World) -> None:
    def facts(name: str) -> Iterator[Any]:
        yield opened(name)
        yield tier(1, (OPENED, "GOLD"), client=name)
        yield tier(2, (date(2024, 1, 10), "PLATINUM"), client=name)
        yield CoreChanged(
            client_id=name, branch_id="B1", revision=1, changed_from=date(2024, 2, 1),
            stretches=[CoreStretch(since=date(2024, 2, 1), core=True)],
        )  # fmt: skip
        yield SupplementaryChanged(client_id=name, branch_id="B1", revision=1, kind="HABIT", codes=["HABIT:D"])
        yield assessed(client=name)
        yield complaints.HoldPlaced(client_id=name, hold_id="h", scope="A", at=at(DAY, 9))
        yield complaints.HoldLifted(client_id=name, hold_id="h", scope="A", at=at(DAY, 10))
        yield ClientClosed(client_id=name, closed_on=date(2024, 9, 9))

    for event in facts("c-1"):
        await shop.publish(event, at=at(OPENED, 12))
        await shop.settle()
    await shop.publish(*reversed(list(facts("c-2"))), at=at(OPENED, 12))
    await shop.settle()
    one, other = [row["stretches"] for row in await shop.rows("products", "SELECT stretches FROM entitlements")]
    assert one == other
    assert len(one) > 15


async def test_many_are_asked_at_once_and_nobody_learns_of_other_branches(shop: World) -> None:
    await gold(shop)
    await hear(shop, opened("c-2", "B2"))
    asked = [{"client_id": name, "code": code} for name in ("c-1", "c-2", "c-9") for code in ("QUOTES", "LEVEL2")]
    answer = await post(shop, "/entitlements/check", {"items": asked}, AGENT)
    assert [one["entitled"] for one in answer.json()["items"]] == [True, False, False, False, False, False]
    answer = await post(shop, "/entitlements/check", {"items": asked}, DESK)
    assert [one["entitled"] for one in answer.json()["items"]] == [True, False, True, False, False, False]
    assert answer.json()["items"][0]["source"] == "BASE"
    many = {"items": [{"client_id": "c-1", "code": "QUOTES"}] * 201}
    assert (await post(shop, "/entitlements/check", many, DESK)).status_code == 422
    assert (await get(shop, "/clients/c-2/entitlements", AGENT)).status_code == 404


async def test_what_is_granted_by_hand_takes_two_persons_and_always_ends(shop: World) -> None:
    await gold(shop)
    wanted = {"code": "SEMINARS", "until": "2024-03-01", "reason": "speaker of the evening"}
    for wrong in (
        {name: value for name, value in wanted.items() if name != "until"},
        wanted | {"until": str(DAY)}, wanted | {"until": "2026-01-01"}, wanted | {"code": "CASH"},
    ):  # fmt: skip
        assert (await post(shop, "/clients/c-1/overrides", wrong, DESK, "k-0")).status_code == 422, wrong
    asked = await post(shop, "/clients/c-1/overrides", wanted, DESK, "k-1")
    assert asked.status_code == 202, asked.text
    decision = f"/approvals/{asked.json()['approval_id']}/approve"
    assert (await post(shop, decision, {"because": "yes"}, DESK)).status_code == 403
    assert (await post(shop, decision, {"because": "yes"}, CHECKER)).status_code == 200
    assert "SEMINARS" in await codes(shop)
    assert "SEMINARS" not in await codes(shop, as_of="2024-03-01")
    refused = await post(shop, "/clients/c-1/overrides", wanted, AGENT, "k-2")
    assert refused.status_code == 403
