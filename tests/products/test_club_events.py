"""Events of the club: seats and guests, the waiting list, who came; the register of hospitality; the club's measures."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.actor import Actor, Role
from chassis.clock import at
from contracts.classification import MonthEvaluated
from contracts.fields import Amount
from contracts.suitability import ProfessionalChanged, ProfessionalStretch
from services.products.club_measures import Case, paired, side
from services.products.club_rules import Waiting, admitted, in_order, is_behind, moves_by_itself
from services.products.policy import Policies
from tests.products.facts import AGENT, CHECKER, DAY, DESK, OPENED, close, get, hear, opened, post, told
from tests.products.test_subscriptions import NEXT, problem, tier
from tests.world import World

BOOK = Policies()
CLUB = BOOK.club.all[0].body
HEAD = Actor("berta", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")
EVENING = at(date(2024, 2, 20), 19)


def waiting(
    n: int, tier_: str = "GOLD", worth: str = "0", behind: bool = False, seats: int = 1, hour: int = 9
) -> Waiting:
    return Waiting(UUID(int=n), seats, tier_, Decimal(worth), behind, at(DAY, hour))


def test_the_waiting_list_goes_by_tier_then_v_then_time_and_who_did_not_come_twice_is_last_h2() -> None:
    found = in_order(
        [
            waiting(1, "DIAMOND", "99", behind=True), waiting(2, "PLATINUM", "10", hour=8), waiting(3, "DIAMOND", "5"),
            waiting(4, "PLATINUM", "20", hour=12), waiting(5, "PLATINUM", "10", hour=7), waiting(6, "DIAMOND", "50"),
        ]
    )  # fmt: skip
    assert [one.registration_id.int for one in found] == [6, 3, 4, 5, 2, 1]


@given(
    st.lists(st.tuples(st.sampled_from(["GOLD", "PLATINUM", "DIAMOND"]), st.integers(1, 3)), max_size=8),
    st.integers(0, 10),
)
def test_free_seats_are_never_oversold_and_nobody_who_would_fit_is_left(
    parties: Sequence[tuple[str, int]], free: int
) -> None:
    listed = [waiting(n, code, seats=seats) for n, (code, seats) in enumerate(parties)]
    chosen = admitted(listed, free)
    left = free - sum(one.seats for one in chosen)
    assert left >= 0
    assert all(one.seats > left for one in listed if one not in chosen)


@pytest.mark.parametrize(
    ("missed", "day", "behind"),
    [
        ((), DAY, False), ((DAY,), DAY, False), ((DAY, DAY), DAY, True), ((OPENED, DAY), date(2024, 4, 29), True),
        ((OPENED, DAY), date(2024, 4, 30), False), ((OPENED, OPENED, DAY), DAY, False),
        ((OPENED, OPENED, OPENED, DAY), DAY, True), ((OPENED, NEXT), DAY, False),
    ],
)  # fmt: skip
def test_twice_not_come_is_three_months_behind(missed: Sequence[date], day: date, behind: bool) -> None:
    assert is_behind(missed, day, CLUB) is behind


def test_the_list_moves_by_itself_until_a_day_before() -> None:
    assert moves_by_itself(EVENING - timedelta(hours=24), EVENING, CLUB)
    assert not moves_by_itself(EVENING - timedelta(hours=24) + timedelta(seconds=1), EVENING, CLUB)


async def members(world: World, **tiers: str) -> None:
    """Members of B1 by client and tier, from 1 February on."""
    await hear(
        world,
        *(opened(client) for client in tiers),
        *(tier(1, (OPENED, code), client=client) for client, code in tiers.items()),
    )
    await close(world, DAY)
    for client in tiers:
        membership = (await get(world, f"/clients/{client}/club", DESK)).json()["membership"]["membership_id"]
        assert (await post(world, f"/club/memberships/{membership}/accept", {}, AGENT)).status_code == 200


async def planned(world: World, capacity: int = 2, actor: Actor = HEAD, **more: Any) -> dict[str, Any]:
    body = {
        "kind": "CULTURE", "title_en": "Evening of chamber music", "title_zh": "室内乐之夜", "place": "Hall 1",
        "starts_at": EVENING.isoformat(), "ends_at": (EVENING + timedelta(hours=3)).isoformat(), "capacity": capacity,
    } | more  # fmt: skip
    answer = await post(world, "/club/events", body, actor, key=uuid4().hex)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def published(world: World, capacity: int = 2, **more: Any) -> str:
    event = (await planned(world, capacity, **more))["event_id"]
    asked = await post(world, f"/club/events/{event}/publish", {"reason": "for the season"}, HEAD)
    assert asked.status_code == 202, asked.text
    done = await post(world, f"/approvals/{asked.json()['approval_id']}/approve", {"because": "so"}, DESK)
    assert done.status_code == 200, done.text
    return str(event)


async def register(world: World, event: str, client: str, guests: int = 0, actor: Actor | None = None) -> Any:
    caller = actor or Actor(client, Role.CLIENT, client_id=client)
    return await post(
        world, f"/club/events/{event}/registrations", {"client_id": client, "guests": guests}, caller, key=uuid4().hex
    )


async def states(world: World, event: str) -> dict[str, str]:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 2}  # pages lose and repeat nothing
    while True:
        page = (await get(world, f"/club/events/{event}/registrations", HEAD, **query)).json()
        found += page["items"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert len({one["registration_id"] for one in found}) == len(found)
    return {one["client_id"]: one["state"] for one in found}


async def test_an_evening_seats_guests_the_waiting_list_who_came_and_who_did_not(shop: World) -> None:
    await members(shop, a="PLATINUM", b="PLATINUM", c="DIAMOND", d="PLATINUM")
    await hear(
        shop,
        *(
            MonthEvaluated(client_id=client, branch_id="B1", month_end=DAY, revision=1, value=Amount(value))
            for client, value in (("b", "10.00"), ("c", "1.00"), ("d", "40.00"))
        ),
        opened("n"), opened("x", "B2"),
    )  # fmt: skip
    event = await published(shop, 3)
    first = await register(shop, event, "a", guests=2)
    assert (first.status_code, first.json()["state"]) == (201, "registered")
    assert await problem(await register(shop, event, "a")) == "already-registered"
    assert await problem(await register(shop, event, "n")) == "not-a-member"
    assert (await register(shop, event, "x", actor=AGENT)).status_code == 404
    assert (await register(shop, event, "b", guests=3)).status_code == 422
    for client in ("b", "c", "d"):
        assert (await register(shop, event, client)).json()["state"] == "waiting"
    listed = (await get(shop, f"/club/events/{event}/registrations", AGENT)).json()["items"]
    assert [(one["client_id"], one["place"]) for one in listed] == [("a", None), ("c", 1), ("d", 2), ("b", 3)]
    assert [(one["tier"], one["worth"]) for one in listed[1:]] == [
        ("DIAMOND", "1.00"),
        ("PLATINUM", "40.00"),
        ("PLATINUM", "10.00"),
    ]
    async with shop.client(
        "products", HEAD, if_match=f'"{(await get(shop, f"/club/events/{event}", HEAD)).json()["revision"]}"'
    ) as http:
        grown = await http.post(f"/v1/products/club/events/{event}/resize", json={"capacity": 4})
    assert (grown.status_code, grown.json()["taken"]) == (200, 4), grown.text
    assert await states(shop, event) == {"a": "registered", "c": "registered", "d": "waiting", "b": "waiting"}
    left = await post(shop, f"/club/registrations/{first.json()['registration_id']}/cancel", {"reason": "ill"}, AGENT)
    assert left.json()["state"] == "cancelled"
    assert await states(shop, event) == {"a": "cancelled", "c": "registered", "d": "registered", "b": "registered"}
    mine = (await get(shop, "/clients/c/club/registrations", Actor("c", Role.CLIENT, client_id="c"))).json()["items"]
    registration = mine[0]["registration_id"]
    assert await problem(await post(shop, f"/club/registrations/{registration}/attend", {}, AGENT)) == "not-begun"
    assert await problem(await post(shop, f"/club/events/{event}/close_out", {}, HEAD)) == "not-begun"
    await close(shop, date(2024, 2, 20))
    assert await problem(await register(shop, event, "a")) == "event-not-open"
    assert (await post(shop, f"/club/registrations/{registration}/attend", {}, AGENT)).json()["state"] == "attended"
    assert (await post(shop, f"/club/events/{event}/close_out", {}, HEAD)).json()["state"] == "held"
    assert await states(shop, event) == {"a": "cancelled", "c": "attended", "d": "missed", "b": "missed"}
    await post(shop, f"/club/registrations/{await registration_of(shop, event, 'b')}/attend", {}, AGENT)
    said = [(one["client_id"], one["state"], one["kind"]) for one in await told(shop, "products.attendance.recorded")]
    assert sorted(said) == [
        ("b", "attended", "CULTURE"),
        ("b", "missed", "CULTURE"),
        ("c", "attended", "CULTURE"),
        ("d", "missed", "CULTURE"),
    ]


async def registration_of(world: World, event: str, client: str) -> str:
    found = (await get(world, f"/club/events/{event}/registrations", HEAD)).json()["items"]
    return str(next(one["registration_id"] for one in found if one["client_id"] == client))


async def test_late_seats_are_given_by_hand_and_members_who_left_give_theirs_back(shop: World) -> None:
    await members(shop, a="PLATINUM", b="PLATINUM", c="DIAMOND")
    event = await published(shop, 1)
    assert (await register(shop, event, "a")).json()["state"] == "registered"
    assert (await register(shop, event, "b")).json()["state"] == "waiting"
    membership = (await get(shop, "/clients/a/club", DESK)).json()["membership"]["membership_id"]
    assert (await post(shop, f"/club/memberships/{membership}/leave", {"reason": "moved"}, AGENT)).status_code == 200
    await close(shop, date(2024, 2, 1))
    assert await states(shop, event) == {"a": "cancelled", "b": "registered"}
    await close(shop, date(2024, 2, 18))
    assert (await register(shop, event, "c")).json()["state"] == "waiting"
    await close(shop, date(2024, 2, 19))
    waits = await registration_of(shop, event, "c")
    assert (
        await problem(await post(shop, f"/club/registrations/{waits}/admit", {"reason": "asked for"}, AGENT))
        == "no-seats"
    )
    gone = await registration_of(shop, event, "b")
    await post(shop, f"/club/registrations/{gone}/cancel", {"reason": "ill"}, AGENT)
    assert (await states(shop, event))["c"] == "waiting", "within 24 hours the list does not move by itself"
    assert (await register(shop, event, "b")).json()["state"] == "waiting", "a free seat is first for who waits"
    given_ = await post(shop, f"/club/registrations/{waits}/admit", {"reason": "asked for"}, AGENT)
    assert given_.json()["state"] == "registered"
    cancelled = await post(shop, f"/club/events/{event}/cancel", {"reason": "storm"}, HEAD)
    assert cancelled.json()["state"] == "cancelled"
    assert set((await states(shop, event)).values()) == {"cancelled"}


async def test_events_for_some_roles_for_professionals_public_ones_and_of_other_branches(shop: World) -> None:
    await members(shop, a="PLATINUM", b="PLATINUM")
    membership = (await get(shop, "/clients/a/club", DESK)).json()["membership"]
    page = await get(shop, f"/club/memberships/{membership['membership_id']}", AGENT)
    async with shop.client("products", AGENT, if_match=page.headers["etag"]) as http:
        path = f"/v1/products/club/memberships/{membership['membership_id']}/set_role"
        assert (await http.post(path, json={"social_role": "NOBODY"})).status_code == 422
        assert (await http.post(path, json={"social_role": "OWNER"})).json()["social_role"] == "OWNER"
    owners = await published(shop, audience=["OWNER"])
    assert await problem(await register(shop, owners, "b")) == "not-invited-role"
    assert (await register(shop, owners, "a")).status_code == 201
    placement = await published(shop, kind="PRIVATE_PLACEMENT")
    assert await problem(await register(shop, placement, "a")) == "not-qualified"
    await hear(
        shop,
        ProfessionalChanged(
            client_id="a", revision=1, changed_from=OPENED, stretches=[ProfessionalStretch(since=OPENED, category="B")]
        ),
    )
    assert (await register(shop, placement, "a")).json()["state"] == "registered"
    public = (await planned(shop, public=True))["event_id"]
    assert await problem(await post(shop, f"/club/events/{public}/publish", {"reason": "x"}, HEAD)) == "filing-needed"
    theirs = await planned(shop, actor=DESK, branch_id="B2")
    assert (await get(shop, f"/club/events/{theirs['event_id']}", HEAD)).status_code == 404
    assert (await get(shop, f"/club/events/{public}", Actor("a", Role.CLIENT, client_id="a"))).status_code == 404, (
        "a draft"
    )
    wrong = {"kind": "PARTY", "audience": ["NOBODY"], "starts_at": at(DAY, 9).isoformat()}
    refused = await post(shop, "/club/events", {
        "title_en": "x", "title_zh": "x", "place": "x", "ends_at": EVENING.isoformat(), "capacity": 1} | wrong, HEAD, key="w")  # fmt: skip
    assert {one["pointer"].rsplit("/", 1)[-1] for one in refused.json()["errors"]} == set(wrong)


async def test_gifts_are_off_hospitality_has_a_cap_of_the_year_and_two_persons_h2(shop: World) -> None:
    await members(shop, a="PLATINUM")

    async def ask(amount: str, kind: str = "hospitality", given_on: date = DAY) -> Any:
        body = {"kind": kind, "amount": amount, "given_on": str(given_on), "reason": "dinner after the concert"}
        return await post(shop, "/clients/a/club/hospitality", body, HEAD, key=uuid4().hex)

    async def agree(asked: Any) -> Any:
        assert asked.status_code == 202, asked.text
        return await post(shop, f"/approvals/{asked.json()['approval_id']}/approve", {"because": "so"}, CHECKER)

    assert await problem(await ask("10")) == "switched-off"
    await allow_hospitality(shop)
    assert await problem(await ask("10", "gift")) == "switched-off"
    assert await problem(await ask("1000.01")) == "above-yearly-value"
    first, second = await ask("600"), await ask("400.01")
    assert (await agree(first)).status_code == 200
    over = await agree(second)
    assert (await problem(over), over.json()["left"]) == ("above-yearly-value", "400.00"), (
        "of two that waited the second"
    )
    [entry] = (await get(shop, "/club/hospitality", HEAD, on=str(DAY))).json()["items"]
    assert (entry["amount"], entry["state"], entry["asked_by"], entry["decided_by"]) == (
        "600.00",
        "given",
        "berta",
        "colin",
    )
    voided = await post(shop, f"/club/hospitality/{entry['entry_id']}/void", {"reason": "entered twice"}, DESK)
    assert (await agree(voided)).status_code == 200
    assert (await agree(await ask("1000"))).status_code == 200
    assert [one["state"] for one in (await get(shop, "/club/hospitality", HEAD, on=str(DAY))).json()["items"]] == [
        "void",
        "given",
    ]


async def allow_hospitality(world: World) -> None:
    """As a version published by two persons leaves it, from the beginning on."""
    body = dict(Policies.tables["club"].shipped[-1].written) | {"hospitality": True}
    async with world.database("products").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
               VALUES ('club', '', 1, $1, $2, 'test', 'published', 'mia', $3)""",
            date(2023, 1, 1),
            body,
            uow.now,
        )


