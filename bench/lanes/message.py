"""The peer message by message: FastStream with SQLAlchemy's ORM and an inbox table.

As their documentation has it: a pydantic model for the body, a group id and NACK_ON_ERROR for at-least-once, a session
from `async_sessionmaker` and one transaction a message; `expire_on_commit=False`, as SQLAlchemy advises with asyncio.
"""

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from faststream import AckPolicy, Context, FastStream
from faststream.kafka import KafkaBroker
from sqlalchemy import BigInteger, DateTime, UniqueConstraint, func
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.lanes.lane import LaneResult, Task, Watch, main, sums
from bench.lanes.peer import Counting, TradeSettled, database_url, entry_of, told_of


class Base(DeclarativeBase):
    """The peer's tables."""


class Inbox(Base):
    """Messages handled: one row each, by event id."""

    __tablename__ = "inbox"
    event_id: Mapped[str] = mapped_column(primary_key=True)
    handled_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Entry(Base):
    """An entry of the ledger."""

    __tablename__ = "entries"
    __table_args__ = (UniqueConstraint("client_id", "trade_id"),)
    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[str]
    trade_id: Mapped[str]
    kind: Mapped[str]
    debit_account: Mapped[str]
    credit_account: Mapped[str]
    points: Mapped[int] = mapped_column(BigInteger)
    expires_on: Mapped[date]
    commission: Mapped[str]
    tier: Mapped[str]
    multiplier: Mapped[int]
    trade_date: Mapped[date]
    policy: Mapped[str]
    posted_on: Mapped[date]
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    cause: Mapped[str]


class Balance(Base):
    """A client's balance."""

    __tablename__ = "balances"
    client_id: Mapped[str] = mapped_column(primary_key=True)
    available: Mapped[int] = mapped_column(BigInteger)


class Outbox(Base):
    """Events to be sent."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    key: Mapped[str]
    type: Mapped[str]
    event_id: Mapped[str]
    source: Mapped[str]
    time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    payload: Mapped[str]


async def run(task: Task) -> LaneResult:
    """Handle every message in a transaction of its own."""
    engine = create_async_engine(database_url(task))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    counting = Counting(task, await Watch.on(task.database_url))
    broker = KafkaBroker(task.servers, logger=None)
    app = FastStream(broker, logger=None)

    @broker.subscriber(
        task.topic, group_id=task.group, auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR
    )
    async def award(trade: TradeSettled, event_id: Annotated[str, Context("message.headers.ce_id")]) -> None:
        counting.begin()
        async with sessions() as session, session.begin():
            if await session.get(Inbox, event_id) is None:
                session.add(Inbox(event_id=event_id))
                row = entry_of(trade, event_id)
                balance = await session.get(Balance, trade.client_id, with_for_update=True)
                if balance is None:
                    session.add(Balance(client_id=trade.client_id, available=row["points"]))
                else:
                    balance.available += row["points"]
                session.add(Entry(**row))
                session.add(Outbox(**told_of(row, datetime.now(UTC))))
        counting.committed(1)

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
