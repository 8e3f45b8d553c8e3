"""Who waits to be taken in hand is found by an index."""

from chassis.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql(__file__)
