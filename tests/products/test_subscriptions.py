"""Subscriptions on a real database: shown, confirmed, changed, ended; what follows for rates and for what comes free."""

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.actor import Actor, Role
from chassis.clock import at
from contracts.base import Quantity
from contracts.broker import AgreementSigned, ClientClosed
from contracts.classification import TierChanged, TierStretch
from contracts.points import RedemptionCancelled, RedemptionRequested
from contracts.suitability import AssessmentCompleted, DecisionConfirmed, DecisionMade
from services.products.subscription_rules import month_of, unused
from tests.products.facts import AGENT, DAY, OPENED, agreed, close, get, hear, opened, post, told
from tests.world import World

NEXT = DAY + timedelta(days=1)
"""What is done after the close of DAY is done on the first of February."""


def tier(revision: int, *stretches: tuple[date, str], client: str = "c-1", since: date | None = None) -> TierChanged:
    return TierChanged(
        client_id=client, branch_id="B1", revision=revision, changed_from=since or stretches[0][0], previous="NORMAL",
        stretches=[TierStretch(since=day, tier=code) for day, code in stretches],  # type: ignore[arg-type]
        reason="upgrade",
    )  # fmt: skip


def assessed(level: str = "HIGH", until: date = date(2024, 12, 31), client: str = "c-1") -> AssessmentCompleted:
    return AssessmentCompleted(
        client_id=client, assessment_id=f"as-{client}-{level}", scheme="SEED-2010-12Q", level=level, valid_from=OPENED,
        valid_until=until, source="questionnaire",
    )  # fmt: skip


def decided(
    product: str, outcome: Any = "PASS", name: str = "", client: str = "c-1", when: date = NEXT
) -> DecisionMade:
    return DecisionMade(
        client_id=client, decision_id=name or f"d-{client}-{product}-{when}", product=product, side="buy",
        initiator="client", outcome=outcome, reasons=[], decided_at=at(when, 0, 1),
    )  # fmt: skip


async def gold(world: World, client: str = "c-1") -> None:
    """A client of GOLD and HIGH with X = 0.5 on the evening of a closed day."""
    await hear(
        world, opened(client), agreed("0.5", client=client, agreement=f"x-{client}"), assessed(client=client),
        tier(1, (OPENED, "GOLD"), client=client),
        AgreementSigned(client_id=client, agreement_id=f"ag-{client}", kind="adviser", ref="doc-7", on=OPENED),
    )  # fmt: skip
    await close(world, DAY)


async def shown(world: World, code: str, client: str = "c-1", **more: Any) -> dict[str, Any]:
    answer = await post(world, f"/clients/{client}/subscriptions/preview", {"code": code} | more, own(client))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def confirm(
    world: World, preview: dict[str, Any], key: str = "", client: str = "c-1", **changed: Any
) -> httpx.Response:
    body = {
        "preview_id": preview["preview_id"], "amount": preview["amount"], "rate": preview["rate"], "signature": "esign-1",
        "decision_id": f"d-c-1-{preview['code']}-{NEXT}",
    } | changed  # fmt: skip
    return await post(world, f"/clients/{client}/subscriptions", body, own(client), key=key or uuid4().hex)


def own(client: str) -> Actor:
    return Actor(client, Role.CLIENT, client_id=client)


async def buy(world: World, code: str, when: date = NEXT, client: str = "c-1", **more: Any) -> dict[str, Any]:
    await hear(world, decided(code, client=client, when=when), at=at(when, 0, 1))
    preview = await shown(world, code, client, **more)
    answer = await confirm(world, preview, client=client, decision_id=f"d-{client}-{code}-{when}")
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def held(world: World) -> dict[str, str]:
    """What the client has that is not over, by code: state and how it is paid."""
    rows = await world.rows(
        "products", "SELECT code, state || ' ' || paid_by AS how FROM subscriptions WHERE state <> 'ended'"
    )
    return {row["code"]: row["how"] for row in rows}


