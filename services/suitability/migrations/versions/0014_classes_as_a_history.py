"""Classes of products are a history, with what compliance waived; what staff entered of a product is told from trades' word."""

from chassis.migrate import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql(__file__)
