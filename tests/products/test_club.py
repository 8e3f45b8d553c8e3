"""The club: who is invited when a month closes, answers, grace, prospects; what members may have, and what is told."""

from datetime import date, timedelta
from typing import Any

import pytest

from contracts.broker import ClientClosed, ClientUpdated
from contracts.classification import ClassChanged
from services.products.club_rules import Standing, is_eligible, month_move, why
from services.products.entitlement_rules import Dated, InForce, Known, entitled
from services.products.policy import Policies
from services.products.told import on
from tests.products.facts import AGENT, CHECKER, DAY, DESK, OPENED, OWN, close, get, hear, opened, post, told
from tests.products.test_subscriptions import NEXT, problem, tier
from tests.world import World

BOOK = Policies()
CLUB = BOOK.club.all[0].body
MORE = {"CLUB_EVENTS", "CLUB_ADVISER_HOURS", "CLUB_LIVING", "FIRST_CALL", "GREEN_CHANNEL"}


@pytest.mark.parametrize(
    ("tier_", "code", "eligible"),
    [
        ("PLATINUM", "C", True), ("DIAMOND", None, True), ("GOLD", "A+", True), ("NORMAL", "B+", True),
        ("GOLD", "A", False), ("GOLD", "B", False), ("SILVER", None, False),
    ],
)  # fmt: skip
def test_platinum_and_above_or_class_a_plus_and_b_plus_are_eligible_h1(
    tier_: str, code: str | None, eligible: bool
) -> None:
    assert is_eligible(Standing(tier_, code, True), CLUB) is eligible
    assert not is_eligible(Standing(tier_, code, False), CLUB)
    said = why(Standing(tier_, code, True), CLUB)
    assert said.en.startswith("eligible" if eligible else "not eligible")
    assert said.zh.startswith("符合条件" if eligible else "不符合条件")


@pytest.mark.parametrize(
    ("state", "basis", "eligible", "move"),
    [
        ("invited", "eligible", True, None), ("invited", "eligible", False, "lapse"), ("invited", "prospect", False, None),
        ("member", "eligible", True, None), ("member", "eligible", False, "lose"), ("member", "prospect", False, None),
        ("member", "prospect", True, "renew"), ("grace", "eligible", False, None), ("grace", "eligible", True, "regain"),
    ],
)  # fmt: skip
def test_what_a_month_close_does(state: str, basis: str, eligible: bool, move: str | None) -> None:
    assert month_move(state, basis, eligible) == move


def test_members_have_visibly_more_also_a_prospect_without_an_account() -> None:
    """提供明显异于非会员的差别待遇."""
    rules = InForce.of(BOOK.services.all, BOOK.catalogue.all)
    end = DAY + timedelta(days=10)
    prospect = entitled(Known(club=[Dated("", DAY, end)]), rules)
    assert {one.code for one in prospect} == MORE
    assert {(one.source, one.since, one.until) for one in prospect} == {("CLUB", DAY, end)}
    member = Known(OPENED, None, club=[Dated("", DAY, None)])
    without = {one.code for one in on(entitled(Known(OPENED), rules), DAY)}
    assert {one.code for one in on(entitled(member, rules), DAY)} - without == MORE
    member.closed_on = DAY
    assert on(entitled(member, rules), DAY) == []


async def club_of(world: World, client: str = "c-1", actor: Any = DESK) -> dict[str, Any]:
    answer = await get(world, f"/clients/{client}/club", actor)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def act(world: World, client: str, name: str, actor: Any = OWN, **body: Any) -> Any:
    membership = (await club_of(world, client))["membership"]["membership_id"]
    return await post(world, f"/club/memberships/{membership}/{name}", body, actor)


async def states(world: World, client: str = "c-1") -> list[tuple[str, str]]:
    """The client's states in the club as all that was told leaves them."""
    held: list[dict[str, Any]] = []
    for change in await told(world, "products.club.changed", client):
        held = [one for one in held if one["since"] < change["changed_from"]] + change["stretches"]
    return [(one["since"], one["state"]) for one in held]


async def club_services(world: World, client: str = "c-1") -> set[str]:
    found = (await get(world, f"/clients/{client}/entitlements", DESK)).json()["items"]
    return {one["code"] for one in found if one["source"] == "CLUB"}


