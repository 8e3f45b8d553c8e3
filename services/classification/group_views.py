"""What a reader sees of a client's groups, value, core and lifecycle on a day, as known now or earlier."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

import asyncpg

from chassis.rows import columns, fetch
from services.classification.evaluations import as_known
from services.classification.group_history import TagInterval, stretches_of
from services.classification.group_rules import primary_of
from services.classification.group_tables import CoreDecision, GroupDecision, LifecycleDecision, MonthCore, MonthValue
from services.classification.statements import last_month_closed
from services.classification.views import decisions

ONE_DAY = timedelta(days=1)
D = TypeVar("D", GroupDecision, CoreDecision, LifecycleDecision)


@dataclass(frozen=True, slots=True)
class GroupsInForce:
    """The decisions about groups in force by a day, the last ones about core and lifecycle, and the stretches of the tags.

    `value` is the evaluation that stands since the last month close, and `ranked` that of the core flag then.
    """

    today: date
    decided: list[GroupDecision]
    core: CoreDecision | None
    lifecycle: LifecycleDecision | None
    value: MonthValue | None
    ranked: MonthCore | None
    stretches: list[TagInterval]

    @property
    def tags(self) -> int | None:
        """The tags in force, as bits."""
        return self.decided[-1].tags if self.decided else None

    @property
    def primary_opened(self) -> GroupDecision | None:
        """The decision since which the primary group has been what it is."""
        opened: GroupDecision | None = None
        for decision in self.decided:
            if opened is None or primary_of(decision.tags) != primary_of(opened.tags):
                opened = decision
        return opened

    def opened(self, tag: str) -> GroupDecision:
        """The decision that opened the stretch of a tag in force."""
        since = next(s.since for s in reversed(self.stretches) if s.tag == tag and s.since <= self.today)
        return next(d for d in self.decided if d.effective_on == since)


async def groups_on(sql: asyncpg.Connection, client_id: str, today: date, known_at: datetime | None) -> GroupsInForce:
    """What is in force on `today`; decisions that take effect later are left out of everything but the stretches."""
    decided = await decisions(sql, GroupDecision, client_id, known_at)
    values = await fetch(
        sql,
        MonthValue,
        f"""SELECT {columns(MonthValue)} FROM {as_known("month_values", "$1", "$3")} v
            WHERE month_end < $2 ORDER BY month_end DESC LIMIT 1""",
        client_id,
        today,
        known_at,
    )
    cores = await fetch(
        sql,
        MonthCore,
        f"""SELECT {columns(MonthCore)} FROM {as_known("month_cores", "$1", "$3")} m
            WHERE month_end = {last_month_closed("$2::date - 1")}""",
        client_id,
        today,
        known_at,
    )
    return GroupsInForce(
        today=today,
        decided=[d for d in decided if d.effective_on <= today],
        core=_last(await decisions(sql, CoreDecision, client_id, known_at), today),
        lifecycle=_last(await decisions(sql, LifecycleDecision, client_id, known_at), today),
        value=values[0] if values else None,
        ranked=cores[0] if cores else None,
        stretches=stretches_of([(d.effective_on, d.tags) for d in decided]),
    )


def _last(decided: list[D], today: date) -> D | None:
    return next((d for d in reversed(decided) if d.effective_on <= today), None)
