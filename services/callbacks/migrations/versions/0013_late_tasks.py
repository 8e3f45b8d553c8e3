"""Tasks that go on after their limit: when the breach was told, and until when they are worked on."""

from chassis.migrate import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql(__file__)
