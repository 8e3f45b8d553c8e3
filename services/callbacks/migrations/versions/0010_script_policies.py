"""Published scripts under names of their own: a script and a table may have the same code."""

from chassis.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql(__file__)
