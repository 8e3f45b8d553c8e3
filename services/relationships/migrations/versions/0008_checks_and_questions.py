"""Spot checks of the log, questions with a clock, clients who come to the branch."""

from chassis.migrate import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql(__file__)
