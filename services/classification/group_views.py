"""What a reader sees of a client's groups, value, core and lifecycle on a day, as known now or earlier."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg

from services.classification.group_history import TagInterval, stretches_of
from services.classification.views import decisions

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GroupsInForce:
    """The last decisions in force on a day, and the stretches of the tags up to what is known.

    `value` is the row that stands since the last month close, as known now: figures are not kept twice, decisions are.
    """

    today: date
    groups: Any | None
    core: Any | None
    lifecycle: Any | None
    value: Any | None
    stretches: list[TagInterval]


async def groups_on(sql: asyncpg.Connection, client_id: str, today: date, known_at: datetime | None) -> GroupsInForce:
    """What is in force on `today`; decisions that take effect later are left out of everything but the stretches."""
    decided = await decisions(sql, "group_decisions", client_id, known_at)
    return GroupsInForce(
        today=today,
        groups=_last(decided, today),
        core=_last(await decisions(sql, "core_decisions", client_id, known_at), today),
        lifecycle=_last(await decisions(sql, "lifecycle_decisions", client_id, known_at), today),
        value=await sql.fetchrow(
            """SELECT v.*, m.rank, m.ranked, m.reasons
               FROM (SELECT (date_trunc('month', $2::date) - interval '1 day')::date AS month_end) closed
               JOIN month_values v ON v.client_id = $1 AND v.month_end <= closed.month_end
               LEFT JOIN month_cores m ON m.month_end = closed.month_end AND m.client_id = $1
               ORDER BY v.month_end DESC LIMIT 1""",
            client_id,
            today,
        ),
        stretches=stretches_of([(row["effective_on"], row["tags"]) for row in decided]),
    )


def _last(decided: list[Any], today: date) -> Any | None:
    return next((row for row in reversed(decided) if row["effective_on"] <= today), None)
