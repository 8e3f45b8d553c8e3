"""Scripts (话术) with versions: what is said and asked, which answers must be given, which answers are findings [B9].

The version in force when a task is made is frozen on it; centre and branches speak from the same words.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from chassis.errors import FieldError, Invalid, Text
from chassis.personal import mask_text
from chassis.policy import PolicyBody, PolicyInvalid, typed

FILE = Path(__file__).with_name("scripts.toml")
Kind = Literal["yes_no", "choice", "score", "text"]


class Question(PolicyBody, frozen=True):
    """One question: its code, words in both languages, what may be answered, and which answers mean what."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    zh: str
    en: str
    kind: Kind
    mandatory: bool = True
    choices: tuple[str, ...] = ()
    identity: bool = False
    finding_on: tuple[str, ...] = ()
    finding: str = ""


class Script(PolicyBody, frozen=True):
    """What an agent says: opening words, questions in order, closing words. `tips_off` words must not be said [B6]."""

    code: str
    zh: str
    en: str
    questions: tuple[Question, ...]
    never_say: tuple[str, ...] = ()

    def question(self, code: str) -> Question | None:
        """A question by its code."""
        return next((question for question in self.questions if question.code == code), None)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase no member of staff may use [A17]."""

    zh: str


def parse(body: dict[str, Any]) -> Script:
    """A script from its body; question codes must be its own, choices must be there where one is to choose."""
    script = typed(Script, body)
    questions = script.questions
    codes = [question.code for question in questions]
    if len(set(codes)) != len(codes):
        raise PolicyInvalid(
            f"script {script.code}: two questions of one code",
            errors=(FieldError("/body/questions", "do not hold together"),),
        )
    for question in questions:
        if (question.kind == "choice") != bool(question.choices):
            raise PolicyInvalid(
                f"script {script.code}, {question.code}: choices belong to questions of kind choice",
                errors=(FieldError("/body/questions", "do not hold together"),),
            )
        if question.finding_on and not question.finding:
            raise PolicyInvalid(
                f"script {script.code}, {question.code}: an answer that is a finding names which",
                errors=(FieldError("/body/questions", "do not hold together"),),
            )
    words = " ".join((script.zh, script.en, *(f"{q.zh} {q.en}" for q in questions))).lower()
    if said := [word for word in script.never_say if word.lower() in words]:
        raise PolicyInvalid(
            f"script {script.code} says what it must never say: {', '.join(said)}",
            errors=(FieldError("/body/questions", "do not hold together"),),
        )
    return script


SCRIPTS = frozenset(name for name in tomllib.loads(FILE.read_text("utf-8")) if name != "banned")
"""The codes of the scripts there are."""
BANNED = tuple(tomllib.loads(FILE.read_text("utf-8"))["banned"]["phrases"])
"""The 18 banned phrases of the service rules (服务忌语) [a.44, A17]."""


class AnswersMissing(Invalid):
    """A completed call answers every mandatory question of its script; `errors` points at those that are wrong."""

    title = Text("Mandatory answers are missing or wrong", "必答项缺失或有误")


def check_answers(script: Script, answers: Mapping[str, str], *, complete: bool) -> None:
    """Refuse answers the script does not know, and, for a completed call, mandatory ones not given [B3].

    Raises: AnswersMissing with a pointer to each.
    """
    errors = [
        FieldError(f"body#/answers/{code}", "the script has no such question")
        for code in answers
        if script.question(code) is None
    ]
    for question in script.questions:
        answer = answers.get(question.code)
        if answer is None:
            if complete and question.mandatory:
                errors.append(FieldError(f"body#/answers/{question.code}", "this question must be answered"))
        elif problem := _wrong(question, answer):
            errors.append(FieldError(f"body#/answers/{question.code}", problem))
        elif complete and question.identity and answer != "yes":
            errors.append(
                FieldError(f"body#/answers/{question.code}", "identity was not verified: not a completed call")
            )
    if errors:
        raise AnswersMissing(errors=tuple(errors))


def _wrong(question: Question, answer: str) -> str:
    match question.kind:
        case "yes_no":
            return "" if answer in ("yes", "no") else "answer yes or no"
        case "choice":
            return "" if answer in question.choices else f"choose one of {', '.join(question.choices)}"
        case "score":
            return "" if answer in ("1", "2", "3", "4", "5") else "a score is 1 to 5"
        case _:
            return "" if 0 < len(answer) <= 2000 else "a text of 1 to 2,000 characters"


def findings_in(script: Script, answers: Mapping[str, str]) -> list[Question]:
    """The questions whose answers show possible misconduct [B5]."""
    return [q for q in script.questions if q.finding_on and answers.get(q.code) in q.finding_on]


def scores_in(script: Script, answers: Mapping[str, str]) -> dict[str, int]:
    """Answers given as scores, by question."""
    return {q.code: int(answers[q.code]) for q in script.questions if q.kind == "score" and q.code in answers}


def masked(script: Script, answers: Mapping[str, str]) -> dict[str, str]:
    """Answers as they are kept: names, numbers and addresses are cut out of what was said in the client's own words."""
    own = {question.code for question in script.questions if question.kind == "text"}
    return {code: mask_text(said) if code in own else said for code, said in answers.items()}


def banned_in(text: str, script: Script | None = None, phrases: Sequence[str] = BANNED) -> list[str]:
    """Banned phrases in what was said or written down, and words the script must never say."""
    said = text.lower()
    return [phrase for phrase in (*phrases, *(script.never_say if script else ())) if phrase.lower() in said]
