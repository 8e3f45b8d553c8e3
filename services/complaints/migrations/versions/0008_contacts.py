"""Whom to answer: name and number of clients and of complainants who are none."""

from chassis.migrate import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql(__file__)
