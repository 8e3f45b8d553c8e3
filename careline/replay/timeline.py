"""The home's timeline: a replay makes it simulated and ties it to one data set; how far it has come is kept here."""

from dataclasses import dataclass
from datetime import date

import asyncpg

from careline.replay.roster import messages, roster
from careline.replay.source import DataSet
from chassis.errors import Conflict, Text
from chassis.timeline import Timeline, announce
from chassis.uow import UnitOfWork


class RealHome(Conflict):
    """Real business facts have come into this home: it cannot be replayed into."""

    title = Text("This home lives in real time", "该环境为真实时间线")


class AnotherDataSet(Conflict):
    """This home already replays another data set, or another number of its customers."""

    title = Text("This home replays another data set", "该环境已回放另一数据集")


class AnotherReplay(Conflict):
    """Another replay publishes into this home at the same moment."""

    title = Text("Another replay is running", "另一回放正在进行")


@dataclass(frozen=True, slots=True)
class ReplayPosition:
    """How far the replay of this home has come: facts published, and the last day among them."""

    position: int
    published_through: date | None


ELSEWHERE = "Use a home of its own: set CARELINE_HOME to another folder (or CARELINE_DATABASE_URL to another database)."


def described(data: DataSet) -> str:
    """The data set as people know it."""
    return f"{data.folder.resolve()} ({f'{data.customers} customers' if data.customers else 'all customers'})"


async def read_position(sql: asyncpg.Connection, data: DataSet) -> ReplayPosition:
    """Where the replay of a data set stands; a home without facts stands at the beginning.

    Raises: RealHome, AnotherDataSet, with what to do.
    """
    row = await sql.fetchrow("SELECT timeline, data_set, fingerprint, published_through, position FROM home")
    if row is None or row["timeline"] is None:
        return ReplayPosition(0, None)
    if row["timeline"] == "real":
        raise RealHome(f"real facts have come into this home, so nothing can be replayed into it. {ELSEWHERE}")
    if row["fingerprint"] != data.fingerprint:
        raise AnotherDataSet(
            f"this home replays {row['data_set']}, not {described(data)} as it is now. {ELSEWHERE}",
        )
    return ReplayPosition(row["position"] or 0, row["published_through"])


async def claim_timeline(uow: UnitOfWork, data: DataSet) -> ReplayPosition:
    """Make a home without facts simulated and of this data set, and tell everybody; any other is as `read_position` says.

    The fixed roster is said here too: before the first fact, and with the first claim only.
    """
    await uow.sql.execute("INSERT INTO home DEFAULT VALUES ON CONFLICT DO NOTHING")
    claimed = await uow.sql.fetchval(
        """UPDATE home SET timeline = 'simulated', data_set = $1, fingerprint = $2, position = '0', decided_at = $3
           WHERE timeline IS NULL RETURNING true""",
        described(data),
        data.fingerprint,
        uow.now,
    )
    if claimed:
        announce(uow, Timeline.SIMULATED, uow.now)
        uow.publish(messages(roster(data.branches), uow.database.partitions))
    return await read_position(uow.sql, data)


async def move_position(uow: UnitOfWork, before: int, after: int, through: date | None) -> None:
    """Move the position in the transaction of the facts themselves.

    Raises: AnotherReplay when somebody else has moved it.
    """
    moved = await uow.sql.fetchval(
        """UPDATE home SET position = $2::jsonb, published_through = coalesce($3, published_through)
           WHERE timeline = 'simulated' AND position = $1::jsonb RETURNING position""",
        before,
        after,
        through,
    )
    if moved is None:
        raise AnotherReplay("another replay publishes into this home: wait for it, or stop it")