def case(n: str, assets: int, after: int = 0, group: tuple[str, str] = ("B1", "PLATINUM"), **more: Any) -> Case:
    amounts = {name: Decimal(more.get(name, 0)) for name in ("commission", "commission_after")}
    return Case(
        n, group, more.get("had", True), more.get("has", True), Decimal(assets), Decimal(after), amounts["commission"],
        amounts["commission_after"],
    )  # fmt: skip


def test_members_are_paired_with_the_nearest_of_their_group_once_and_who_finds_none_is_left_out_h2() -> None:
    ours = [case("m1", 100), case("m2", 500), case("m3", 90), case("m4", 100, group=("B2", "PLATINUM"))]
    theirs = [case("n1", 110), case("n2", 480), case("n3", 1000), case("n4", 10, group=("B1", "DIAMOND"))]
    pairs = [(one.client_id, other.client_id) for one, other in paired(ours, theirs)]
    assert pairs == [("m2", "n2"), ("m1", "n1"), ("m3", "n3")]


def test_the_three_aims_of_a_side() -> None:
    cases = [
        case("a", 100, 70, commission=100, commission_after=130), case("b", 100, 69, commission=100, commission_after=80),
        case("c", 100, 100, has=False), case("p", 0, had=False, has=True), case("q", 0, had=False, has=False),
    ]  # fmt: skip
    found = side(cases, Decimal("0.7"))
    assert (found.clients, found.converted, found.contribution, found.stable) == (
        5,
        Decimal("50.0"),
        Decimal("5.0"),
        Decimal("33.3"),
    )
    assert side([], Decimal("0.7")).contribution is None


