"""What other services tell that a client has to be told in turn: each once, in a real home alone."""

from datetime import timedelta
from typing import Any

from chassis.clock import business_date, utc_now
from contracts.classification import TierDowngradeWarned
from contracts.complaints import MessageRequested
from contracts.fields import Quantity
from contracts.points import LotsExpiring
from contracts.products import ClubChanged, ClubStretch, SubscriptionChanged, SubscriptionStretch
from contracts.suitability import DriftedProduct, MatchDrifted
from tests.messaging.desk import Desk

TODAY = business_date(utc_now())
SOON, PAST = TODAY + timedelta(days=30), TODAY - timedelta(days=40)


def facts(who: str) -> list[Any]:
    subscription = {"client_id": who, "changed_from": PAST}
    drifted = [DriftedProduct(product=code, needed="HIGH", what="holding") for code in ("STRUCTURED.NOTE.2030", "F2")]
    stretches = [
        SubscriptionStretch(since=PAST, until=TODAY, code="SMS1", state="active"),
        SubscriptionStretch(since=TODAY, until=SOON, code="SMS1", state="ending"),
        SubscriptionStretch(since=PAST, until=TODAY, code="A", state="blocked"),  # long ago
        SubscriptionStretch(since=TODAY, code="B", state="blocked"),
    ]
    return [
        LotsExpiring(client_id=who, month=f"{SOON:%Y-%m}", points=Quantity("120"), days_left=30),
        LotsExpiring(client_id=who, month=f"{PAST:%Y-%m}", points=Quantity("7"), days_left=7),  # over
        TierDowngradeWarned(client_id=who, branch_id="B1", tier="GOLD", next_tier="SILVER", grace_from=TODAY, steps_down_on=SOON, days_left=30),
        TierDowngradeWarned(client_id=who, branch_id="B1", tier="GOLD", next_tier="SILVER", grace_from=PAST, steps_down_on=TODAY, days_left=7),
        SubscriptionChanged(revision=1, stretches=stretches, **subscription),
        SubscriptionChanged(revision=2, stretches=stretches, **subscription),  # told again
        MatchDrifted(client_id=who, branch_id="B1", cause="off_shelf", found_on=TODAY, products=drifted),
        MatchDrifted(client_id=who, branch_id="B1", cause="class_raised", found_on=PAST, products=drifted),  # long ago
        ClubChanged(client_id=who, revision=1, changed_from=TODAY, stretches=[ClubStretch(since=TODAY, until=SOON, state="grace")]),
    ]  # fmt: skip


async def test_what_ends_is_told_once_in_a_real_home(desk: Desk) -> None:
    who = await desk.open(name="王小明")
    await desk.world.publish(*facts(who), at=utc_now())
    await desk.world.settle()
    found = await desk.world.rows("messaging", "SELECT kind, cause, state FROM messages WHERE client_id = $1", who)
    assert sorted((row["kind"], row["cause"]) for row in found) == [
        ("club_grace", f"{TODAY}"), ("match_drifted", f"{TODAY}/off_shelf"), ("points_expiring", f"{SOON:%Y-%m}/30"), ("subscription_blocked", f"B/{TODAY}"),
        ("subscription_ending", f"SMS1/{SOON}"), ("tier_grace", f"{TODAY}/30"),
    ]  # fmt: skip
    assert {row["state"] for row in found} <= {"queued", "planned"}


async def test_a_service_names_the_channels_its_client_chose(desk: Desk) -> None:
    who = await desk.open(email="chosen@example.com")
    for channel in ("app", "sms"):
        await desk.world.publish(
            MessageRequested(
                request_id=f"6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c{len(channel)}1", client_id=who, kind="complaint_progress",  # type: ignore[arg-type]
                cause=channel, fields={"reference": "c-1"}, channels=[channel], required=True, asked_at=utc_now(),  # type: ignore[list-item]
            )
        )  # fmt: skip
    await desk.world.settle()
    found = await desk.world.rows(
        "messaging", "SELECT cause, channels, asked_by FROM messages WHERE client_id = $1", who
    )
    assert {(row["cause"], row["channels"], row["asked_by"]) for row in found} == {("app", "app", "complaints"), ("sms", "sms", "complaints")}  # fmt: skip
