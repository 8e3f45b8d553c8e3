"""Products, cancellations and valuations by day; one list of what may have changed what is covered."""

from chassis.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(__file__)
