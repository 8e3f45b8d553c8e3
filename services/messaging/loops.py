"""The loops of the service: one judges, one for each way out of the house, one ends waits, one asks what members did, one reads
what bounced, two ask providers that bring nothing, one alerts staff, one asks once who has which product."""

from functools import partial
from typing import Any

from chassis.service import Loop
from services.messaging import alerts, bounces, confirming, line_facts, polling
from services.messaging.sending import WAYS, Pace, end_waits, judge_due, send_by_itself


def loops() -> dict[str, Loop]:
    """Every loop by its name."""
    found: dict[str, Any] = {
        "judge": judge_due,
        "receipts": end_waits,
        "members": confirming.look_by_itself,
        "bounces": bounces.Reading().turn,
        "alerts": alerts.Alerts().turn,
        "poll": polling.ask_by_itself,
        "incoming": polling.Incoming().turn,
        "entitlements": line_facts.Asking().turn,
    }
    return found | {f"send by {way}": partial(send_by_itself, way=way, pace=Pace()) for way in WAYS}
