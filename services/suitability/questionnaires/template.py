"""A questionnaire template as data: what is stored, reviewed, published and pinned by every submission."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Line = Annotated[str, msgspec.Meta(max_length=2000, pattern="^[^\\x00]*$")]
Total = Annotated[int, msgspec.Meta(ge=-100_000, le=100_000)]
MOST_QUESTIONS = 100
MOST_OPTIONS = 12


class Bilingual(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same text in both languages; one may be empty only in a draft."""

    zh: Line = ""
    en: Line = ""


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A choice. `score` is missing only in a draft; `gate` forces the lowest level whatever the total [Q6]."""

    code: Code
    text: Bilingual
    score: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] | None = None
    gate: bool = False


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question. A multiple choice scores its highest chosen option [Q1] or, where the template says so, their sum."""

    code: Code
    text: Bilingual
    options: Annotated[list[Option], msgspec.Meta(max_length=MOST_OPTIONS)]
    multiple: bool = False
    scored_by: Literal["highest", "sum"] = "highest"

    def option(self, code: str) -> Option | None:
        """The option of that code, if there is one."""
        return next((option for option in self.options if option.code == code), None)


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Totals `lowest` to `highest`, both included, mean `level`."""

    level: Code
    lowest: Total
    highest: Total


class Contradiction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answers that do not go together, or not with the client's profile.

    It holds when for every question named one of the options listed was chosen and every profile condition is known
    and true. `refuse`: the client must correct the sheet; `review`: a person looks at it first.
    """

    code: Code
    severity: Literal["refuse", "review"]
    text: Bilingual
    answers: dict[Code, list[Code]]
    age_from: Total | None = None
    age_below: Total | None = None
    experience_from: Total | None = None
    experience_below: Total | None = None
    kind: Literal["individual", "institution"] | None = None


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A questionnaire: questions, options, scores, gates, bands and texts; immutable once published."""

    code: Code
    scheme: Line
    title: Bilingual
    questions: Annotated[list[Question], msgspec.Meta(max_length=MOST_QUESTIONS)]
    bands: list[Band]
    kinds: tuple[Literal["individual", "institution"], ...] = ("individual", "institution")
    declaration: Bilingual = Bilingual()
    contradictions: list[Contradiction] = []
    source: Line = ""

    def question(self, code: str) -> Question | None:
        """The question of that code, if there is one."""
        return next((question for question in self.questions if question.code == code), None)


def read_template(body: Any) -> Template:
    """The template in decoded JSON.

    Raises: msgspec.ValidationError naming the field that is wrong.
    """
    return msgspec.convert(body, Template)


def as_asked(body: Mapping[str, Any]) -> dict[str, Any]:
    """A stored template as those see it who answer it: without scores, gates, bands and contradictions."""
    questions = [
        question | {"options": [{"code": one["code"], "text": one["text"]} for one in question["options"]]}
        for question in body["questions"]
    ]
    kept = {name: value for name, value in body.items() if name not in ("bands", "contradictions")}
    return kept | {"questions": questions}


def plain(template: Template) -> dict[str, Any]:
    """The template as JSON-ready data, every field written out: what is stored and put into evidence."""
    return msgspec.to_builtins(template)  # type: ignore[no-any-return]
