"""What fired, in the order it did."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """CREATE TABLE fired (n bigint GENERATED ALWAYS AS IDENTITY, kind text, object text, step text, due timestamptz,
                               at timestamptz, recorded timestamptz, note text)"""
    )
