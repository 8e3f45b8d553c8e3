"""Mailings, subscriptions, and what clients show of their interest."""

from chassis.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql(__file__)
