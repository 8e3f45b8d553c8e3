"""Which of the two languages a caller wants."""

from typing import Annotated

from fastapi import Header

from contracts.fields import text_of

Language = Annotated[
    str, text_of(1000, 0, "the language of the texts: zh-CN or en", "zh-CN"), Header(alias="accept-language")
]
"""A route's parameter: what the caller says in Accept-Language."""

CHINESE, ENGLISH = "zh-CN", "en"


def preferred(accept: str) -> str:
    """`zh-CN` or `en`: the better wanted of an Accept-Language header; English when it names neither."""
    wanted = {CHINESE: 0.0, ENGLISH: 0.0}
    for part in accept.split(","):
        tag, _, rest = part.strip().partition(";")
        language = CHINESE if tag.lower().startswith("zh") else ENGLISH if tag.lower().startswith("en") else None
        if language:
            wanted[language] = max(wanted[language], _weight(rest))
    return CHINESE if wanted[CHINESE] > wanted[ENGLISH] else ENGLISH


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
