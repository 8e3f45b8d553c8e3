"""When a draft was opened, the level shown before signing, and how long a sheet took by the server's clock."""

from chassis.migrate import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql(__file__)
