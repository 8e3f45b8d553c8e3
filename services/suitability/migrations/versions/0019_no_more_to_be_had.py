"""What is held and no more permitted, or of a product that left the shelf, no longer matches."""

from chassis.migrate import run_sql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_sql(__file__)
