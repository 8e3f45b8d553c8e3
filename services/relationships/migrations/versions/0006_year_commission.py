"""The commission of the calendar year, beside that of twelve months."""

from chassis.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(__file__)
