"""Reviews are moved by acts; what the product library tells of shelf and floor."""

from chassis.migrate import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql(__file__)
