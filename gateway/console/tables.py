"""Which operation does which act: every form a page may offer, area by area."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Do:
    """An act's operation. `fixed` fields are not asked for; `asks` opens the form though no field must be filled in;
    `object` is where the object is read, so that a form can show what somebody else changed meanwhile; `only` these fields
    are asked for; `within`: the body is the one item of a list of that name."""

    operation: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    asks: bool = False
    object: str = ""
    only: tuple[str, ...] = ()
    within: str = ""


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
BESIDE_A_CASE = {
    "propose_redress": Do("complaints_propose_redress"),
    "ask_deviation": Do("complaints_ask_deviation"),
}
"""What is asked for beside a case's own acts; another person decides it."""
OF_A_CLIENT = {
    "redeem": Do("points_redeem"),
    "adjust": Do("points_ask_for_adjustment"),
    "complain": Do(
        "complaints_open_case", fixed={"channel": "app"}, only=("words", "category", "demands", "contact_channel")
    ),
    "propose_tier": Do("classification_propose_grant"),
    "note_stage": Do("classification_write_note"),
    "apply_for_tier": Do("points_apply_for_upgrade", asks=True),
    "life_change": Do("suitability_state_life_change"),
    "send_link": Do("suitability_send_link"),
    "vulnerable": Do("suitability_state_vulnerability"),
    "vulnerable_no_more": Do("suitability_end_vulnerability"),
    "override": Do("products_ask_for_override"),
    "name_manager": Do("relationships_name_manager"),
    "change_team": Do("relationships_change_team"),
    "enter_information": Do("relationships_enter_information", within="values"),
    "enter_contact": Do("relationships_log_contact"),
    "plan_visit": Do("relationships_plan_visit"),
    "ask_for_manager": Do("relationships_ask_for_manager"),
}
"""What is begun for a client on their page, or by themselves."""
SUBSCRIPTIONS = {
    "end": Do("products_end_subscription"),
    "keep": Do("products_keep_subscription"),
    "withdraw": Do("products_withdraw_subscription"),
}
OF_A_MESSAGE = {"cancel_message": Do("messaging_cancel_message")}
VISIT = "/v1/relationships/visits/{visit_id}"
VISITS = {
    "appoint": Do("relationships_appoint_visit", object=VISIT),
    "refuse": Do("relationships_refuse_visit", object=VISIT),
    "prepare": Do("relationships_prepare_visit", object=VISIT),
    "record": Do("relationships_record_visit", object=VISIT),
    "cancel": Do("relationships_cancel_visit", object=VISIT),
}
MANAGER_CHANGES = {
    "grant": Do("relationships_grant_manager_change"),
    "refuse": Do("relationships_refuse_manager_change"),
    "withdraw": Do("relationships_withdraw_manager_change"),
}
OF_A_MANAGER = {
    "plan_activity": Do("relationships_plan_activity", asks=True),
    "note_day": Do("relationships_note_day"),
    "ask_allocation": Do("relationships_ask_allocation"),
    "approve_run": Do("relationships_decide_allocation", fixed={"approve": True}, asks=True),
    "refuse_run": Do("relationships_decide_allocation", fixed={"approve": False}, asks=True),
    "roll_back": Do("relationships_roll_back_allocation"),
    "add_skill": Do("relationships_add_skill"),
    "set_capacity": Do("relationships_set_capacity"),
}
HOLDS = {
    "hold_client": Do("suitability_place_hold"),
    "release_client_hold": Do("suitability_release_hold", asks=True),
    "erase_client": Do("gateway_ask_erasure"),
    "hold_case": Do("complaints_place_hold"),
    "release_case_hold": Do("complaints_ask_release"),
    "erase_case": Do("complaints_ask_erasure"),
}
ON_BOARDS = {
    "judge_finding": Do("suitability_judge_finding"),
    "review_call": Do("callbacks_review"),
    "judge": Do("suitability_decide_review"),
    "handle_drift": Do("suitability_handle_drift"),
    "acknowledge": Do("complaints_acknowledge_step", asks=True),
    "account": Do("complaints_account"),
    "carry_out": Do("complaints_carry_out"),
    "review_alarm": Do("complaints_review_alarm"),
    "complete_action": Do("complaints_complete_action"),
    "make_pack": Do("complaints_make_pack", asks=True),
    "sign_off": Do("complaints_sign_off", asks=True),
    "nil_report": Do("complaints_file_nil_report", asks=True),
    "publish_reception_day": Do("complaints_publish_reception_day"),
    "register_visit": Do("complaints_register_visit"),
    "add_user": Do("gateway_add_user"),
    "disable_user": Do("gateway_disable_user", asks=True),
    "enable_user": Do("gateway_enable_user", asks=True),
    "set_password": Do("gateway_set_password"),
    "remove_user": Do("gateway_remove_user", asks=True),
    "disable_key": Do("gateway_disable_key", asks=True),
    "enable_key": Do("gateway_enable_key", asks=True),
    "remove_key": Do("gateway_remove_key", asks=True),
    "end_session": Do("gateway_end_session", asks=True),
    "revoke_sessions": Do("gateway_revoke_sessions"),
}
"""What can be done about a row of a board, or is begun there."""
TABLES: tuple[Mapping[str, Do], ...] = (
    TASKS,
    OPEN_CASE,
    CASES,
    OF_A_CASE,
    BESIDE_A_CASE,
    OF_A_CLIENT,
    SUBSCRIPTIONS,
    OF_A_MESSAGE,
    OF_A_MANAGER,
    VISITS,
    MANAGER_CHANGES,
    HOLDS,
    ON_BOARDS,
)


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
