"""Messages to complainants asked for, and what became of them."""

from chassis.migrate import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql(__file__)
