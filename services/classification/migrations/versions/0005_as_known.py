"""Month evaluations are kept as known at any instant; a client is known from when the opening was heard."""

from chassis.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql(__file__)
