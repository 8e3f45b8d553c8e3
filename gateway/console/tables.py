"""Which operation does which act: every form a page may offer, area by area."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Do:
    """An act's operation. `fixed` fields are not asked for; `asks` opens the form though no field must be filled in;
    `object` is where the object is read, so that a form can show what somebody else changed meanwhile; `only` these fields
    are asked for."""

    operation: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    asks: bool = False
    object: str = ""
    only: tuple[str, ...] = ()


IN_EVERY_SERVICE = {
    "approve": Do("grant_approval"),
    "refuse": Do("refuse_approval"),
    "withdraw": Do("withdraw_approval"),
    "accept_offered": Do("decide_conflict", fixed={"decision": "accepted"}),
    "keep_known": Do("decide_conflict", fixed={"decision": "rejected"}),
    "publish": Do("publish_version"),
    "reject_version": Do("reject_version"),
    "withdraw_version": Do("withdraw_version"),
    "fire": Do("step_deadline", fixed={"dry_run": False}),
}
"""Acts whose operation every service has: `SERVICE_grant_approval`."""


TASK = "/v1/callbacks/tasks/{task_id}"
TASKS = {
    "claim": Do("callbacks_claim_task", object=TASK),
    "claim_late": Do("callbacks_claim_task", object=TASK),
    "release": Do("callbacks_release_task", object=TASK),
    "bring_forward": Do("callbacks_bring_forward", object=TASK),
    "attempt": Do("callbacks_begin_attempt", object=TASK),
    "reach": Do("callbacks_reach_client", object=TASK),
    "reply": Do("callbacks_reply", object=TASK),
    "cancel": Do("callbacks_cancel_task", object=TASK),
}
CASE = "/v1/complaints/cases/{case_id}"
CASES = {
    "accept": Do("complaints_accept", object=CASE),
    "offer": Do("complaints_offer", object=CASE),
    "take_over": Do("complaints_accept", object=CASE),
    "assign": Do("complaints_assign", object=CASE),
    "dispatch": Do("complaints_issue", object=CASE),
    "phone_notice": Do("complaints_note_phone", object=CASE),
    "solution": Do("complaints_talk_through", object=CASE),
    "investigate": Do("complaints_investigate", object=CASE),
    "go_on": Do("complaints_investigate", object=CASE),
    "wait_customer": Do("complaints_wait", fixed={"waits_for": "customer"}, object=CASE),
    "wait_third_party": Do("complaints_wait", fixed={"waits_for": "third_party"}, object=CASE),
    "reply": Do("complaints_reply", asks=True, object=CASE),
    "promise": Do("complaints_promise", object=CASE),
    "feedback": Do("complaints_feed_back", object=CASE),
    "withdraw": Do("complaints_withdraw", object=CASE),
    "reject": Do("complaints_reject", object=CASE),
    "conclude": Do("complaints_conclude", object=CASE),
    "new_facts": Do("complaints_note_facts", object=CASE),
    "correct": Do("complaints_correct", object=CASE),
    "downgrade": Do("complaints_downgrade", object=CASE),
    "demand": Do("complaints_add_demand", object=CASE),
    "suggest": Do("complaints_add_suggestion", object=CASE),
    "link": Do("complaints_add_link", object=CASE),
    "contact": Do("complaints_add_contact", object=CASE),
    "reopen": Do("complaints_reopen", object=CASE),
}
OPEN_CASE = {"open": Do("complaints_open_case")}
OF_A_CASE = {
    "drop_demand": Do("complaints_withdraw_demand"),
    "adopt": Do("complaints_adopt"),
    "unlink": Do("complaints_end_link"),
}
"""Acts about one thing that belongs to a case, offered beside it."""
OF_A_CLIENT = {
    "redeem": Do("points_redeem"),
    "adjust": Do("points_ask_for_adjustment"),
    "complain": Do(
        "complaints_open_case", fixed={"channel": "app"}, only=("words", "category", "demands", "contact_channel")
    ),
}
"""What is begun for a client on their page, or by themselves."""
REVIEWS = {"review_call": Do("callbacks_review"), "judge": Do("suitability_decide_review")}
TABLES: tuple[Mapping[str, Do], ...] = (TASKS, OPEN_CASE, CASES, OF_A_CASE, OF_A_CLIENT, REVIEWS)


def of_service(service: str, act: str) -> Do:
    """An act that every service has, as that service's."""
    do = IN_EVERY_SERVICE[act]
    return Do(f"{service}_{do.operation}", do.fixed, do.asks, do.object)


def offered(operation: str, act: str) -> Do | None:
    """The act's operation, if a page offers it under that name."""
    service, _, rest = operation.partition("_")
    if act in IN_EVERY_SERVICE and IN_EVERY_SERVICE[act].operation == rest:
        return of_service(service, act)
    return next((do for table in TABLES if (do := table.get(act)) is not None and do.operation == operation), None)
