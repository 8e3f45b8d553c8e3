"""The history of tasks, as the table of acts keeps it; the sealed steps stay as they were sealed."""

from chassis.migrate import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql(__file__)
