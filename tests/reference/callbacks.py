"""The callback tasks that a replay produces [B3, B12, B19, B21].

Choices where the texts are silent:
- Task ids are derived in a way the texts leave open, topics and queues have no fixed codes: a row here is
  client_id, rule, branch_id, created_on, due_on, state; (client_id, rule, created_on) is unique.
- Every task expires by the close of its due date [B19]; nobody works on tasks in a replay, so the others are
  `planned`. Neither a trade of a dormant client nor a new assessment withdraws a task.
- A stretch of a tag is a run of closes that find it. A stretch found by the first close is the baseline: no task,
  however long it lasts. CORE has no tag before the first month close, so its first flags make tasks.
- The suitability task is dated on the day of the close that creates it, valid-until less 30 days.
- "The latest then" is the one with the latest date among those made up to that day, that day included.
- A task dated D+1 exists after the close of D.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from .days import ONE_DAY, every_day, last_day_of, month_of, months_later
from .exact import exactly
from .exports import Outcome, Replayed, Row
from .facts import FIRST_CLOSE
from .groups import Profile, profiles_of, tags_at
from .suitability import Assessment, assessments_of
from .workdays import trading_days_later, working_days_later


@dataclass(frozen=True)
class Task:
    """One task: who, why, from when, until when."""

    client_id: str
    rule: str
    created_on: date
    due_on: date


def new_client_task(outcome: Outcome) -> list[Task]:
    """The training call of a client opened on or after the first closed day, due the same date next month."""
    client = outcome.client
    if client.opened_on < FIRST_CLOSE:
        return []
    return [Task(client.client_id, "new", client.opened_on, months_later(client.opened_on, 1))]


def greeting_tasks(outcome: Outcome) -> list[Task]:
    """A greeting for each step upward, due 5 working days after its day of effect."""
    return [
        Task(outcome.client.client_id, "tier_greeting", step.since, working_days_later(step.since, 5))
        for step in outcome.stretches
        if step.reason == "upgrade"
    ]


def expiry_tasks(assessments: list[Assessment]) -> list[Task]:
    """A reminder 30 days before the end of an assessment that is the latest then."""
    tasks = []
    for made in assessments:
        created_on = made.valid_until - timedelta(days=30)
        latest = [other for other in assessments if other.valid_from <= created_on][-1]
        if created_on >= FIRST_CLOSE and latest == made:
            tasks.append(Task(made.client_id, "suitability_expiring", created_on, made.valid_until))
    return tasks


def quarter_end(day: date) -> date:
    """The last day of the calendar quarter of a day."""
    return last_day_of(month_of(day) // 3 * 3 + 2)


def group_tasks(profile: Profile, closes: list[date]) -> list[Task]:
    """Notifications-up, abnormal and care tasks from the tags of every close."""
    client_id = profile.client.client_id
    tasks = []
    tags_before: list[str] = []
    cared_until = date.min
    for day in closes:
        if day < profile.client.opened_on:
            continue
        tags = tags_at(profile, day)
        created_on = day + ONE_DAY
        begun = [] if day == FIRST_CLOSE else [tag for tag in tags if tag not in tags_before]
        for tag in begun:
            if tag in ("DORMANT", "NEVER_TRADED"):
                tasks.append(Task(client_id, tag.lower(), created_on, months_later(created_on, 1)))
            if tag == "ABNORMAL":
                tasks.append(Task(client_id, "abnormal", created_on, trading_days_later(created_on, 2)))
        if "CORE" in tags and created_on > cared_until:
            cared_until = quarter_end(created_on)
            tasks.append(Task(client_id, "core", created_on, cared_until))
        tags_before = tags
    return tasks


def tasks_of(replayed: Replayed, as_of: date) -> list[Task]:
    """Every task that exists after the close of a day, in order of client, rule and creation."""
    closes = every_day(FIRST_CLOSE, as_of)
    tasks = [task for made in assessments_of(replayed.facts).values() for task in expiry_tasks(made)]
    # A reminder is created by the close of its own date, everything else is dated the day it takes effect.
    tasks = [task for task in tasks if task.created_on <= as_of]
    for outcome in replayed.outcomes:
        tasks += [task for task in new_client_task(outcome) if task.created_on <= as_of]
        tasks += [task for task in greeting_tasks(outcome) if task.created_on <= as_of + ONE_DAY]
    with exactly():
        for profile in profiles_of(replayed):
            tasks += group_tasks(profile, closes)
    return sorted(tasks, key=lambda task: (task.client_id, task.rule, task.created_on))


def callback_rows(replayed: Replayed, as_of: date) -> list[Row]:
    """`callbacks` after the close of a day: client_id, rule, branch_id, created_on, due_on, state."""
    rows: list[Row] = []
    for task in tasks_of(replayed, as_of):
        dated = (task.created_on.isoformat(), task.due_on.isoformat())
        state = "expired" if task.due_on <= as_of else "planned"
        rows.append((task.client_id, task.rule, "B" + task.client_id[0], *dated, state))
    return rows
