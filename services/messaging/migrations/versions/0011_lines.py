"""Lines of the SMS products: who has them, the facts they are made of, days without content."""

from chassis.migrate import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql(__file__)
