"""Every kind of deadline is a limit that a new calendar moves, or says why no calendar can: a new kind cannot forget it."""

import re
from pathlib import Path

import pytest

from careline.services import SERVICES
from chassis.approvals import DEADLINE
from chassis.service import Service

ROOT = Path(__file__).parents[2]
WHATEVER_DAY = {
    "approval": "natural days",
    "dispatch": "the natural day of receipt [C4]",
    "phone": "the natural day of the order [C4]",
    "send": "the instant an import names",
    "leaver": "the day somebody leaves",
    "corrective": "the day an officer named [C17]",
    "plan": "the day an officer named [C14]",
    "no_manager": "natural days after the opening [B12]",
    "application-void": "natural days",
    "redemption-unanswered": "minutes for another service's answer",
}
"""Kinds that go by natural days or by a day that somebody named."""


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.name)
def test_every_kind_of_deadline_moves_with_the_calendar_or_says_why_not(service: Service) -> None:
    clocks = {kind.name for table in service.acts for kind in table.aggregate.clocks}
    moving = clocks | service.replans.keys()
    fixed = {kind for kind in service.deadlines if kind in WHATEVER_DAY or kind == DEADLINE}
    assert service.deadlines.keys() == {kind for kind in service.deadlines if kind in moving | fixed}
    assert not moving & fixed
    assert service.replans.keys() <= service.deadlines.keys()


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.name)
def test_the_days_of_a_limit_are_counted_nowhere_else(service: Service) -> None:
    """What is armed as an instant that a calendar counted could not be moved: `limited`, or a table with a `replan`."""
    guilty = []
    for path in sorted((ROOT / ("gateway" if service.name == "gateway" else f"services/{service.name}")).rglob("*.py")):
        for armed in re.findall(r"\bDeadline\((?:[^()]|\([^()]*\))*\)", path.read_text("utf-8")):
            if re.search(r"first_due|add_days|add_working_time|end_of_working_day", armed):
                guilty.append(f"{path.name}: {armed[:60]}")
    assert guilty == []
