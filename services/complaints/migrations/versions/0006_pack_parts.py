"""Archives in parts: attachments may make them larger than one value can be."""

from chassis.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(__file__)
