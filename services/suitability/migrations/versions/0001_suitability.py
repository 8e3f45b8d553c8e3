"""Suitability's tables, and the shipped questionnaires as published templates."""

from dataclasses import asdict
from datetime import UTC, date, datetime

from alembic import op

from chassis.migrate import run_sql
from services.suitability.questionnaires.library import shipped, shipped_codes
from services.suitability.questionnaires.proof import prove
from services.suitability.questionnaires.template import plain
from services.suitability.tables import templates

revision = "0001"
down_revision = None

SHIPPED_AT = datetime(2010, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    run_sql(__file__)
    op.bulk_insert(
        templates,
        [
            {
                "code": code,
                "version": 1,
                "body": plain(shipped(code)),
                "state": "published",
                "effective_on": date(2010, 1, 1),
                "proof": asdict(prove(shipped(code))),
                "made_by": "careline",
                "made_at": SHIPPED_AT,
                "reviewed_by": "careline",
                "reviewed_at": SHIPPED_AT,
                "published_by": "careline",
                "published_at": SHIPPED_AT,
            }
            for code in shipped_codes()
        ],
    )
