"""Who referred whom, and of which household they are [P3]."""

from chassis.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql(__file__)
