"""Scoring an answer sheet: only the server does it [Q1, Q5]. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.suitability.levels import SCHEMES
from services.suitability.questionnaires.template import Question, Template

Sheet = Mapping[str, Sequence[str]]
"""Question code to the codes of the options chosen: complete and valid (see `answers.check`)."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a sheet comes to: points per question, the total, its level's rank, and the gates that lowered it."""

    points: Mapping[str, int]
    total: int
    band_level: str
    level: str
    rank: int
    gates: tuple[str, ...]


def points_of(question: Question, chosen: Sequence[str]) -> int:
    """The points of one answer: its highest chosen option, or their sum where the question says so [Q1]."""
    points = [option.score or 0 for option in question.options if option.code in chosen]
    return max(points) if question.scored_by == "highest" else sum(points)


def score(template: Template, sheet: Sheet) -> Score:
    """Score a valid sheet of a published template.

    Raises: LookupError when no band holds the total, which publication rules out.
    """
    points = {question.code: points_of(question, sheet[question.code]) for question in template.questions}
    total = sum(points.values())
    band = next((band for band in template.bands if band.lowest <= total <= band.highest), None)
    if band is None:
        raise LookupError(f"{template.code}: no band holds {total}")
    gates = tuple(
        f"{question.code}{option.code}"
        for question in template.questions
        for option in question.options
        if option.gate and option.code in sheet[question.code]
    )
    scheme = SCHEMES[template.scheme]
    level = scheme.levels[0].code if gates else band.level
    return Score(points, total, band.level, level, scheme.rank(level), gates)
