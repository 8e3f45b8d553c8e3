"""Deadlines: what happens because time has passed. Each fires once, never early, and in order per object.

A deadline is a row per clock step and object: (object, kind, step), with a generation that is new each time it is
armed. A service names a handler for each kind, as it does for events:

    service = Service(..., deadlines={"attempt": deadlines.expire_attempts, "result": stepped(deadlines.escalate)})

    async def expire_attempts(due: Sequence[Due], uow: UnitOfWork) -> None:
        ...                                    # set-based, any number of objects, at most one deadline of each
        uow.emit_all(events, at=one.at)        # `at` says when it counts as happened; see `Due.at`

Inside any unit of work (a handler, a route, a close, another deadline):

    await arm(uow, [Deadline("attempt", f"task/{task_id}", client_id, due, step="first", payload={...})])
    await cancel(uow, [("attempt", f"task/{task_id}")])            # every step of that kind of the object
    await cancel(uow, [("attempt", f"task/{task_id}", "first")])   # one step

`arm` on what is armed already moves it: the old generation never fires. The same due and payload again change nothing,
so that a handler may arm twice. What was armed commits with the rest of the unit of work, or not at all; when a handler
runs, its deadlines are gone from the table, so it may arm the next step under the same name.

When they fire. Real home: once the database's clock has passed `due`; `Due.at` is that moment. Simulated home (a
replay): now is the time of the facts. A fact at time t first fires the deadlines of its key that were due before t;
a close of D fires all others due by the end of D, before the close's own work; `Due.at` is `due` itself. As long as
nobody has said which home it is, as in a simulated one, but never before the database's clock. A step that a handler
would arm for a time until `Due.by` it may take at once, and keep with `fired_along`. A deadline whose handler fails is
put aside with its error and counted; operators see it and can let it fire again.
"""

from chassis.deadlines.arming import Deadline, arm, cancel, cancel_all, fired_along
from chassis.deadlines.due import DeadlineHandler, Due

__all__ = ["Deadline", "DeadlineHandler", "Due", "arm", "cancel", "cancel_all", "fired_along"]
