"""One dated status as professional investor per client; requests with items, waiting among the approvals."""

from chassis.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql(__file__)
