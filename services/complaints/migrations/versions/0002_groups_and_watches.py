"""Group cases of alarms, who has to sign packs, where clients stand, who is to be told of what."""

from chassis.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql(__file__)
