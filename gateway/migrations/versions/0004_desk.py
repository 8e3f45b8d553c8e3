"""What people arrange for themselves: saved views, reminders put off, and what they have open."""

from chassis.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql(__file__)
