"""The home, people, sign-in links, keys of systems."""

from alembic import op

from gateway.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    op.execute("INSERT INTO home DEFAULT VALUES")
