"""The keys of clients, what finds them, and their erasure."""

from chassis.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql(__file__)
