"""What is kept of the log: low-water marks, and where the records of past days lie."""

from chassis.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql(__file__)
