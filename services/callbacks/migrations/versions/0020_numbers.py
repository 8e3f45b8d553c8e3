"""Calls of one number are one task: a keyed token of the number, while its call is still to be returned."""

from chassis.migrate import run_sql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_sql(__file__)
