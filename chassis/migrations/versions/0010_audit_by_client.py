"""A client's audit rows are found without a span of time."""

from chassis.migrate import run_beside_work

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_beside_work(__file__)
