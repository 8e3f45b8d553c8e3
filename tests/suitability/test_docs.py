"""`docs/suitability.md` says what the code does: numbers, events, routes, reasons, problems, and the figures of a replay."""

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from chassis.http import openapi_of
from contracts import suitability as contract
from services.suitability import errors
from services.suitability.app import service
from services.suitability.policy import Policies
from services.suitability.rules import MISMATCHES, Reason
from tests.reference.exports import replay
from tests.reference.suitability import assessment_rows, mismatch_rows
from tests.replay.outcome import BANK, LAST
from tests.walks.rest import apps

DOC = " ".join((Path(__file__).parents[2] / "docs" / "suitability.md").read_text("utf-8").split())
POLICY = Policies().on(date(2026, 1, 1))
WORDS = {1: "one", 2: "two", 3: "three", 5: "five", 12: "twelve"}
GAMING, HOURS = POLICY.gaming, [minutes // 60 for minutes in POLICY.cooling_minutes]


@pytest.mark.parametrize(
    "said",
    [
        f"At most {POLICY.submissions_per_day}† submissions a day and {POLICY.submissions_per_year}† in twelve months",
        f"a rise of {WORDS[POLICY.review_rise_levels]}† levels or more over the lowest level in force within "
        f"{POLICY.review_rise_days}† days",
        f"the lowest level within {POLICY.purchase_rise_hours}† hours before a purchase",
        f"from the age of {POLICY.elderly_age}† on",
        f"{POLICY.contact_age}† on, and when vulnerable",
        f"a new questionnaire due within {POLICY.life_change_days}† days",
        f"An assessment holds for {WORDS[POLICY.validity_months]}† months",
        "Reminders go out {}, {} and {}† days before".format(*POLICY.reminder_days),
        "reminders go out {}, {} and {}† days before its end".format(*POLICY.reminder_days),
        f"Cooling time†: {('none', 'some')[HOURS[0] > 0]} for one level above; {HOURS[1]} hours for two and more",
        f"A CONFIRM lapses {POLICY.confirm_within_hours}† hours later",
        f"(`high_risk`†: {POLICY.high_risk['SEED-2010-12Q']}, {POLICY.high_risk['C5R5']} and above)",
        f"for {POLICY.link_hours}† hours and never beyond the time to confirm",
        f"A confirmation holds for that product for {POLICY.confirmation_days}† days",
        f"class C {POLICY.conversion_waiting_hours}† hours at least",
        f"It holds for {POLICY.professional_months}† months",
        f"Everything is kept for {POLICY.retention_years} years",
        f"{WORDS[GAMING.retakes]}† submissions in {GAMING.window_days} days, {WORDS[GAMING.flips]}† answers changed",
        f"{WORDS[GAMING.device_clients]}† clients from one device",
        f"faster than {WORDS[GAMING.seconds_per_question]}† seconds a question",
        f"reach the highest level {WORDS[GAMING.branch_ratio]}† times as often",
    ],
)
def test_numbers_are_those_of_the_policy(said: str) -> None:
    assert said in DOC


def spelt_out(names: str, prefix: str = "") -> set[str]:
    """`broker.client.opened|updated`, `.decision.made|confirmed`: each by its whole name."""
    found = set()
    for name in re.findall(r"`([a-z_.|]+)`", names):
        stem, _, last = (prefix + name if name.startswith(".") else name).rpartition(".")
        found |= {f"{stem}.{one}" for one in last.split("|")}
    return found


def test_events_heard_and_sent_are_those_declared() -> None:
    heard, _, sent = DOC.partition("Heard: ")[2].partition("Sent: ")
    assert spelt_out(heard.partition(". A cancelled buy")[0]) == {one.type for one in service.listens} | {
        "broker.day.closed"
    }
    assert spelt_out(sent, "suitability") == {one.type for one in contract.EVENTS}


def test_routes_are_those_there_are() -> None:
    known = {
        (method.upper(), re.sub(r"{\w+}", "*", path))
        for path, item in openapi_of(apps()["suitability"])["paths"].items() for method in item
    }  # fmt: skip
    said = set(re.findall(r"`(GET|POST|PUT|DELETE) (/v1/suitability/[^ `?]+)", DOC))
    assert len(said) > 15
    for method, path in said:
        there = re.sub(r"\b[A-Z]+(?=/|\.|$)", "*", path.replace("policies/suitability", "policies/*"))
        assert (method, there) in known, (method, path)


def test_reasons_and_problems_are_those_there_are() -> None:
    table = DOC.partition("| reason | why |")[2].partition("- Cooling time")[0]
    said = {word for cell in re.findall(r"\| ([^|]*?`[^|]*?) \|", table) for word in re.findall(r"`([a-z_]+)`", cell)}
    assert said == {*Reason} - {Reason.SUITABLE, Reason.SELLING, Reason.PROFESSIONAL, Reason.CONFIRMED}
    assert {one for one in MISMATCHES if f"`{one}`" not in DOC} == set()
    problems = {
        re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in vars(errors) if name[0].isupper()
    }  # fmt: skip
    named = set(re.findall(r"\(`([a-z]+(?:-[a-z]+)+)`", DOC)) | {"own-channel-needed"}
    assert named >= {"scheme-not-in-force", "template-not-in-force", "confirmation-link-used"}
    assert named <= problems


def test_figures_of_the_test_data_are_the_references() -> None:
    found = replay(BANK, LAST, None)
    made, missed = assessment_rows(found, LAST), mismatch_rows(found, LAST)
    count = Counter(row[-1] for row in missed)
    above = len({row[0] for row in missed if row[-1] == "above_level"})
    assert (
        f"({len(made)} assessments), {len(missed)} settled buys were not covered: {count['above_level']} above the level "
        f"({above} client), {count['expired']} with an expired assessment, {count['no_assessment']} without any"
    ) in DOC
