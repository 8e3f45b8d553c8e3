"""The sample's notes."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE TABLE notes (id int PRIMARY KEY, client_id text, branch_id text, text text NOT NULL)")
