"""A client's objection to being looked at (账户查看异议, CI-S21), told to every service [A16].

`objects`, `objects:PERSON` or `none`. Clients say it themselves; staff enter what a client said, and end an objection of the client's own
only with evidence of it.
"""

import re

from chassis.errors import FieldError
from chassis.objections import keep_objections
from chassis.rows import columns, fetch
from chassis.uow import UnitOfWork
from contracts.relationships import ObjectionChanged, ObjectionStretch
from services.relationships.errors import WrongValue
from services.relationships.tables import Value

CODE = "CI-S21"
NONE, TO_ALL = "none", "objects"
FORM = re.compile(r"none|objects(:[^\s:/]{1,64})?")
SAID = f"""SELECT {columns(Value)} FROM information_values WHERE client_id = $1 AND code = '{CODE}' AND state = 'stated'
    ORDER BY day, own, at, fact_id"""


async def require_evidence(uow: UnitOfWork, client_id: str, value: str, evidence: str | None, pointer: str) -> None:
    """Raises: WrongValue when staff end or narrow the client's own objection without evidence."""
    if value == TO_ALL or evidence or uow.actor.client_id == client_id:
        return
    said = await fetch(uow.sql, Value, SAID, client_id)
    if said and said[-1].source == "C" and said[-1].value != NONE:
        raise WrongValue(errors=(FieldError(pointer, "is the client's own objection: give evidence that they end it"),))


async def tell(uow: UnitOfWork, client_id: str) -> None:
    """Tell what was said of a client's objection so far, in the order in which it is in force; kept here at once.

    One after the other: what two entries at once tell has two revisions.
    """
    await uow.sql.execute("SELECT FROM clients WHERE client_id = $1 FOR UPDATE", client_id)
    said = await fetch(uow.sql, Value, SAID, client_id)
    if said:
        stretches = [stretch for one in said for stretch in _stretches(one)]
        event = ObjectionChanged(
            client_id=client_id, revision=len(said), changed_from=said[0].day, stretches=stretches
        )  # fmt: skip
        uow.emit(event)
        await keep_objections([event], uow)


def _stretches(one: Value) -> list[ObjectionStretch]:
    """What a value says in place of what was said before."""
    word, _, person = (one.value or NONE).partition(":")
    if not person:
        return [ObjectionStretch(since=one.at, objects=word != NONE)]
    return [
        ObjectionStretch(since=one.at, objects=False),
        ObjectionStretch(since=one.at, person=person, objects=True),
    ]
