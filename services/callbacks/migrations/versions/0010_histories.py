"""Histories keep the changes they are the fold of."""

from chassis.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql(__file__)
