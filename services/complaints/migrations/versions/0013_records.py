"""Figures of a period are kept as they were made; nil reports and reception days can be cancelled with a reason."""

from chassis.migrate import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql(__file__)
