"""The radar: clusters of complaints about one branch, product, employee or script [C17].

One alarm a cluster: it lasts while another case comes within the quiet days, and leads to a group case that carries
its members, the root cause and the corrective action. Judged by the close of each day from the cases themselves, so
that late ones only ask for their days to be judged again.
"""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

from chassis.uow import UnitOfWork
from contracts.complaints import ClusterAlarmed
from services.complaints import groups
from services.complaints.policy import Limits, Policies

_ALARMS = UUID("0c1f0e36-6c55-5d0b-9a4e-6a1d1c0a7b52")
DIMENSIONS = ("branch", "product", "employee", "script")

_VALUES = """CROSS JOIN LATERAL (VALUES ('branch', c.branch_id), ('product', c.product), ('employee', c.employee),
                                        ('script', c.script)) AS d(dimension, value)"""
_TODAY = f"""
    SELECT d.dimension, d.value FROM cases c {_VALUES}
    WHERE c.received_on BETWEEN $1 AND $2 AND c.kind = 'complaint' AND d.value IS NOT NULL
    GROUP BY d.dimension, d.value HAVING bool_or(c.received_on = $2) AND count(*) >= $3"""


async def look(uow: UnitOfWork, day: date) -> None:
    """Judge one day's clusters: alarms that go on are kept alive, new ones are raised with their group cases."""
    if not await uow.sql.fetchval(
        "SELECT EXISTS (SELECT FROM cases WHERE received_on = $1 AND kind = 'complaint')", day
    ):
        return
    policies = await uow.policies(Policies)
    limits = policies.limits.on(day).body
    await groups.link_members(uow, day, day, await _going_on(uow, day, limits))
    fresh = await _raise(uow, day, limits)
    if not fresh:
        return
    await groups.open_groups(uow, fresh, day)
    first = day - timedelta(days=limits.cluster_days - 1)
    await groups.link_members(uow, first, day, [alarm["alarm_id"] for alarm in fresh])
    counts = {
        row["alarm_id"]: row["cases"]
        for row in await uow.sql.fetch(
            "SELECT alarm_id, cases FROM alarms WHERE alarm_id = ANY($1::uuid[])",
            [alarm["alarm_id"] for alarm in fresh],
        )
    }
    uow.emit_all(
        [
            ClusterAlarmed(
                alarm_id=alarm["alarm_id"],
                dimension=alarm["dimension"],
                value=alarm["value"][:200],
                alarmed_on=day,
                cases=counts[alarm["alarm_id"]],
                group_case_id=str(alarm["group_case_id"]),
                recurs_after=alarm["recurs_after"],
            )
            for alarm in fresh
        ]
    )


async def _going_on(uow: UnitOfWork, day: date, limits: Limits) -> list[UUID]:
    """The alarms that a case of the day belongs to: a single further one keeps them alive, whatever the threshold says."""
    rows = await uow.sql.fetch(
        f"""UPDATE alarms a SET last_on = greatest(a.last_on, $1) FROM (
                SELECT DISTINCT d.dimension, d.value FROM cases c {_VALUES}
                WHERE c.received_on = $1 AND c.kind = 'complaint' AND d.value IS NOT NULL) n
            WHERE (a.dimension, a.value) = (n.dimension, n.value)
              AND a.last_on >= $1 - $2::int AND a.opened_on <= $1 + $2::int
            RETURNING a.alarm_id""",
        day,
        limits.quiet_days,
    )
    return [row["alarm_id"] for row in rows]


async def _raise(uow: UnitOfWork, day: date, limits: Limits) -> list[Any]:
    """New alarms: enough cases within the days that count, and no alarm about the same going on around them.

    One that follows another about the same recurs: what was done about the first did not hold.
    """
    rows = await uow.sql.fetch(
        f"""SELECT t.*, (SELECT p.alarm_id FROM alarms p WHERE (p.dimension, p.value) = (t.dimension, t.value)
                           AND p.opened_on < $2 ORDER BY p.opened_on DESC LIMIT 1) AS recurs_after
            FROM ({_TODAY}) t WHERE NOT EXISTS (
                SELECT FROM alarms a WHERE (a.dimension, a.value) = (t.dimension, t.value)
                  AND a.opened_on <= $2 + $4::int AND a.last_on >= $2 - $4::int)
            ORDER BY t.dimension, t.value""",
        day - timedelta(days=limits.cluster_days - 1),
        day,
        limits.cluster_cases,
        limits.quiet_days,
    )
    alarms = [dict(row) for row in rows]
    for alarm in alarms:
        alarm["alarm_id"] = uuid5(_ALARMS, f"{alarm['dimension']}\n{alarm['value']}\n{day}")
        alarm["group_case_id"] = groups.group_of_alarm(alarm["alarm_id"])
    await uow.sql.executemany(
        """INSERT INTO alarms (alarm_id, dimension, value, opened_on, last_on, cases, group_case_id, recurs_after)
           VALUES ($1, $2, $3, $4, $4, 0, $5, $6)""",
        [(a["alarm_id"], a["dimension"], a["value"], day, a["group_case_id"], a["recurs_after"]) for a in alarms],
    )
    return alarms
