"""Scripts (话术) with versions: what is said and asked, which answers must be given, which answers are findings [B9].

The version in force when a task is made is frozen on it; centre and branches speak from the same words.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

import asyncpg

from chassis.errors import FieldError, Invalid, Text
from chassis.personal import mask_text
from chassis.policy import Policies, PolicyInvalid, Version

FILE = Path(__file__).with_name("scripts.toml")
Kind = Literal["yes_no", "choice", "score", "text"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its code, words in both languages, what may be answered, and which answers mean what."""

    code: str
    zh: str
    en: str
    kind: Kind
    mandatory: bool = True
    choices: tuple[str, ...] = ()
    identity: bool = False
    finding_on: tuple[str, ...] = ()
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Script:
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


def parse(body: Mapping[str, Any]) -> Script:
    """A script from its body; question codes must be its own, choices must be there where one is to choose."""
    try:
        questions = tuple(
            Question(
                **{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}  # type: ignore[arg-type]
            )
            for given in body["questions"]
        )
        script = Script(body["code"], body["zh"], body["en"], questions, tuple(body.get("never_say", ())))
    except (KeyError, TypeError) as wrong:
        raise PolicyInvalid(f"script: {wrong}") from None
    codes = [question.code for question in questions]
    if len(set(codes)) != len(codes):
        raise PolicyInvalid(f"script {script.code}: two questions of one code")
    for question in questions:
        if question.kind not in ("yes_no", "choice", "score", "text"):
            raise PolicyInvalid(f"script {script.code}, {question.code}: kind {question.kind!r}")
        if (question.kind == "choice") != bool(question.choices):
            raise PolicyInvalid(f"script {script.code}, {question.code}: choices belong to questions of kind choice")
        if question.finding_on and not question.finding:
            raise PolicyInvalid(f"script {script.code}, {question.code}: an answer that is a finding names which")
    words = " ".join((script.zh, script.en, *(f"{q.zh} {q.en}" for q in questions))).lower()
    if said := [word for word in script.never_say if word.lower() in words]:
        raise PolicyInvalid(f"script {script.code} says what it must never say: {', '.join(said)}")
    return script


def _policies() -> dict[str, Policies[Script]]:
    names = tomllib.loads(FILE.read_text("utf-8"))
    return {name: Policies(name, FILE, parse) for name in names if name != "banned"}


SCRIPTS = _policies()
"""Every script's versions by code; the policies' own names are the codes."""
BANNED = tuple(tomllib.loads(FILE.read_text("utf-8"))["banned"]["phrases"])
"""The 18 banned phrases of the service rules (服务忌语) [a.44, A17]."""


_newest: dict[str, Any] = {}


async def refresh(sql: asyncpg.Connection) -> None:
    """Read published scripts when there are new ones: one question for all of them."""
    newest = await sql.fetchval(
        """SELECT (count(*), max(checked_at))::text FROM policy_versions
           WHERE name = ANY($1::text[]) AND state = 'published'""",
        list(SCRIPTS),
    )
    if newest != _newest.get("scripts"):
        for policies in SCRIPTS.values():
            await policies.refresh(sql)
        _newest["scripts"] = newest


def version_on(code: str, day: date) -> Version[Script]:
    """The version of a script in force on a day."""
    return SCRIPTS[code].on(day)


@cache
def _shipped(name: str) -> Script | None:
    return next((v.body for p in SCRIPTS.values() for v in p.shipped if v.name == name), None)


def frozen(name: str) -> Script:
    """The script a task carries, by its version's name."""
    if found := _shipped(name):
        return found
    versions = [v for v in SCRIPTS[name.split("/", maxsplit=1)[0]].published if v.name == name]
    return versions[0].body


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
