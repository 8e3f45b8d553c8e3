"""Assessments of the published risk levels, and the buys they do not cover.

Choices where the texts are silent:
- Assessments are published whether or not their client is open yet.
- An assessment counts on its own date; a trade on that date is judged by it.
- `level_held` is the level in force on the trade date, empty when none is; `level_needed` is empty for an
  instrument of unknown class. Mismatches are sorted by client and trade id.
- Texts name neither the scheme nor the source of a replayed assessment: those columns are left out here.
"""

from dataclasses import dataclass
from datetime import date

from .days import months_later
from .exports import Replayed, Row
from .facts import PLACEHOLDER, Facts, Trade

LEVELS = ["VERY_LOW", "LOW", "MEDIUM", "HIGH"]
LEVEL_OF = dict(zip(("Conservative", "Income", "Balanced", "Aggressive"), LEVELS, strict=True))
NEEDED = {
    "bond": "VERY_LOW",
    "fund:money_market": "VERY_LOW",
    "stock": "LOW",
    "fund:bond": "LOW",
    "fund:balanced": "MEDIUM",
    "fund:equity": "MEDIUM",
}


@dataclass(frozen=True)
class Assessment:
    """A level, valid from the questionnaire date through the same date 12 months later."""

    client_id: str
    level: str
    valid_from: date
    valid_until: date


def assessments_of(facts: Facts) -> dict[str, list[Assessment]]:
    """Every assessment by client, in order of dates; predicted, missing and placeholder ones are none."""
    assessments = {}
    for client_id, risk_levels in facts.risk_levels.items():
        assessments[client_id] = [
            Assessment(client_id, LEVEL_OF[risk], answered_on, months_later(answered_on, 12))
            for answered_on, risk in sorted(risk_levels.items())
            if risk in LEVEL_OF and answered_on != PLACEHOLDER
        ]
    return assessments


def assessment_rows(replayed: Replayed, as_of: date) -> list[Row]:
    """`assessments`, every one made on or before a day: client_id, level, valid_from, valid_until."""
    rows: list[Row] = []
    for client_id, assessments in sorted(assessments_of(replayed.facts).items()):
        for made in assessments:
            if made.valid_from <= as_of:
                valid = (made.valid_from.isoformat(), made.valid_until.isoformat())
                rows.append((client_id, made.level, *valid))
    return rows


def mismatch_of(trade: Trade, assessments: list[Assessment]) -> tuple[str, str, str] | None:
    """(level needed, level held, reason) of a buy that is not covered, else None."""
    until_then = [made for made in assessments if made.valid_from <= trade.trade_date]
    valid = [made for made in until_then if trade.trade_date <= made.valid_until]
    held = valid[-1].level if valid else ""
    needed = NEEDED.get(trade.kind)
    if needed is None:
        return "", held, "unknown_class"
    if not until_then:
        return needed, "", "no_assessment"
    if not valid:
        return needed, "", "expired"
    if LEVELS.index(held) < LEVELS.index(needed):
        return needed, held, "above_level"
    return None


def mismatch_rows(replayed: Replayed, as_of: date) -> list[Row]:
    """`mismatches`: every buy up to a day that the level in force on its trade date does not cover."""
    assessments = assessments_of(replayed.facts)
    rows: list[Row] = []
    for outcome in replayed.outcomes:
        for trade in outcome.client.trades:
            if trade.side != "buy" or trade.trade_date > as_of:
                continue
            found = mismatch_of(trade, assessments[trade.client_id])
            if found is not None:
                dated = trade.trade_date.isoformat()
                rows.append((trade.client_id, trade.trade_id, dated, trade.symbol, *found))
    return sorted(rows)
