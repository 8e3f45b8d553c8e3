"""What clients state of their health and life lies under their own keys; what is there in clear is sealed by the next close."""

from chassis.migrate import run_sql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_sql(__file__)
