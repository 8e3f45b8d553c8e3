"""Files that adjustments rest on."""

from chassis.migrate import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql(__file__)
