"""What is asked of messaging, and what is handed over to it."""

from chassis.migrate import run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_sql(__file__)
