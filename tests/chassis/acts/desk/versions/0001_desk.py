"""Claims."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """CREATE TABLE claims (
               claim_id uuid PRIMARY KEY, client_id text NOT NULL, branch_id text NOT NULL, source text NOT NULL,
               state text NOT NULL, owner text, concerned text[] NOT NULL DEFAULT '{}', round int NOT NULL DEFAULT 1,
               result text, told int NOT NULL DEFAULT 0, revision int NOT NULL DEFAULT 1)"""
    )
