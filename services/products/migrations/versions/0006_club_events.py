"""Events of the club with registrations, the register of hospitality; who is a professional investor."""

from chassis.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(__file__)
