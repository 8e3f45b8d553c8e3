"""Where asking a provider for what came in goes on."""

from chassis.migrate import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql(__file__)