async def problem(answer: httpx.Response, status: int = 409) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["type"].rsplit("/", 1)[-1])


async def test_a_is_bought_b_replaces_it_and_the_rate_follows(shop: World) -> None:
    await gold(shop)
    preview = await shown(shop, "A")
    assert (preview["rate_before"], preview["rate"], preview["amount"], preview["no_uplift"]) == (
        "0.5",
        "1.5",
        "0.00",
        False,
    )
    assert (preview["included"], preview["obstacles"]) == (["SMS1", "SMS2", "SMS3"], [])
    await buy(shop, "A")
    free = dict.fromkeys(("SMS1", "SMS2", "SMS3"), "included bundle")
    assert await held(shop) == {"A": "active fee"} | free
    preview = await shown(shop, "B")
    assert (preview["rate_before"], preview["rate"], preview["ends"], preview["included"]) == ("1.5", "2.0", ["A"], [])
    await buy(shop, "B")
    assert await held(shop) == {"B": "active fee"} | free
    stretches = (await told(shop, "products.fee_rate.changed", "c-1"))[-1]
    assert [(one["since"], one["rate"]) for one in stretches["stretches"]] == [(str(NEXT), "2.0")]
    assert stretches["apply_from"] == "2024-02-02"
    assert (await get(shop, "/clients/c-1/fee-rate", as_of=str(DAY))).json()["rate"] == "0.5"
    said = (await told(shop, "products.subscription.changed", "c-1"))[-1]["stretches"]
    assert [(one["code"], one["state"], one["paid_by"]) for one in said] == [
        ("B", "active", "fee"), ("SMS1", "included", "bundle"), ("SMS2", "included", "bundle"),
        ("SMS3", "included", "bundle"),
    ]  # fmt: skip


async def test_what_was_shown_is_repeated_or_refused(shop: World) -> None:
    await gold(shop)
    await hear(shop, decided("A"))
    preview = await shown(shop, "A")
    assert await problem(await confirm(shop, preview, rate="1.4")) == "amount-differs"
    assert await problem(await confirm(shop, preview, amount="1.00")) == "amount-differs"
    assert (await confirm(shop, preview, key="k-1")).status_code == 201
    assert (await confirm(shop, preview, key="k-1")).headers["idempotency-replayed"] == "true"
    assert await problem(await confirm(shop, preview)) == "preview-used"
    missing = await confirm(shop, preview | {"preview_id": str(uuid4())})
    assert missing.status_code == 404


async def test_a_preview_older_than_x_or_than_the_shelf_is_refused(shop: World) -> None:
    await gold(shop)
    await hear(shop, decided("A"), decided("C"))
    preview = await shown(shop, "A")
    await hear(shop, agreed("0.9", agreement="x-2"), at=at(DAY, 20))
    outdated = await confirm(shop, preview)
    assert await problem(outdated) == "preview-outdated"
    assert outdated.json()["now"]["rate"] == "1.9"
    preview = await shown(shop, "C")
    async with shop.database("products").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO product_states VALUES ('C', $1, 9, 'suspended', now())", DAY)
    assert await problem(await confirm(shop, preview)) == "not-on-shelf"


async def test_two_purchases_in_one_second_end_as_one_after_the_other(shop: World) -> None:
    """A downgrade and a purchase at once: whoever comes second saw another set, and looks again."""
    await gold(shop)
    await buy(shop, "B")
    await hear(shop, decided("A"), decided("C"))
    down, up = await shown(shop, "A"), await shown(shop, "C")
    answers = await asyncio.gather(confirm(shop, down), confirm(shop, up))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    rates = [code for code in await held(shop) if code in "ABC"]
    assert len(rates) == 1


