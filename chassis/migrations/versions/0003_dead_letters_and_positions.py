"""Dead letters keep all bytes and can be skipped; positions say from when on the facts are known."""

from chassis.migrate import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql(__file__)
