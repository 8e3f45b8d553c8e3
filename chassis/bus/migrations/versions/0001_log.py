"""The log."""

from alembic import op

from chassis.tables import log

revision = "0001"
down_revision = None


def upgrade() -> None:
    log.create_all(op.get_bind())
