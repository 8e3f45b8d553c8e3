"""Replies, receipts that come too early, and the words as they went."""

from chassis.migrate import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql(__file__)
