"""The seven groups of a million clients on one day: classification's evaluation against one statement by hand."""

import time
from dataclasses import dataclass
from statistics import median

from bench.ground import Ground
from bench.retiering import DAY, TRADE_DAYS, rolled_back, tidy
from chassis.database import Database
from chassis.uow import UnitOfWork
from services.classification import groups
from services.classification.group_policies import BIT
from services.classification.policy import Policies
from services.classification.statements import whole_tables

# Every tenth client opened within three months, half trade, three in a hundred lost half of their assets, a fifth is core.
FILL = (
    """INSERT INTO clients (client_id, partition, branch_id, opened_on)
       SELECT 'C' || to_char(n, 'FM00000000'), n % 4, 'B' || n % 50, $2::date - CASE WHEN n % 10 = 0 THEN 40 ELSE 900 END
       FROM generate_series(1, $1::int) n""",
    """INSERT INTO valuations (client_id, as_of, total, time, event)
       SELECT 'C' || to_char(n, 'FM00000000'), $2::date - 100 * k, 20000 + n % 900000 * CASE WHEN k = 0 AND n % 33 = 0
              THEN 0 ELSE 1 END, '2020-01-01Z', 'made' FROM generate_series(1, $1::int) n, generate_series(0, 1) k""",
    """INSERT INTO month_cores (month_end, client_id, branch_id, reasons)
       SELECT $2::date, 'C' || to_char(n, 'FM00000000'), 'B' || n % 50, 'rank' FROM generate_series(5, $1::int, 5) n""",
    """INSERT INTO group_standings (client_id)
       SELECT 'C' || to_char(n, 'FM00000000') FROM generate_series(1, $1::int) n WHERE $2::date IS NOT NULL""",
)
BY_HAND = f"""
    UPDATE group_standings s SET tags = n.tags
    FROM (SELECT c.client_id, (
              CASE WHEN v.total <= 0.5 * b.total AND b.total >= 10000 OR c.closing_requested_on <= $1
                   THEN {BIT["AT_RISK"]} ELSE 0 END
              + CASE WHEN o.day IS NOT NULL THEN {BIT["ABNORMAL"]} ELSE 0 END
              + CASE WHEN t.day IS NULL AND $1::date - c.opened_on > 90 THEN {BIT["NEVER_TRADED"]} ELSE 0 END
              + CASE WHEN $1::date - c.opened_on <= 90 THEN {BIT["NEW"]} ELSE 0 END
              + CASE WHEN m.client_id IS NOT NULL THEN {BIT["CORE"]} ELSE 0 END
              + CASE WHEN $1::date - t.day >= 180 THEN {BIT["DORMANT"]} ELSE 0 END)::smallint AS tags
          FROM clients c
          LEFT JOIN (SELECT client_id, max(day) AS day FROM trade_days WHERE day <= $1 AND amount > 0 GROUP BY 1) t
              USING (client_id)
          LEFT JOIN (SELECT client_id, max(day) AS day FROM occurrences WHERE day <= $1 AND day > $1::date - 30
                     GROUP BY 1) o USING (client_id)
          LEFT JOIN (SELECT DISTINCT ON (client_id) client_id, total FROM valuations WHERE as_of <= $1
                     ORDER BY client_id, as_of DESC) v USING (client_id)
          LEFT JOIN (SELECT DISTINCT ON (client_id) client_id, total FROM valuations WHERE as_of <= $1::date - 90
                     ORDER BY client_id, as_of DESC) b USING (client_id)
          LEFT JOIN month_cores m ON m.month_end = $1 AND m.client_id = c.client_id
          WHERE c.opened_on <= $1 AND (c.closed_on IS NULL OR c.closed_on > $1)) n
    WHERE n.client_id = s.client_id AND n.tags IS DISTINCT FROM s.tags"""
MOVED = f"UPDATE group_standings SET tags = tags # {BIT['CORE']} WHERE right(client_id, 2) IN ('00', '50')"


class Differing(Exception):
    """The two ways found different numbers of changes: their times mean nothing."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """Seconds for all clients, ours and by hand, and how many changed."""

    clients: int
    changed: int
    ours: float
    by_hand: float

    @property
    def ratio(self) -> float:
        """Ours against the statement by hand."""
        return self.ours / self.by_hand


async def measure(ground: Ground, clients: int, rounds: int) -> Grouping:
    """Interleaved, each in a transaction that is rolled back. Raises: Differing."""
    url = await ground.make("groups", "template")
    database = Database(ground.settings(url, f"{ground.run}-groups"), "classification")
    counts: dict[str, int] = {}
    try:
        async with database.unit_of_work() as uow:
            for statement in (*FILL, TRADE_DAYS):
                await uow.sql.execute(statement, clients, DAY, timeout=None)
        await tidy(url)
        async with database.unit_of_work() as uow:
            await uow.sql.execute(BY_HAND, DAY, timeout=None)
            await uow.sql.execute(MOVED, timeout=None)
        await tidy(url)

        async def by_hand(uow: UnitOfWork) -> float:
            began = time.perf_counter()
            counts["by hand"] = int((await uow.sql.execute(BY_HAND, DAY, timeout=None)).split()[-1])
            return time.perf_counter() - began

        async def ours(uow: UnitOfWork) -> float:
            policy = (await uow.policies(Policies)).groups.on(DAY).body
            began = time.perf_counter()
            async with whole_tables(uow.sql, everybody=True):
                rows = await uow.sql.fetch(groups.evaluation_sql(policy, groups.EVERYBODY), DAY, timeout=None)
            counts["ours"] = len(rows)
            return time.perf_counter() - began

        taken = [(await rolled_back(database, by_hand), await rolled_back(database, ours)) for _ in range(rounds)]
    finally:
        await database.close()
        await ground.drop("groups")
    if counts["ours"] != counts["by hand"]:
        raise Differing(str(counts))
    return Grouping(clients, counts["ours"], median(mine for _, mine in taken), median(hand for hand, _ in taken))
