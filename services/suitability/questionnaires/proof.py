"""The proof before publication: every possible answer sheet has exactly one level.

Sheets are counted, not walked: each question is a polynomial whose exponents are its possible points and whose
coefficients say how many ways lead there; their product counts every sheet by its total. Gates split the count in two.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from chassis.errors import FieldError
from services.suitability.levels import SCHEMES
from services.suitability.questionnaires.template import Question, Template

WIDEST = 2_000
Outcomes = Mapping[tuple[int, bool], int]
"""How many ways lead to (points, whether a gate was chosen)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What publication prints: the reachable totals and how many sheets each level has, lowest level first."""

    lowest: int
    highest: int
    sheets: int
    by_level: Mapping[str, int]
    unreachable: tuple[int, ...]


class Unprovable(ValueError):
    """The template cannot be published; `problems` points at each reason."""

    def __init__(self, problems: tuple[FieldError, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.pointer}: {problem.detail}" for problem in problems))


def outcomes_of(question: Question) -> Outcomes:
    """Every way to answer one question: each option, or each non-empty set of options of a multiple choice."""
    scored = [(option.score or 0, option.gate) for option in question.options]
    ways: Counter[tuple[int, bool]] = Counter()
    sizes = range(1, len(scored) + 1) if question.multiple else (1,)
    for size in sizes:
        for chosen in combinations(scored, size):
            points = [score for score, _ in chosen]
            total = max(points) if question.scored_by == "highest" else sum(points)
            ways[total, any(gate for _, gate in chosen)] += 1
    return ways


def outcomes(template: Template) -> Outcomes:
    """How many answer sheets lead to each (total, gated)."""
    product: Counter[tuple[int, bool]] = Counter({(0, False): 1})
    for question in template.questions:
        further: Counter[tuple[int, bool]] = Counter()
        ways = outcomes_of(question)
        for (total, gated), sheets in product.items():
            for (points, gate), count in ways.items():
                further[total + points, gated or gate] += sheets * count
        product = further
    return product


def prove(template: Template) -> Proof:
    """Prove that the bands are total and disjoint over the reachable totals, that the template is complete, and that every
    level of its scheme can be reached.

    Raises: Unprovable with every reason, each with a pointer into the template and, for bands, a counter-example.
    """
    problems = [*_incomplete(template), *_too_wide(template), *_wrong_bands(template)]
    if problems:
        raise Unprovable(tuple(problems))
    counted = outcomes(template)
    totals = {total for total, _ in counted}
    problems = _gaps_and_overlaps(template, totals)
    if problems:
        raise Unprovable(tuple(problems))
    scheme = SCHEMES[template.scheme]
    by_level = dict.fromkeys(scheme.codes, 0)
    for (total, gated), sheets in counted.items():
        band = next(band for band in template.bands if band.lowest <= total <= band.highest)
        by_level[scheme.codes[0] if gated else band.level] += sheets
    if empty := [code for code, sheets in by_level.items() if not sheets]:
        raise Unprovable((FieldError("/bands", f"no answer sheet leads to {', '.join(empty)}"),))
    missing = tuple(total for total in range(min(totals), max(totals) + 1) if total not in totals)
    return Proof(min(totals), max(totals), sum(counted.values()), by_level, missing)


def _incomplete(template: Template) -> list[FieldError]:
    problems = []
    if not template.questions:
        problems.append(FieldError("/questions", "there are no questions"))
    if not template.kinds:
        problems.append(FieldError("/kinds", "nobody may answer it"))
    for place, question in enumerate(template.questions):
        pointer = f"/questions/{place}"
        if sum(question.code == other.code for other in template.questions) > 1:
            problems.append(FieldError(f"{pointer}/code", f"{question.code} is there more than once"))
        if len(question.options) < 2:
            problems.append(FieldError(f"{pointer}/options", "a question needs two options or more"))
        problems += _untold(question.text.zh, question.text.en, f"{pointer}/text")
        for number, option in enumerate(question.options):
            here = f"{pointer}/options/{number}"
            if sum(option.code == other.code for other in question.options) > 1:
                problems.append(FieldError(f"{here}/code", f"{option.code} is there more than once"))
            if option.score is None:
                problems.append(FieldError(f"{here}/score", f"option {option.code} has no score"))
            problems += _untold(option.text.zh, option.text.en, f"{here}/text")
    for place, rule in enumerate(template.contradictions):
        for code, options in rule.answers.items():
            asked = template.question(code)
            unknown = [option for option in options if asked is None or asked.option(option) is None]
            if unknown or not options:
                problems.append(FieldError(f"/contradictions/{place}/answers/{code}", f"no such options: {unknown}"))
    return problems


def _too_wide(template: Template) -> list[FieldError]:
    """Counting takes time with the square of the range: no real questionnaire comes near this one."""
    spans = [[points for points, _ in outcomes_of(question)] for question in template.questions if question.options]
    width = sum(max(points) - min(points) for points in spans)
    return [FieldError("/questions", f"the totals span {width}: at most {WIDEST}")] if width > WIDEST else []


def _untold(zh: str, en: str, pointer: str) -> list[FieldError]:
    told = (("zh", zh), ("en", en))
    return [FieldError(f"{pointer}/{language}", "the text is missing") for language, text in told if not text.strip()]


def _wrong_bands(template: Template) -> list[FieldError]:
    scheme = SCHEMES.get(template.scheme)
    if scheme is None:
        return [FieldError("/scheme", f"{template.scheme!r} is none of {sorted(SCHEMES)}")]
    if not template.bands:
        return [FieldError("/bands", "there are no level bands")]
    problems = []
    for place, band in enumerate(template.bands):
        if band.level not in scheme.codes:
            problems.append(FieldError(f"/bands/{place}/level", f"{band.level} is no level of {scheme.code}"))
        if band.lowest > band.highest:
            problems.append(FieldError(f"/bands/{place}", f"{band.lowest} to {band.highest} is empty"))
    if problems:
        return problems
    for place, (band, later) in enumerate(zip(template.bands, template.bands[1:], strict=False)):
        if scheme.rank(later.level) <= scheme.rank(band.level) or later.lowest < band.lowest:
            problems.append(FieldError(f"/bands/{place + 1}", "a higher total must never mean a lower level"))
    if absent := [code for code in scheme.codes if code not in {band.level for band in template.bands}]:
        problems.append(FieldError("/bands", f"no band leads to {', '.join(absent)}"))
    return problems


def _gaps_and_overlaps(template: Template, totals: set[int]) -> list[FieldError]:
    problems = []
    for total in sorted(totals):
        holding = [band.level for band in template.bands if band.lowest <= total <= band.highest]
        if not holding:
            problems.append(FieldError("/bands", f"gap: a total of {total} is reachable and lies in no band"))
        elif len(holding) > 1:
            problems.append(FieldError("/bands", f"overlap: a total of {total} lies in {' and '.join(holding)}"))
    return problems
