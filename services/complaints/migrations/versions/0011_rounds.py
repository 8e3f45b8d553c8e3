"""A promise starts a round of its own: who is told in it is told again."""

from chassis.migrate import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql(__file__)
