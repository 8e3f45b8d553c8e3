"""What a message keeps beside its state: who was asked to confirm it, and that it is wanted no more."""

from chassis.migrate import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql(__file__)
