"""Lost clients: the reason within five working days, and what a month comes to [A19]."""

from datetime import date, timedelta

from chassis.calendar import shipped
from chassis.clock import business_date, utc_now
from contracts import broker, classification
from services.relationships.lost import Lost, judge
from services.relationships.policy import Policies
from tests.relationships.conftest import DIRECTOR, MANAGER, Office, opened
from tests.world import World

TERMS = Policies.hand_over.shipped[0].body
DAY = timedelta(days=1)


def test_a_reason_is_due_on_the_fifth_working_day() -> None:
    friday = date(2024, 3, 8)
    missing = Lost("c", "B1", "max", friday, None, None)
    assert judge(missing, TERMS, shipped(), friday + 7 * DAY).due == friday + 7 * DAY
    assert [judge(missing, TERMS, shipped(), friday + n * DAY).late for n in (7, 8)] == [False, True]
    given = Lost("c", "B1", "max", friday, "moved away", friday + 5 * DAY)
    assert not judge(given, TERMS, shipped(), friday + 90 * DAY).late


async def test_who_was_lost_and_why(branch: World, office: Office) -> None:
    today = business_date(utc_now())
    begun, closed = today - 60 * DAY, today - 20 * DAY
    await branch.publish(*(opened(f"z-{n}", on=begun, manager_id="max" if n < 3 else "anna") for n in range(4)))
    lifecycle = classification.LifecycleChanged(
        client_id="z-1", branch_id="B1", revision=1, changed_from=closed + DAY, previous="MATURE",
        stretches=[classification.LifecycleStretch(since=closed + DAY, lifecycle="LOST")],
    )  # fmt: skip
    await branch.publish(lifecycle, *(broker.ClientClosed(client_id=f"z-{n}", closed_on=closed) for n in (0, 3)))
    await branch.settle()
    await office.enter(MANAGER, "z-0", S22="rival's rate")
    path = f"since={begun}&until={today}"
    found = await office.get(DIRECTOR, f"/lost?{path}")
    assert [(one["client_id"], one["person"], one["reason"], one["late"]) for one in found] == [
        ("z-0", "max", "rival's rate", True),
        ("z-3", "anna", None, True),
        ("z-1", "max", None, True),
    ]
    assert [one["client_id"] for one in await office.get(MANAGER, f"/lost?{path}")] == ["z-0", "z-1"]
    early = await office.get(DIRECTOR, f"/lost?{path}&as_of={closed + DAY}")
    assert [(one["client_id"], one["reason"], one["late"]) for one in early] == [
        ("z-0", None, False),
        ("z-3", None, False),
        ("z-1", None, False),
    ]
    [figures] = await office.get(DIRECTOR, f"/lost/figures?{path}")
    assert figures == {"branch_id": "B1", "clients": 3, "explained": 1, "overdue": 3, "reasons": {"rival's rate": 1}}