async def test_suitabilitys_decision_is_waited_for_and_nothing_is_kept_without(shop: World) -> None:
    await gold(shop)
    preview = await shown(shop, "A")
    unknown = await confirm(shop, preview)
    assert (await problem(unknown), unknown.headers["retry-after"]) == ("decision-unknown", "1")
    assert await held(shop) == {}
    none = await confirm(shop, preview, decision_id=None)
    assert (none.status_code, none.json()["errors"][0]["pointer"]) == (422, "/decision_id")
    await hear(shop, decided("A", "BLOCK", "d-1"), decided("B", "PASS", "d-2"), decided("A", "PASS", "d-3", "c-2"),
               decided("A", "CONFIRM", "d-4"), decided("A", "PASS", "d-5", when=OPENED))  # fmt: skip
    for name in ("d-1", "d-2", "d-3", "d-4", "d-5"):
        assert await problem(await confirm(shop, preview, decision_id=name)) == "decision-against", name
    sent = asyncio.create_task(confirm(shop, preview, decision_id="d-6"))
    told_late = DecisionConfirmed(
        client_id="c-1", decision_id="d-6", product="A", confirmed_at=at(NEXT, 0, 2), valid_until=date(2024, 3, 1)
    )
    await hear(shop, told_late, decided("A", "CONFIRM", "d-6"))
    assert (await sent).status_code == 201


async def test_what_stands_against_it_is_shown_and_refused(shop: World) -> None:
    await hear(
        shop, opened(), opened("c-2"), agreed("0.5"), agreed("0.5", client="c-2"), tier(1, (OPENED, "SILVER")),
        assessed("LOW"), decided("B"), decided("SMS1"), ClientClosed(client_id="c-1", closed_on=date(2024, 3, 5)),
    )  # fmt: skip
    await close(shop, DAY)
    preview = await shown(shop, "B")
    assert [one["code"] for one in preview["obstacles"]] == ["not-open-to-tier", "below-floor"]
    assert await problem(await confirm(shop, preview)) == "not-open-to-tier"
    assert [one["code"] for one in (await shown(shop, "SMS1"))["obstacles"]] == ["agreement-needed"]
    assert [one["code"] for one in (await shown(shop, "D"))["obstacles"]][:2] == ["not-on-shelf", "not-open-to-tier"]
    assert [one["code"] for one in (await shown(shop, "FREE"))["obstacles"]] == ["not-sold"]
    last = await shown(shop, "SMS3", starts_on="2024-03-05")
    assert [one["code"] for one in last["obstacles"]] == ["account-closed"], "the day the account closes"
    assert (await shown(shop, "SMS3", starts_on="2024-03-04"))["obstacles"] == []
    late = await post(shop, "/clients/c-1/subscriptions/preview", {"code": "SMS3", "starts_on": str(DAY)})
    assert late.status_code == 422
    assert (await post(shop, "/clients/c-1/subscriptions/preview", {"code": "Z"})).status_code == 404
    other = AGENT.__class__("bob", AGENT.role, branch_id="B2", purpose="test")
    assert (await post(shop, "/clients/c-1/subscriptions/preview", {"code": "SMS3"}, other)).status_code == 404


async def test_a_paid_sms_comes_free_with_a_and_does_not_restart_s4(shop: World) -> None:
    await gold(shop)
    await buy(shop, "SMS3")
    await close(shop, date(2024, 2, 10))
    preview = await shown(shop, "A")
    assert preview["credits"] == [{"code": "SMS3", "amount": "9.83"}], "19 of 29 days of 15 CNY"
    made = await buy(shop, "A", date(2024, 2, 11))
    assert (await held(shop))["SMS3"] == "included bundle"
    ended = await post(shop, f"/subscriptions/{made['subscription_id']}/end", {"reason": "enough", "on": "2024-02-20"})
    assert (ended.json()["state"], ended.json()["until"]) == ("ending", "2024-02-20")
    await close(shop, date(2024, 2, 18))
    assert (await held(shop))["A"] == "ending fee"
    kept = await post(shop, f"/subscriptions/{made['subscription_id']}/keep", {"reason": "not yet"})
    assert (kept.json()["state"], kept.json()["until"]) == ("active", None)
    await post(shop, f"/subscriptions/{made['subscription_id']}/end", {"reason": "enough", "on": "2024-02-20"})
    await close(shop, date(2024, 2, 19))
    assert await held(shop) == {}
    assert (await get(shop, "/clients/c-1/fee-rate", as_of="2024-02-20")).json()["rate"] == "0.5"
    states = (await get(shop, "/clients/c-1/subscriptions")).json()["items"]
    assert {one["state"] for one in states} == {"ended"}
    assert {(one["code"], one["paid_by"]): one["ended_by"] for one in states}["SMS3", "fee"] == "bundle"


