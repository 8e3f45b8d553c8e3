"""Every act of a task, in every situation, by everybody [B2, B10, B19]; what the sealed steps of before became."""

from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from chassis.actor import CALL_CENTRE, Actor, Role
from chassis.uow import UnitOfWork
from services.callbacks import evidence, tasks
from services.callbacks.acts import ACTS, Cancelled, Ended, Released, Sooner
from services.callbacks.obligations import Obligation
from services.callbacks.policy import Policies
from services.callbacks.results import Call, Reported, Result
from services.callbacks.tables import Task
from tests.callbacks.desk import AWAKE, FIRST, IDENTITY, LEADER, Desk, agent, ten
from tests.walks.acts import Walk

PEOPLE = {
    "client": Actor("c-1", Role.CLIENT, client_id="c-1"),
    "other client": Actor("c-2", Role.CLIENT, client_id="c-2"),
    "agent": agent("anna"),
    "elsewhere": agent("eve", "B2"),
    "centre": Actor("carl", Role.AGENT, branch_id="HQ", seats=frozenset({("HQ", CALL_CENTRE)})),
    "leader": LEADER,
    "compliance": Actor("compliance-1", Role.COMPLIANCE),
    "about whom it is": agent("mia", role=Role.BRANCH_MANAGER),
    "platform": Actor("careline", Role.SYSTEM),
}
QUESTIONS = {
    "dormant": AWAKE,
    "satisfaction": {**IDENTITY, "time": "4", "feedback": "4", "result": "4", "accepted": "yes"},
    "enquiry": {"replied": "yes"},
    "suspected_laundering": {"result": "nothing found"},
}
OUTCOMES = Policies.outcomes.shipped[-1].body


async def test_every_act_in_every_situation_by_everybody(desk: Desk) -> None:
    sort = ""

    async def new(uow: UnitOfWork, wanted: str) -> UUID:
        nonlocal sort
        sort = wanted
        owed = Obligation("c-1", sort, "p-1", FIRST, FIRST, branch_id="B1", concerned=("mia",))
        [made] = await tasks.make(uow, [owed])
        await evidence.refer(uow, "c-1", "recording", "the client rang")
        return made

    def reported(outcome: str, **columns: Any) -> Callable[[UnitOfWork], Reported]:
        def body(uow: UnitOfWork) -> Reported:
            answers = QUESTIONS[sort] if OUTCOMES[outcome].covers else {}
            result = Result(UUID(int=0), outcome, answers)
            return Reported(Call("c-1", uow.now, "phone", [result], profile={}), result, OUTCOMES[outcome], columns)

        return body

    bodies: dict[str, Callable[[UnitOfWork], Any]] = {
        "bring_forward": lambda _: Sooner(asked_in=sha256(b"reference:the client rang").hexdigest()),
        "await_number": reported("wrong_number"),
        "release": lambda _: Released(reason="shift ends"),
        "cancel": lambda _: Cancelled(reason="merged into another"),
        "complete": reported("refused"),
        "postpone": reported("not_convenient", wish=True),
        "retry": reported("no_answer"),
        "exhaust": reported("no_answer", channel="e_survey"),
        "reply": reported("replied"),
        "answer": reported("survey_answered"),
        "enter_letter": reported("letter_answered"),
        **dict.fromkeys(("close", "withdraw", "restore"), lambda _: Ended("facts_corrected", FIRST)),
    }

    def situation(task: Task) -> tuple[Any, ...]:
        return task.channel, task.expired_at is not None, task.late_until is not None

    walk = Walk(desk.world, "callbacks", ACTS, PEOPLE, new, tuple(QUESTIONS), bodies, more=situation)
    await walk.run()
    assert {state for _, state, *_ in walk.seen} == set(ACTS.aggregate.states)


async def test_a_task_shows_what_its_reader_can_do_and_why_not_the_rest(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", date(2022, 7, 2), manager_id="mia")
    await desk.close(date(2022, 7, 2), date(2022, 7, 3), date(2022, 7, 4))
    [task] = await desk.tasks()
    path, anna = f"/tasks/{task['task_id']}", agent("anna")

    async def can(actor: Actor) -> dict[str, str | None]:
        found = await desk.ask(actor, "GET", path, status=200)
        return {one["act"]: one["why_not"] and one["why_not"]["en"] for one in found["acts"] if not one["can"]} | {
            one["act"]: None for one in found["acts"] if one["can"]
        }

    assert (await can(anna))["claim"] is None
    assert "is the client's manager" in str((await can(agent("mia")))["claim"])
    assert (await can(LEADER))["cancel"] is None
    await desk.ask(anna, "POST", f"{path}/claim", status=200)
    assert "anna has it" in str((await can(agent("ben")))["claim"])
    await desk.ask(anna, "POST", f"{path}/attempt", status=200)
    await desk.ask(anna, "POST", f"{path}/reach", status=200)
    assert (await desk.ask(anna, "POST", f"{path}/attempt", status=409))["type"] == "/problems/illegal-move"
    await desk.call(anna, task, "refused", ten(date(2022, 7, 4)))
    explained = await desk.ask(LEADER, "GET", f"{path}/explain", status=200)
    assert [(one["reason"], one["to_state"], one["actor"]) for one in explained["history"]] == [
        ("created", "planned", "careline"), ("claim", "assigned", "anna"), ("attempt", "attempting", "anna"),
        ("reach", "reached", "anna"), ("complete", "completed", "anna"),
    ]  # fmt: skip
    # Each act of hers left exactly one row.
    audited = await desk.world.rows(
        "callbacks",
        "SELECT action FROM audit WHERE object = $1 AND action <> 'read' ORDER BY number",
        f"task/{task['task_id']}",
    )
    assert [row["action"] for row in audited] == ["create", "claim", "attempt", "reach", "complete"]


async def test_the_steps_of_before_became_the_history_of_acts(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", FIRST)
    [task] = await desk.tasks()
    moves = [
        (None, "planned", "created"), ("planned", "assigned", "claimed"), ("assigned", "planned", "lease"),
        ("planned", "assigned", "claimed"), ("assigned", "attempting", "called"), ("attempting", "planned", "no_answer"),
        ("planned", "cancelled", "facts_corrected"), ("cancelled", "planned", "facts_corrected"),
        ("planned", "expired", "due"),
    ]  # fmt: skip
    migration = Path(tasks.__file__).parent / "migrations" / "versions" / "0011_acts.sql"
    async with desk.world.database("callbacks").unit_of_work() as uow:
        for number, (before, after, reason) in enumerate(moves):
            row = {"task_id": task["task_id"], "client_id": "c-1", "on_day": FIRST, "at": ten(FIRST)}
            uow.seal("steps", "c-1", {**row, "from_state": before, "to_state": after, "actor": "anna", "reason": reason,
                                      "detail": {"n": number}, "policy": "p"})  # fmt: skip
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute(migration.read_text("utf-8"))
    kept = await desk.world.rows("callbacks", "SELECT act, before, after, detail FROM act_steps ORDER BY number")
    assert [(row["act"], row["after"]) for row in kept] == [
        ("claim", "assigned"), ("lapse", "planned"), ("claim", "assigned"), ("attempt", "attempting"),
        ("retry", "planned"), ("withdraw", "cancelled"), ("restore", "planned"), ("expire", "expired"),
    ]  # fmt: skip
    assert kept[0]["detail"] == {"n": 1, "on_day": "2022-07-01", "policy": "p"}
    assert {row["act"] for row in kept} <= set(ACTS.table)
