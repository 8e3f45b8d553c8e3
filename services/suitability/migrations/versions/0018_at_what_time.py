"""When on a day something came to be so: a late rise while a review was open, what the library told."""

from chassis.migrate import run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_sql(__file__)
