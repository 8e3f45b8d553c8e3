"""Cases are lowered by an act of the table: its name in the history."""

from chassis.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql(__file__)
