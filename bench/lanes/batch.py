"""The peer in batches: FastStream, `batch=True` with 500 records, SQLAlchemy Core, exactly once by a natural key.

As their documentation has it: pydantic models, a group id and NACK_ON_ERROR; SQLAlchemy's `insert` of a list of
parameters, with `on_conflict_do_nothing().returning()` for the new ones and one grouped upsert for the balances.
"""

from uuid import UUID, uuid5

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from sqlalchemy import BigInteger, Column, Date, Identity, MetaData, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import create_async_engine

from bench.lanes.lane import Outcome, Task, Watch, main, sums
from bench.lanes.peer import Counting, TradeSettled, database_url, points_for

NAMESPACE = UUID("0b9d7a3c-6a2f-4f0e-8f0a-6d6f6f1f2a10")
metadata = MetaData()
entries = Table(
    "entries",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("trade_id", Text, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("trade_date", Date, nullable=False),
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
    Column("payload", Text, nullable=False),
)
NEW_ENTRIES = insert(entries).on_conflict_do_nothing().returning(entries.c.entry_id)
_UPSERT = insert(balances)
RAISE_BALANCES = _UPSERT.on_conflict_do_update(
    index_elements=[balances.c.client_id], set_={"available": balances.c.available + _UPSERT.excluded.available}
)


async def run(task: Task) -> Outcome:
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
    async def award(trades: list[TradeSettled]) -> None:
        counting.begin()
        rows = {
            uuid5(NAMESPACE, f"{trade.client_id}/{trade.trade_id}"): {
                "client_id": trade.client_id,
                "trade_id": trade.trade_id,
                "points": points_for(trade.commission),
                "trade_date": trade.trade_date,
            }
            for trade in trades
        }
        async with engine.begin() as connection:
            new = (
                await connection.execute(NEW_ENTRIES, [{"entry_id": key} | row for key, row in rows.items()])
            ).scalars()
            sums_by_client: dict[str, int] = {}
            told = []
            for key in new:
                client, points = str(rows[key]["client_id"]), int(str(rows[key]["points"]))
                sums_by_client[client] = sums_by_client.get(client, 0) + points
                payload = f'{{"entry_id":"{key}","client_id":"{client}","points":{points}}}'
                told.append({"key": client, "type": "points.entry.posted", "payload": payload})
            if told:
                raised = [{"client_id": c, "available": p} for c, p in sorted(sums_by_client.items())]
                await connection.execute(RAISE_BALANCES, raised)
                await connection.execute(insert(outbox), told)
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