async def test_withdrawn_within_five_working_days_the_uplift_is_returned(shop: World) -> None:
    await gold(shop)
    made = await buy(shop, "A")  # signed on Thursday 1 February, whose fifth working day is the 7th: Sunday made up for
    second = await buy(shop, "E")
    await close(shop, date(2024, 2, 6))
    done = await post(shop, f"/subscriptions/{made['subscription_id']}/withdraw", {"reason": "thought it over"})
    assert (done.status_code, done.json()["state"], done.json()["until"]) == (200, "ended", str(NEXT)), done.text
    change = (await told(shop, "products.fee_rate.changed", "c-1"))[-1]
    assert (change["changed_from"], change["stretches"][0]["rate"]) == (str(NEXT), "1.0"), (
        "E alone, from the first day on"
    )
    await close(shop, date(2024, 2, 7))
    late = await post(shop, f"/subscriptions/{second['subscription_id']}/withdraw", {"reason": "too"})
    assert await problem(late) == "too-late-to-withdraw"


async def test_after_a_lost_tier_it_runs_to_the_end_of_the_billing_month_s5(shop: World) -> None:
    await gold(shop)
    await buy(shop, "A")
    lost = date(2024, 3, 10)
    await hear(shop, tier(2, (OPENED, "GOLD"), (lost, "SILVER"), since=lost))
    await close(shop, date(2024, 3, 8))
    assert (await held(shop))["A"] == "active fee"
    await close(shop, date(2024, 3, 9))
    assert (await held(shop))["A"] == "ending fee"
    change = (await told(shop, "products.subscription.changed", "c-1"))[-1]
    assert change["changed_from"] == "2024-04-01", "the first of the month after the one that runs"
    assert "A" not in {one["code"] for one in change["stretches"]}
    back = date(2024, 3, 20)
    await hear(shop, tier(3, (OPENED, "GOLD"), (lost, "SILVER"), (back, "GOLD"), since=back))
    await close(shop, date(2024, 3, 19))
    assert (await held(shop))["A"] == "active fee", "GOLD again before its end"
    again = date(2024, 3, 25)
    await hear(shop, tier(4, (again, "SILVER")))
    await close(shop, date(2024, 3, 31))
    assert await held(shop) == {}
    assert (await get(shop, "/clients/c-1/fee-rate", as_of="2024-04-01")).json()["rate"] == "0.5"
    await hear(shop, tier(5, (date(2024, 4, 3), "DIAMOND")))
    await close(shop, date(2024, 4, 3))
    assert await held(shop) == {}, "nothing restarts without consent"


async def test_what_begins_later_is_judged_again_on_its_day(shop: World) -> None:
    await gold(shop)
    await buy(shop, "A", starts_on="2024-02-15")
    await buy(shop, "SMS3", starts_on="2024-02-15")
    assert await held(shop) == {"A": "pending fee", "SMS3": "pending fee"}
    await hear(shop, tier(2, (date(2024, 2, 12), "SILVER")))
    await close(shop, date(2024, 2, 14))
    assert await held(shop) == {"SMS3": "active fee"}
    [refused] = [one for one in (await get(shop, "/clients/c-1/subscriptions")).json()["items"] if one["code"] == "A"]
    assert (refused["state"], refused["ended_by"], refused["until"]) == ("ended", "not-open-to-tier", "2024-02-15")


