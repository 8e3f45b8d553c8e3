"""Published trigger tables get the row of the new rule: without it they would not be read any more."""

from chassis.migrate import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql(__file__)