async def test_invited_at_the_month_close_a_member_by_consent_in_grace_and_back_and_lapsed(shop: World) -> None:
    await hear(
        shop,
        opened(),
        opened("c-2"),
        opened("c-3"),
        tier(1, (OPENED, "PLATINUM")),
        tier(1, (OPENED, "GOLD"), client="c-2"),
    )
    await hear(
        shop,
        ClassChanged(client_id="c-3", branch_id="B1", revision=1, effective_on=OPENED, code="A"),
        ClassChanged(client_id="c-3", branch_id="B1", revision=2, effective_on=NEXT, code="B+"),
    )
    await close(shop, date(2024, 1, 30))
    assert (await club_of(shop))["membership"] is None, "not before the month closes"
    await close(shop, DAY)
    mine = await club_of(shop)
    assert (mine["eligible"], mine["why"]["en"], mine["membership"]["state"]) == (
        True,
        "eligible by tier PLATINUM",
        "invited",
    )
    assert mine["membership"]["until"] == str(NEXT + timedelta(days=90))
    assert (await club_of(shop, "c-2"))["membership"] is None
    assert (await club_of(shop, "c-3"))["why"]["zh-CN"] == "符合条件：客户分类B+"
    assert await club_services(shop) == set(), "an invitation gives nothing"
    assert await problem(await act(shop, "c-1", "leave", reason="no")) == "illegal-move"
    assert (await act(shop, "c-1", "accept")).json()["state"] == "member"
    assert await club_services(shop) == MORE
    assert (await act(shop, "c-3", "decline", AGENT, reason="on the phone")).json()["ended_by"] == "declined"
    await hear(shop, tier(2, (date(2024, 2, 20), "SILVER")))
    await close(shop, date(2024, 2, 29))
    grace = (await club_of(shop))["membership"]
    assert (grace["state"], grace["until"]) == ("grace", str(date(2024, 3, 1) + timedelta(days=90)))
    assert await club_services(shop) == MORE, "grace keeps what members have [H2.1]"
    await hear(shop, tier(3, (date(2024, 3, 15), "DIAMOND")))
    await close(shop, date(2024, 3, 31))
    assert ((await club_of(shop))["membership"]["state"], (await club_of(shop))["membership"]["until"]) == (
        "member",
        None,
    )
    assert (await club_of(shop, "c-3"))["membership"]["state"] == "lapsed", "who declined is not asked again at once"
    await hear(shop, tier(4, (date(2024, 4, 2), "GOLD")))
    await close(shop, date(2024, 4, 30))
    await close(shop, date(2024, 7, 28))
    assert (await club_of(shop))["membership"]["state"] == "grace"
    assert (await club_of(shop))["membership"]["until"] == "2024-07-30"
    ended = await shop.rows("products", "SELECT state, since, ended_by FROM club_memberships WHERE client_id = 'c-1'")
    assert ended == [{"state": "grace", "since": date(2024, 5, 1), "ended_by": None}]
    await close(shop, date(2024, 7, 29))
    over = (await club_of(shop))["membership"]
    assert (over["state"], over["ended_by"], over["since"]) == ("lapsed", "not_eligible", "2024-07-30")
    assert await club_services(shop) == set()
    assert await states(shop) == [
        (str(NEXT), "member"), ("2024-03-01", "grace"), ("2024-04-01", "member"), ("2024-05-01", "grace"), ("2024-07-30", "lapsed"),
    ]  # fmt: skip


async def test_who_is_eligible_at_the_close_on_which_grace_or_a_prospects_months_end_stays_a_member(
    shop: World,
) -> None:
    await hear(shop, opened(), opened("c-2"), tier(1, (OPENED, "PLATINUM")))
    await close(shop, DAY)
    assert (await act(shop, "c-1", "accept")).json()["state"] == "member"
    asked = await post(shop, "/clients/c-2/club/invitations", {"reason": "met at a fair"}, DESK, key="c-2")
    await post(shop, f"/approvals/{asked.json()['approval_id']}/approve", {"because": "so"}, CHECKER)
    assert (await act(shop, "c-2", "accept", AGENT)).json()["until"] == "2024-08-01"
    await hear(shop, tier(1, (date(2024, 7, 10), "PLATINUM"), client="c-2"), tier(2, (date(2024, 11, 10), "SILVER")))
    await close(shop, date(2024, 7, 31))
    stays = (await club_of(shop, "c-2"))["membership"]
    assert (stays["state"], stays["basis"], stays["until"]) == ("member", "eligible", None)
    await close(shop, date(2024, 11, 30))
    assert (await club_of(shop))["membership"]["until"] == "2025-03-01"
    await hear(shop, tier(3, (date(2025, 2, 10), "DIAMOND")))
    await close(shop, date(2025, 2, 28))
    assert ((await club_of(shop))["membership"]["state"], (await club_of(shop))["membership"]["until"]) == (
        "member",
        None,
    )
    assert await states(shop) == [(str(NEXT), "member"), ("2024-12-01", "grace"), ("2025-03-01", "member")]