async def test_an_account_that_closes_takes_its_subscriptions_along(shop: World) -> None:
    await gold(shop)
    await buy(shop, "A")
    await hear(shop, ClientClosed(client_id="c-1", closed_on=date(2024, 2, 9)))
    await close(shop, date(2024, 2, 8))
    assert await held(shop) == {}


def redemption(
    reward: str, months: int = 1, name: int = 1, kind: Any = RedemptionRequested, when: datetime | None = None
) -> Any:
    return kind(
        redemption_id=UUID(int=name), client_id="c-1", reward=reward, quantity=months, points=Quantity("30"),
        at=when or at(NEXT, 9),
    )  # fmt: skip


async def test_sms1_is_paid_by_points_once_however_often_it_is_asked_p5(shop: World) -> None:
    await gold(shop)
    await hear(shop, redemption("SMS1"), redemption("SMS1"))
    await hear(shop, redemption("SMS1"))
    assert await held(shop) == {"SMS1": "active points"}
    answers = await told(shop, "products.redemption.confirmed", "c-1")
    assert len(answers) == 3, "a lost answer is repeated"
    assert len({str(one) for one in answers}) == 1
    await hear(shop, redemption("SMS1", kind=RedemptionCancelled))
    assert len(await told(shop, "products.redemption.confirmed", "c-1")) == 4, "what is delivered stays delivered"
    await hear(shop, redemption("SMS1", 2, name=2))
    [row] = await shop.rows("products", "SELECT since, until FROM subscriptions WHERE state = 'active'")
    assert (row["since"], row["until"]) == (NEXT, date(2024, 5, 1))
    await close(shop, date(2024, 4, 30))
    assert await held(shop) == {}


async def test_what_points_cannot_buy_is_refused_and_what_is_cancelled_first_never_delivered(shop: World) -> None:
    await gold(shop)
    await hear(shop, redemption("A", name=1), redemption("GOLD", name=2), redemption("SMS3", 99, name=3),
               redemption("SMS2", name=4, kind=RedemptionCancelled))  # fmt: skip
    await hear(shop, redemption("SMS2", name=4))
    await buy(shop, "SMS3")
    await hear(shop, redemption("SMS3", name=5))
    answers = await told(shop, "products.redemption.refused", "c-1")
    assert [(UUID(one["redemption_id"]).int, one["reason"]) for one in answers] == [
        (1, "not-for-points"), (2, "not-for-points"), (3, "too-long"), (4, "cancelled"), (4, "cancelled"),
        (5, "already-subscribed"),
    ]  # fmt: skip
    assert await held(shop) == {"SMS3": "active fee"}


@pytest.mark.parametrize(
    ("since", "day", "month"),
    [
        ((2023, 1, 31), (2023, 2, 27), ((2023, 1, 31), (2023, 2, 28))),
        ((2023, 1, 31), (2023, 2, 28), ((2023, 2, 28), (2023, 3, 31))),
        ((2023, 1, 31), (2023, 3, 31), ((2023, 3, 31), (2023, 4, 30))),
        ((2024, 2, 29), (2025, 2, 28), ((2025, 2, 28), (2025, 3, 29))),
        ((2024, 1, 30), (2024, 2, 29), ((2024, 2, 29), (2024, 3, 30))),
    ],
)
def test_months_run_by_the_calendar(since: Any, day: Any, month: Any) -> None:
    assert month_of(date(*since), date(*day)) == tuple(date(*one) for one in month)


@given(st.dates(date(2020, 1, 1), date(2026, 12, 31)), st.integers(0, 900))
def test_every_day_lies_in_one_month_and_months_follow_one_another(since: date, days: int) -> None:
    day = since + timedelta(days=days)
    begins, ends = month_of(since, day)
    assert begins <= day < ends
    assert month_of(since, ends)[0] == ends
    assert unused(Decimal(30), since, begins) == Decimal("30.00")
    assert Decimal(0) < unused(Decimal(30), since, day) <= Decimal(30)
