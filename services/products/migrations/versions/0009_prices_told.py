"""Which subscriptions were told of other prices: who signs after the first telling is told too."""

from chassis.migrate import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql(__file__)
