"""Reading other publishers' forms as draft templates: questions and options, whatever they say of scores."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.suitability.questionnaires.template import Bilingual, Option, Question, Template, plain, read_template


class _Answer(msgspec.Struct):
    key: str
    text: str
    score: int | None = None


class _Question(msgspec.Struct):
    number: int
    text: str
    answers: list[_Answer]


class _Section(msgspec.Struct):
    title: str
    questions: list[_Question]


class _Form(msgspec.Struct):
    title: str
    sections: list[_Section]
    note: str = ""
    doi: str = ""
    licence: str = ""


def read_form(form: Mapping[str, Any], code: str, scheme: str) -> Template:
    """A draft from a published form (sections, questions, lettered answers).

    The draft has what the form has: a form without scores and level rules makes a draft that publication refuses.

    Raises: msgspec.ValidationError when it is not such a form.
    """
    read = msgspec.convert(form, _Form)
    questions = [
        Question(
            code=str(question.number),
            text=Bilingual(en=question.text),
            options=[Option(code=a.key, text=Bilingual(en=a.text), score=a.score) for a in question.answers],
        )
        for section in read.sections
        for question in section.questions
    ]
    source = " ".join(part for part in (read.title, read.doi, read.licence) if part)
    made = Template(
        code=code, scheme=scheme, title=Bilingual(en=read.title), questions=questions, bands=[], source=source
    )
    return read_template(plain(made))  # the limits of a template hold for what others publish, too
