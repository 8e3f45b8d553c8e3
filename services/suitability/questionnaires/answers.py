"""Checking the answers of a sheet, question by question, with a pointer to each problem. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.errors import FieldError
from services.suitability.questionnaires.template import Question, Template

MADE_BY_SERVER = frozenset({"score", "scores", "points", "total", "level", "rank", "result"})


def check(
    template: Template, answers: Sequence[Mapping[str, Any]], *, complete: bool = True
) -> tuple[dict[str, list[str]], tuple[FieldError, ...]]:
    """The sheet in `answers` ([{question, options}, ...]) and everything wrong with it.

    A draft may be incomplete (`complete=False`); nothing else is forgiven in it.
    """
    sheet: dict[str, list[str]] = {}
    problems: list[FieldError] = []
    for place, answer in enumerate(answers):
        pointer = f"/answers/{place}"
        code, chosen = str(answer.get("question")), [str(option) for option in answer.get("options", ())]
        question = template.question(code)
        if question is None:
            problems.append(FieldError(f"{pointer}/question", f"there is no question {code}"))
        elif code in sheet:
            problems.append(FieldError(f"{pointer}/question", f"question {code} is answered more than once"))
        else:
            problems += _check_options(question, chosen, f"{pointer}/options")
            sheet[code] = chosen
    if complete:
        problems += [
            FieldError("/answers", f"question {question.code} is not answered")
            for question in template.questions
            if question.code not in sheet
        ]
    return sheet, tuple(problems)


def _check_options(question: Question, chosen: Sequence[str], pointer: str) -> list[FieldError]:
    problems = []
    for place, option in enumerate(chosen):
        if question.option(option) is None:
            problems.append(FieldError(f"{pointer}/{place}", f"question {question.code} has no option {option}"))
        elif option in chosen[:place]:
            problems.append(FieldError(f"{pointer}/{place}", f"option {option} is chosen more than once"))
    if not chosen:
        problems.append(FieldError(pointer, f"question {question.code} needs an option"))
    elif len(chosen) > 1 and not question.multiple:
        problems.append(FieldError(pointer, f"question {question.code} takes one option, {len(chosen)} were chosen"))
    return problems


def sent_by_caller(body: Mapping[str, Any]) -> list[str]:
    """Pointers to scores and levels a caller sent: they are ignored, and reported back [Q5]."""
    found = [f"/{name}" for name in sorted(body) if name in MADE_BY_SERVER]
    answers = body.get("answers", ())
    for place, answer in enumerate(answers if isinstance(answers, list) else ()):
        if isinstance(answer, Mapping):
            found += [f"/answers/{place}/{name}" for name in sorted(answer) if name in MADE_BY_SERVER]
    return found
