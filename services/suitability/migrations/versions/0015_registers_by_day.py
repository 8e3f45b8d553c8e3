"""Branches and cancellations by day: the registers of a day are those of the day."""

from chassis.migrate import run_sql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_sql(__file__)
