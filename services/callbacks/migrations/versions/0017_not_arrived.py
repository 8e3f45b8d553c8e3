"""Requests that somebody should look at are found by when that became known."""

from chassis.migrate import run_sql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_sql(__file__)
