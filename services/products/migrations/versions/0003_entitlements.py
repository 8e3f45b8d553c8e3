"""Entitlements and what they follow from: core, habits, holds, services granted by hand."""

from chassis.migrate import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql(__file__)
