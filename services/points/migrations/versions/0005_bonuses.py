"""Bonuses, and what they are earned by: openings, closings, lifecycles. What was heard of those before was not kept."""

from chassis.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql(__file__)
