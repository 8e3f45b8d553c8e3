"""Who is not to be called, how far, why, until when and on whose word: not a flag of the client any more."""

from chassis.migrate import run_sql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_sql(__file__)
