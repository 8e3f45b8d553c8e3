"""How long the token of a number is kept: what the column's words had promised was sooner than it is."""

from chassis.migrate import run_sql

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    run_sql(__file__)
