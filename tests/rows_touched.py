"""Counting the rows that statements touch: by the database's own plans, so that no clock is asked."""

from collections import Counter
from typing import Any

import asyncpg

COUNTED = ("WITH", "SELECT", "INSERT", "UPDATE", "DELETE")
RUNS = {"fetch", "fetchrow", "fetchval", "execute"}


class Counting:
    """A connection that counts the rows every node of every plan touched, and then runs the statement itself."""

    def __init__(self, sql: asyncpg.Connection) -> None:
        self.sql = sql
        self.rows = 0
        self.statements = 0
        self.by_statement = Counter[str]()

    def __getattr__(self, name: str) -> Any:
        run = getattr(self.sql, name)
        if name not in RUNS:
            return run

        async def counted(statement: str, *given: Any, **named: Any) -> Any:
            if statement.lstrip().startswith(COUNTED):
                assert "[] IS NULL OR" not in statement, "one statement for all and for some cannot be planned for both"
                rows = min([await self._touched(statement, given, whole) for whole in ("off", "on")])
                self.rows += rows
                self.statements += 1
                self.by_statement[statement] += rows
            return await run(statement, *given, **named)

        return counted

    async def _touched(self, statement: str, given: tuple[Any, ...], whole: str) -> int:
        """Of a small table it costs nothing to read everything for each row, which is not what happens to large ones: so a plan
        without that is looked at too."""
        trial = self.sql.transaction()
        await trial.start()
        await self.sql.execute(f"SET LOCAL enable_seqscan = {whole}")
        plan = await self.sql.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *given)
        await trial.rollback()
        return touched(plan[0]["Plan"])


def touched(plan: dict[str, Any]) -> int:
    """Rows that a node and those under it gave or threw away."""
    each = plan["Actual Rows"] + sum(
        plan.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Join Filter", "Index Recheck")
    )
    return int(each * plan["Actual Loops"]) + sum(touched(under) for under in plan.get("Plans", ()))
