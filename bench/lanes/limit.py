"""The limit: fetch, and COPY the raw bytes into a table without an index. Nothing is decoded, checked or remembered."""

import asyncpg
from aiokafka import AIOKafkaConsumer

from bench.lanes.lane import LaneResult, Task, Watch, main


async def run(task: Task) -> LaneResult:
    """One transaction a batch, batches of up to 5,000, the same fetch settings as ours."""
    sql = await asyncpg.connect(task.database_url)
    await sql.execute("CREATE TABLE raw (value bytea NOT NULL)")
    consumer = AIOKafkaConsumer(
        task.topic,
        bootstrap_servers=task.servers,
        group_id=task.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_wait_ms=20,
    )
    watch, outcome = await Watch.on(task.database_url), LaneResult()
    await consumer.start()
    try:
        while outcome.events < task.events:
            if not outcome.events:
                watch.start()
            fetched = await consumer.getmany(timeout_ms=50, max_records=5000)
            rows = [(message.value,) for messages in fetched.values() for message in messages]
            if rows:
                await sql.copy_records_to_table("raw", records=rows)
                outcome.events += len(rows)
        watch.stop(outcome)
    finally:
        await consumer.stop()
    outcome.entries = await sql.fetchval("SELECT count(*) FROM raw")
    await sql.close()
    return outcome


if __name__ == "__main__":
    main(run)