async def test_a_prospect_takes_two_persons_and_ends_after_six_months_unless_eligible_by_then(shop: World) -> None:
    await hear(shop, ClientUpdated(client_id="p-1", branch_id="B1"), opened("c-2"))
    await close(shop, DAY)
    for client in ("p-1", "c-2"):
        asked = await post(shop, f"/clients/{client}/club/invitations", {"reason": "met at a fair"}, DESK, key=client)
        assert (asked.status_code, asked.json()["membership_id"]) == (202, None)
        approval = asked.json()["approval_id"]
        assert (
            await problem(await post(shop, f"/approvals/{approval}/approve", {"because": "so"}, DESK), 403)
            == "second-person-needed"
        )
        assert (await post(shop, f"/approvals/{approval}/approve", {"because": "so"}, CHECKER)).status_code == 200
        assert (await act(shop, client, "accept", AGENT)).json()["until"] == "2024-08-01"
        again = await post(shop, f"/clients/{client}/club/invitations", {"reason": "again"}, DESK, key=f"{client}-2")
        assert await problem(again) == "already-in-club"
    assert await club_services(shop, "p-1") == MORE
    await hear(shop, tier(1, (date(2024, 2, 10), "PLATINUM"), client="c-2"))
    await close(shop, date(2024, 2, 29))
    converted = (await club_of(shop, "c-2"))["membership"]
    assert (converted["basis"], converted["state"], converted["until"]) == ("eligible", "member", None)
    await close(shop, date(2024, 7, 31))
    assert (await club_of(shop, "p-1"))["membership"]["ended_by"] == "prospect_over"
    assert (await club_of(shop, "c-2"))["membership"]["state"] == "member"


async def test_unanswered_closed_excluded_and_seen_by_whom(shop: World) -> None:
    clients = ("c-1", "c-2", "c-3")
    await hear(
        shop,
        *(opened(one, "B2" if one == "c-2" else "B1") for one in clients),
        *(tier(1, (OPENED, "DIAMOND"), client=one) for one in clients),
    )
    await close(shop, DAY)
    assert (await act(shop, "c-3", "accept", AGENT)).status_code == 200
    assert [one["client_id"] for one in (await get(shop, "/club/members", AGENT)).json()["items"]] == ["c-1", "c-3"]
    other = (await club_of(shop, "c-2"))["membership"]["membership_id"]
    assert (await get(shop, f"/club/memberships/{other}", AGENT)).status_code == 404
    mine = (await club_of(shop, "c-1", OWN))["membership"]["membership_id"]
    page = (await get(shop, f"/club/memberships/{mine}")).json()
    assert {one["act"] for one in page["acts"] if one["can"]} == {"accept", "decline"}
    assert [one["act"] for one in page["history"]] == ["invite"]
    asked = await act(shop, "c-3", "exclude", DESK, reason="misuse")
    assert (asked.status_code, asked.json()["state"]) == (202, "member")
    done = await post(shop, f"/approvals/{asked.json()['approval_id']}/approve", {"because": "so"}, CHECKER)
    assert done.status_code == 200, done.text
    assert (await club_of(shop, "c-3"))["membership"]["ended_by"] == "excluded"
    assert await club_services(shop, "c-3") == set()
    await hear(shop, ClientClosed(client_id="c-2", closed_on=date(2024, 2, 15)))
    await close(shop, date(2024, 2, 14))
    assert (await club_of(shop, "c-2"))["membership"]["ended_by"] == "account"
    await close(shop, date(2024, 4, 30))
    assert (await club_of(shop, "c-1"))["membership"]["ended_by"] == "unanswered"
    await close(shop, date(2024, 5, 31))
    assert (await club_of(shop, "c-1"))["membership"]["state"] == "lapsed"
