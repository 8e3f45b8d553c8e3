"""Tasks that wait for a number; when a recording was made; a call is looked up by its recording."""

from chassis.migrate import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql(__file__)
