"""Credit limits."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE TABLE limits (client_id text PRIMARY KEY, amount int NOT NULL, changes int NOT NULL DEFAULT 0)")
    op.execute("INSERT INTO limits VALUES ('c-1', 100), ('c-2', 100)")
