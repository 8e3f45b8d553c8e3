"""Holds on sales to clients who have not answered anew after a stated change of life."""

from chassis.migrate import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql(__file__)
