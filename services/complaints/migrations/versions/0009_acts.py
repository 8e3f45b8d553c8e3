"""Acts of cases: their history goes to where every object's is kept, and a case knows what its table of acts asks."""

from chassis.migrate import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql(__file__)
