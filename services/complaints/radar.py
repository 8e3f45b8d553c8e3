"""The radar: clusters of complaints about one branch, product, employee or script [C17].

One alarm a cluster: it lasts while another case comes within the quiet days, and carries its members, the root cause
and the corrective action. Judged by the close of each day from the cases themselves, so that late ones only ask for
their days to be judged again.
"""

from datetime import date
from uuid import UUID, uuid5

from chassis.uow import UnitOfWork
from contracts.complaints import ClusterAlarmed
from services.complaints.policy import LIMITS

_ALARMS = UUID("0c1f0e36-6c55-5d0b-9a4e-6a1d1c0a7b52")
DIMENSIONS = ("branch", "product", "employee", "script")

_TODAY = """
    SELECT d.dimension, d.value, count(*) AS cases FROM cases c
    CROSS JOIN LATERAL (VALUES ('branch', c.branch_id), ('product', c.product), ('employee', c.employee),
                               ('script', c.script)) AS d(dimension, value)
    WHERE c.received_on BETWEEN $1 AND $2 AND c.kind = 'complaint' AND d.value IS NOT NULL
    GROUP BY d.dimension, d.value HAVING bool_or(c.received_on = $2) AND count(*) >= $3"""


async def look(uow: UnitOfWork, day: date) -> None:
    """Judge one day's clusters: alarms that go on are kept alive, new ones are raised."""
    if not await uow.sql.fetchval("SELECT EXISTS (SELECT FROM cases WHERE received_on = $1)", day):
        return
    await LIMITS.refresh(uow.sql)
    limits = LIMITS.on(day).body
    # An alarm is kept alive by a single further case, whatever the threshold says.
    await uow.sql.execute(
        """UPDATE alarms a SET last_on = $1, cases = a.cases + n.cases FROM (
               SELECT d.dimension, d.value, count(*) AS cases FROM cases c
               CROSS JOIN LATERAL (VALUES ('branch', c.branch_id), ('product', c.product), ('employee', c.employee),
                                          ('script', c.script)) AS d(dimension, value)
               WHERE c.received_on = $1 AND c.kind = 'complaint' AND d.value IS NOT NULL GROUP BY 1, 2) n
           WHERE (a.dimension, a.value) = (n.dimension, n.value) AND a.last_on < $1 AND a.last_on >= $1 - $2::int""",
        day,
        limits.quiet_days,
    )
    fresh = await uow.sql.fetch(
        f"""SELECT t.* FROM ({_TODAY}) t WHERE NOT EXISTS (
                SELECT FROM alarms a WHERE (a.dimension, a.value) = (t.dimension, t.value)
                  AND a.opened_on <= $2 AND a.last_on >= $2 - $4::int)
            ORDER BY t.dimension, t.value""",
        date.fromordinal(day.toordinal() - limits.cluster_days + 1),
        day,
        limits.cluster_cases,
        limits.quiet_days,
    )
    alarms = [(uuid5(_ALARMS, f"{r['dimension']}\n{r['value']}\n{day}"), *r.values()) for r in fresh]
    await uow.sql.executemany(
        """INSERT INTO alarms (alarm_id, dimension, value, opened_on, last_on, cases) VALUES ($1, $2, $3, $5, $5, $4)
           ON CONFLICT DO NOTHING""",
        [(*alarm, day) for alarm in alarms],
    )
    uow.emit_all(
        [
            ClusterAlarmed(alarm_id=alarm_id, dimension=dimension, value=value[:200], alarmed_on=day, cases=cases)
            for alarm_id, dimension, value, cases in alarms
        ]
    )
