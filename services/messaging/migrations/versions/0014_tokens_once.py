"""Tokens of a mail provider's webhook; what polling and the watch look for is found by index."""

from chassis.migrate import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql(__file__)
