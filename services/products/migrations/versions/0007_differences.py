"""What the trades of days gone by cost by rates told later. Rates told before this version count as applied the day after."""

from chassis.migrate import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql(__file__)
