"""Prices that were told ahead to who signed before."""

from chassis.migrate import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql(__file__)
