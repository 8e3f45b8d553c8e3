"""Orders cancelled in full do not count [T6]: their clients are evaluated again; what was traded is kept [K4]."""

from chassis.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql(__file__)
