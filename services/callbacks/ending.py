"""How tasks end without anybody's doing: limits that run out, accounts that close, facts that are corrected [B19]."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from chassis.actor import PLATFORM
from chassis.acts import perform_each
from chassis.clock import business_date
from chassis.uow import UnitOfWork
from services.callbacks import tasks
from services.callbacks.acts import ACTS, Ended
from services.callbacks.obligations import DERIVED, Obligation
from services.callbacks.rules import LONGEST_TRIES_DAYS, OPEN, task_id

WITHDRAWN = "facts_corrected"
CLOSED = "account_closed"
_OPEN = ", ".join(f"'{state}'" for state in OPEN)


async def expire(uow: UnitOfWork, through: date, since: date | None = None) -> int:
    """Expire what was due by the end of a day and is not done: a breach, kept as one [B19]. How many it was.

    The day after a complaint's feedback is the limit of the first call: tries and the survey after it go on [C11].
    `since`: nothing open is due earlier. It spares the search what closes of a backlog have expired already, which the
    index holds until it is cleared.
    """
    begun = f"(rule = 'satisfaction' AND attempts > 0 AND due_on > $1::date - {LONGEST_TRIES_DAYS})"
    return await _expire(
        uow, f"due_on <= $1 AND due_on >= coalesce($2::date, '-infinity') AND NOT {begun}", through, since
    )


async def expire_at(uow: UnitOfWork, ids: Sequence[UUID]) -> int:
    """Expire these, as their limit of minutes has run out."""
    return await _expire(uow, "task_id = ANY($1::uuid[])", list(ids))


async def _expire(uow: UnitOfWork, which: str, *arguments: object) -> int:
    due = await uow.sql.fetch(
        f"""SELECT task_id, due_at FROM tasks WHERE {which} AND state IN ({_OPEN}) AND expired_at IS NULL
            ORDER BY task_id FOR UPDATE""",
        *arguments,
    )
    ends = {row["task_id"]: row["due_at"] for row in due}
    return len(await perform_each(uow, ACTS.expire, dict.fromkeys(ends), ends)) if ends else 0


async def go_on(uow: UnitOfWork, clients: Sequence[str], at: datetime) -> None:
    """Take up what waits for a number that reaches these clients: there is a new one."""
    rows = await uow.sql.fetch(
        "SELECT task_id FROM tasks WHERE client_id = ANY($1::text[]) AND state = 'waiting' ORDER BY task_id FOR UPDATE",
        list(clients),
    )
    await _by_itself(uow, ACTS.go_on, [row["task_id"] for row in rows], at)


async def give_up(uow: UnitOfWork, ids: Sequence[UUID], at: datetime) -> None:
    """No number was found for these: the channel that follows calls [B20]."""
    await _by_itself(uow, ACTS.give_up, ids, at)


async def withdraw_asked(uow: UnitOfWork, asked: Mapping[tuple[str, str], datetime]) -> None:
    """The case (subject, client) is another client's: nobody is asked about it who did not complain [C11]."""
    rows = await uow.sql.fetch(
        """SELECT task_id, subject, client_id FROM tasks JOIN unnest($1::text[], $2::text[]) AS n(subject, client_id)
             USING (subject, client_id) WHERE rule = 'satisfaction' ORDER BY task_id FOR UPDATE OF tasks""",
        [subject for subject, _ in asked],
        [client for _, client in asked],
    )
    at = {row["task_id"]: asked[row["subject"], row["client_id"]] for row in rows}
    word = {task_id: Ended(WITHDRAWN, business_date(when)) for task_id, when in at.items()}
    await perform_each(uow, ACTS.withdraw, word, at)


async def _by_itself(uow: UnitOfWork, act: Any, ids: Sequence[UUID], at: datetime) -> None:
    """An act of the platform's own, as a consequence of somebody's."""
    actor, uow.actor = uow.actor, PLATFORM
    await perform_each(uow, act, dict.fromkeys(ids), at)
    uow.actor = actor


async def compare(uow: UnitOfWork, clients: Sequence[str], owed: Sequence[Obligation], through: date) -> None:
    """After late facts: make what is owed and missing, withdraw what is not owed, bring back what is owed after all."""
    await tasks.make(uow, owed)
    wanted = {task_id(one.rule, one.client_id, one.period): one for one in owed}
    rows = await uow.sql.fetch(
        """SELECT task_id, state, outcome, created_on FROM tasks
           WHERE client_id = ANY($1::text[]) AND rule = ANY($2::text[]) AND found_on <= $3 ORDER BY task_id FOR UPDATE""",
        list(clients),
        list(DERIVED),
        through,
    )
    word = Ended(WITHDRAWN, through)
    gone = [r["task_id"] for r in rows if r["task_id"] not in wanted]
    back = [
        r["task_id"] for r in rows if r["task_id"] in wanted and r["state"] == "cancelled" and r["outcome"] == WITHDRAWN
    ]
    await perform_each(uow, ACTS.withdraw, dict.fromkeys(gone, word), uow.happened_at)
    await perform_each(uow, ACTS.restore, dict.fromkeys(back, word), uow.happened_at)
    moved = [r for r in rows if r["task_id"] in wanted and r["created_on"] != wanted[r["task_id"]].created_on]
    for row in moved:  # an event that begins on another day within its quarter: rare, one by one
        one = wanted[row["task_id"]]
        await uow.sql.execute(
            "UPDATE tasks SET created_on = $2, found_on = $3, cause = $4, revision = revision + 1 WHERE task_id = $1",
            row["task_id"],
            one.created_on,
            one.found_on,
            one.cause,
        )


async def cancel_closed(uow: UnitOfWork, closed: Mapping[str, date], *, waits: bool) -> list[str]:
    """Nothing is owed to a client whose account is closed [B19]; what came before stays as it was, and a former client who
    calls is called back [C24].

    The closer waits for tasks that others have locked. The consumer does not: it holds those of the clients before, so
    that the two would wait in a circle; it gets the clients with such tasks back, to be looked at again.
    """
    which = f"""client_id = ANY($1::text[]) AND state IN ({_OPEN}) AND NOT restricted
        AND rule NOT IN ('satisfaction', 'manager_left') AND NOT (rule = 'missed_call' AND EXISTS (
            SELECT FROM clients c WHERE c.client_id = tasks.client_id AND c.closed_on <= tasks.created_on))"""
    clients = sorted(closed)
    rows = await uow.sql.fetch(
        f"""SELECT task_id, client_id FROM tasks WHERE {which}
            ORDER BY task_id FOR UPDATE {"" if waits else "SKIP LOCKED"}""",
        clients,
    )
    over = {row["task_id"]: Ended(CLOSED, closed[row["client_id"]]) for row in rows}
    await perform_each(uow, ACTS.close, over, uow.happened_at)
    left = await uow.sql.fetch(f"SELECT DISTINCT client_id FROM tasks WHERE {which}", clients)
    return [row["client_id"] for row in left]
