"""The home, people, sign-in links, keys of systems."""

from alembic import op

from chassis.migrate import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql(__file__)
    op.execute("INSERT INTO home DEFAULT VALUES")
