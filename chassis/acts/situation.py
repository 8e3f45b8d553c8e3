"""What an object's own columns do not say: where its clocks stand, and what waits for a second person."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from chassis.actor import Actor
from chassis.acts.table import Acts, Row
from chassis.approvals import WAITING


@dataclass(frozen=True, slots=True)
class ClockNow:
    """One clock that has started: stopped or not, how often it was promised, whether it can be paused [C27]."""

    stopped: bool
    promises: int
    pausable: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """Of one object: its clocks by name, the acts that wait for a second person with the approval's id, and the
    aggregate's own facts."""

    clocks: Mapping[str, ClockNow] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)
    facts: Any = None


async def situations(
    sql: asyncpg.Connection, table: Acts[Row], rows: Sequence[Row], actor: Actor, *, facts: bool = True
) -> list[Situation]:
    """The situation of each row as a caller is in it, in their order; two queries whatever their number, none where there
    is nothing to ask. Without `facts` the aggregate's own are left out."""
    aggregate = table.aggregate
    clocks: defaultdict[str, dict[str, ClockNow]] = defaultdict(dict)
    if aggregate.clocks:
        # A promised or given time is not paused, only given anew [C27].
        for c in await sql.fetch(
            """SELECT c.object, c.clock, c.state = 'stopped' AS stopped, count(e.*) FILTER (WHERE e.kind = 'promise') AS promises,
                      coalesce((c."limit"->>'pausable')::bool, true) AND NOT c."limit" ? 'until'
                      AND count(e.*) FILTER (WHERE e.kind = 'promise' OR e.detail->'by' ? 'until') = 0 AS pausable
               FROM clocks c LEFT JOIN clock_entries e ON e.object = c.object AND e.clock = c.clock
               WHERE c.object = ANY($1::text[]) GROUP BY c.object, c.clock""",
            [aggregate.clocks_of(row) for row in rows],
        ):
            clocks[c["object"]][c["clock"]] = ClockNow(c["stopped"], c["promises"], c["pausable"])
    asked: defaultdict[str, dict[str, str]] = defaultdict(dict)
    if table.approvals:
        names = {kind.name: act for act, kind in table.approvals.items()}
        for a in await sql.fetch(
            f"""SELECT object, kind, approval_id FROM approvals
                WHERE object = ANY($1::text[]) AND kind = ANY($2::text[]) AND state = '{WAITING}'""",
            [aggregate.named(aggregate.of(row, aggregate.id)) for row in rows],
            list(names),
        ):
            asked[a["object"]][names[a["kind"]]] = str(a["approval_id"])
    own = await aggregate.facts(sql, actor, rows) if facts and aggregate.facts else [None] * len(rows)
    return [
        Situation(clocks[aggregate.clocks_of(row)], asked[aggregate.named(aggregate.of(row, aggregate.id))], known)
        for row, known in zip(rows, own, strict=True)
    ]
