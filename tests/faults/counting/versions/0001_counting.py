"""Entries, balances, days that were closed."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE TABLE entries (transfer_id text PRIMARY KEY, client_id text NOT NULL, amount numeric NOT NULL)")
    op.execute("CREATE TABLE balances (client_id text PRIMARY KEY, total numeric NOT NULL)")
    op.execute("CREATE TABLE closings (day date PRIMARY KEY, entries bigint NOT NULL, total numeric NOT NULL)")