async def test_the_measures_of_a_quarter_compare_members_with_clients_who_are_alike(shop: World) -> None:
    await members(shop, a="PLATINUM", b="DIAMOND")
    others = {"c": "PLATINUM", "d": "PLATINUM", "e": "GOLD"}
    await hear(
        shop, *(opened(one) for one in others), *(tier(1, (OPENED, code), client=one) for one, code in others.items())
    )
    figures = {"a": (100, 90, 10, 15), "b": (900, 900, 1, 1), "c": (105, 50, 10, 10), "d": (400, 400, 10, 10)}
    await hear(
        shop,
        *(
            MonthEvaluated(
                client_id=client, branch_id="B1", month_end=month, revision=1, mean_assets=Amount(f"{assets}.00"),
                commission=Amount(f"{commission}.00"), value=Amount("1.00"),
            )
            for client, (assets, later, commission, more) in figures.items()
            for month, assets, commission in ((date(2024, 3, 31), assets, commission), (date(2024, 6, 30), later, more))
        ),
    )  # fmt: skip
    found = (await get(shop, "/reports/club-measures", DESK, quarter="2024-06")).json()
    assert (found["members"], found["others"], found["unmatched"]) == (
        {"clients": 1, "converted": None, "contribution": "50.0", "stable": "100.0"},
        {"clients": 1, "converted": None, "contribution": "0.0", "stable": "0.0"}, 1,
    )  # fmt: skip
    assert (await get(shop, "/reports/club-measures", DESK, quarter="2024-05")).status_code == 422
    assert (await get(shop, "/reports/club-measures", HEAD, quarter="2024-06")).status_code == 403
