"""Classification's tables."""

from alembic import op

from services.classification import group_tables, supplementary_tables, tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    assert (
        group_tables.metadata is supplementary_tables.metadata is tables.metadata
    )  # all of the service's tables are known here
    tables.metadata.create_all(op.get_bind())
