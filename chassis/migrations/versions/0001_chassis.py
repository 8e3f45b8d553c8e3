"""The chassis's tables."""

from alembic import op

from chassis.tables import chassis

revision = "0001"
down_revision = None


def upgrade() -> None:
    chassis.create_all(op.get_bind())
