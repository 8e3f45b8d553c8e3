"""The peer in batches: FastStream, `batch=True` with 500 records, SQLAlchemy Core, exactly once by a natural key.

As their documentation has it: pydantic models, a group id and NACK_ON_ERROR; SQLAlchemy's `insert` of a list of
parameters, with `on_conflict_do_nothing().returning()` for the new ones and one grouped upsert for the balances.
"""

from datetime import UTC, datetime
from typing import Annotated

from faststream import AckPolicy, Context, FastStream
from faststream.kafka import KafkaBroker
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Identity,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import create_async_engine

from bench.lanes.lane import LaneResult, Task, Watch, main, sums
from bench.lanes.peer import Counting, TradeSettled, database_url, entry_of, told_of

BATCH_HEADERS = "message.batch_headers"
metadata = MetaData()
entries = Table(
    "entries",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("trade_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("debit_account", Text, nullable=False),
    Column("credit_account", Text, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("expires_on", Date),
    Column("commission", Text),
    Column("tier", Text),
    Column("multiplier", SmallInteger),
    Column("trade_date", Date, nullable=False),
    Column("policy", Text),
    Column("posted_on", Date, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("cause", Text, nullable=False),
    UniqueConstraint("client_id", "trade_id"),
)
balances = Table(
    "balances",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("available", BigInteger, nullable=False),
)
outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("payload", Text, nullable=False),
)
NEW_ENTRIES = insert(entries).on_conflict_do_nothing().returning(entries.c.entry_id)
_UPSERT = insert(balances)
RAISE_BALANCES = _UPSERT.on_conflict_do_update(
    index_elements=[balances.c.client_id], set_={"available": balances.c.available + _UPSERT.excluded.available}
)


async def run(task: Task) -> LaneResult:
    """Handle batches of up to 500 messages, each in one transaction."""
    engine = create_async_engine(database_url(task))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    counting = Counting(task, await Watch.on(task.database_url))
    broker = KafkaBroker(task.servers, logger=None)
    app = FastStream(broker, logger=None)

    @broker.subscriber(
        task.topic,
        group_id=task.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        batch=True,
        max_records=500,
    )
    async def award(
        trades: list[TradeSettled], headers: Annotated[list[dict[str, str]], Context(BATCH_HEADERS)]
    ) -> None:
        counting.begin()
        causes = (one["ce_id"] for one in headers)
        rows = {row["entry_id"]: row for row in map(entry_of, trades, causes)}
        async with engine.begin() as connection:
            new = [rows[key] for key in (await connection.execute(NEW_ENTRIES, list(rows.values()))).scalars()]
            if new:
                earned: dict[str, int] = {}
                for row in new:
                    earned[row["client_id"]] = earned.get(row["client_id"], 0) + row["points"]
                raised = [{"client_id": client, "available": points} for client, points in sorted(earned.items())]
                await connection.execute(RAISE_BALANCES, raised)
                now = datetime.now(UTC)
                await connection.execute(insert(outbox), [told_of(row, now) for row in new])
        counting.committed(len(trades))

    await app.broker.start() if app.broker else None
    try:
        outcome = await counting.wait()
    finally:
        await broker.stop()
        await engine.dispose()
    await sums(task.database_url, outcome, "public", "public.outbox")
    return outcome


if __name__ == "__main__":
    main(run)
