"""Arming, moving and cancelling deadlines, many at once, inside a unit of work."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from chassis.calendar import InstantWithoutZone
from chassis.deadlines.due import Due
from chassis.uow import UnitOfWork
from contracts.base import encode_custom

_json = msgspec.json.Encoder(enc_hook=encode_custom)


class Deadline(msgspec.Struct, frozen=True, gc=False):
    """What to arm: the handler's `kind`, the `object` it is about (`task/ID`), the client id or `case:ID` as `key`.

    `due` is an aware instant; one in the past fires at once. `step` tells several deadlines of one kind and object
    apart. `payload` is anything JSON holds.
    """

    kind: str
    object: str
    key: str
    due: datetime
    step: str = ""
    payload: dict[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.due.tzinfo is None:
            raise InstantWithoutZone(self.due)


async def arm(uow: UnitOfWork, deadlines: Iterable[Deadline]) -> None:
    """Arm deadlines, or move those armed before; of several for one (kind, object, step) the last counts."""
    wanted = {(one.object, one.kind, one.step): one for one in deadlines}
    if not wanted:
        return
    rows = [wanted[name] for name in sorted(wanted)]  # in one order by everybody, or two could wait for each other
    await uow.sql.execute(
        """INSERT INTO deadlines (object, kind, step, key, due, payload, armed_at)
           SELECT object, kind, step, key, due, payload::jsonb, $7
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
                AS a(object, kind, step, key, due, payload)
           ON CONFLICT (object, kind, step) DO UPDATE
           SET key = excluded.key, due = excluded.due, payload = excluded.payload, armed_at = excluded.armed_at,
               generation = DEFAULT, failed_at = NULL, error = NULL
           WHERE (deadlines.due, deadlines.payload) IS DISTINCT FROM (excluded.due, excluded.payload)""",
        [one.object for one in rows],
        [one.kind for one in rows],
        [one.step for one in rows],
        [one.key for one in rows],
        [one.due for one in rows],
        [_json.encode(one.payload).decode() for one in rows],
        uow.now,
    )
    uow.notify(f"deadlines:{uow.database.service}")  # a scheduler may sleep until a later deadline than these
    for one in rows:
        uow.armed[one.key] = min(one.due, uow.armed.get(one.key, one.due))


async def fired_along(uow: UnitOfWork, due: Sequence[Due]) -> None:
    """Keep as fired what was never armed, because it was due (`Due.by`) when the step before it fired."""
    if not due:
        return
    await uow.sql.execute(
        """INSERT INTO fired_deadlines (generation, object, kind, step, due, at, fired_at)
           SELECT nextval(pg_get_serial_sequence('deadlines', 'generation')), object, kind, step, due, at, $6
           FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
                AS f(object, kind, step, due, at)""",
        [one.object for one in due],
        [one.kind for one in due],
        [one.step for one in due],
        [one.due for one in due],
        [one.at for one in due],
        uow.now,
    )


async def cancel(uow: UnitOfWork, which: Iterable[Sequence[str]]) -> int:
    """Cancel by (kind, object) or (kind, object, step); what is not armed, or has fired, is let be. How many it was.

    Waits for a firing of the same deadline under way: afterwards it has fired, or never will.
    """
    wanted = [(names[0], names[1], names[2] if len(names) > 2 else None) for names in which]
    if not wanted:
        return 0
    gone = await uow.sql.fetch(
        """WITH locked AS (
               SELECT d.generation FROM deadlines d
               JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::text[])) AS w(kind, object, step)
                 ON d.object = w.object AND d.kind = w.kind AND (w.step IS NULL OR d.step = w.step)
               ORDER BY d.object, d.kind, d.step FOR UPDATE OF d)
           DELETE FROM deadlines d USING locked WHERE d.generation = locked.generation RETURNING d.generation""",
        [kind for kind, _, _ in wanted],
        [object_ for _, object_, _ in wanted],
        [step for _, _, step in wanted],
    )
    return len(gone)


async def cancel_all(uow: UnitOfWork, objects: Iterable[str]) -> int:
    """Cancel whatever is armed for some objects, which are over. How many it was."""
    gone = await uow.sql.fetch(
        """WITH locked AS (SELECT generation FROM deadlines WHERE object = ANY($1::text[])
                           ORDER BY object, kind, step FOR UPDATE)
           DELETE FROM deadlines d USING locked WHERE d.generation = locked.generation RETURNING d.generation""",
        list(objects),
    )
    return len(gone)
