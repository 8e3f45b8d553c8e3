"""A private PostgreSQL and a real Kafka beside the platform, for development, tests and benchmarks."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chassis.servers.kafka import PrivateKafka
from chassis.servers.postgres import PrivatePostgres, Status

TOPIC_PREFIX = "careline"
# The stack serves the distributed form and the benchmarks: more memory than the embedded default.
POSTGRES_SETTINGS = {"shared_buffers": "256MB", "wal_buffers": "16MB", "max_wal_size": "4GB"}


def servers(home: Path) -> tuple[PrivatePostgres, PrivateKafka]:
    """The stack's two servers, each in a folder of its own under `home`/stack."""
    folder = home / "stack"
    return PrivatePostgres(folder / "postgres", settings=POSTGRES_SETTINGS), PrivateKafka(folder / "kafka")


def up(home: Path) -> dict[str, str]:
    """Start both servers, or find them, and give the two settings that make Careline use them.

    They stay until `down`. Errors: ServerNotReady; what did start then stays, and a second `up` goes on from there.
    """
    postgres, kafka = servers(home)
    with ThreadPoolExecutor(2) as both:
        database = both.submit(postgres.start, hold=False)
        bus = both.submit(kafka.start)
        database.result()
        return {
            "CARELINE_DATABASE_URL": postgres.owner_url,
            "CARELINE_BUS_URL": f"kafka://{bus.result()}/{TOPIC_PREFIX}",
        }


def down(home: Path) -> None:
    """Stop both servers; what they keep stays for the next `up`."""
    postgres, kafka = servers(home)
    with ThreadPoolExecutor(2) as both:
        broker = both.submit(kafka.stop)
        postgres.stop(even_if_used=True)
        broker.result()


def status(home: Path) -> dict[str, Status]:
    """Each server's state, by name; changes nothing."""
    postgres, kafka = servers(home)
    return {"postgres": postgres.status(), "kafka": kafka.status()}
