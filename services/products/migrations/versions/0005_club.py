"""The club: memberships with their states; classes and months as classification tells them."""

from chassis.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql(__file__)
