"""Answers against each other and against the profile: self-assessment alone is not enough. Pure."""

from dataclasses import dataclass
from typing import Literal

from services.suitability.questionnaires.scoring import Sheet
from services.suitability.questionnaires.template import Contradiction, Template


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of the client; what is not known contradicts nothing."""

    kind: Literal["individual", "institution"] | None = None
    age: int | None = None
    experience_years: int | None = None


def found(template: Template, sheet: Sheet, profile: Profile) -> tuple[Contradiction, ...]:
    """Every contradiction of the template that holds for this sheet and profile."""
    return tuple(rule for rule in template.contradictions if _holds(rule, sheet, profile))


def _holds(rule: Contradiction, sheet: Sheet, profile: Profile) -> bool:
    answered = all(set(sheet.get(code, ())) & set(options) for code, options in rule.answers.items())
    return (
        answered
        and _within(profile.age, rule.age_from, rule.age_below)
        and _within(profile.experience_years, rule.experience_from, rule.experience_below)
        and (rule.kind is None or rule.kind == profile.kind)
    )


def _within(value: int | None, start: int | None, end: int | None) -> bool:
    if start is None and end is None:
        return True
    return value is not None and (start is None or value >= start) and (end is None or value < end)
