"""Templates in the visitor's language."""

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from chassis.clock import SHANGHAI
from chassis.http.language import CHINESE, ENGLISH, preferred
from chassis.version import version
from gateway.console.areas import AREAS
from gateway.console.words import label_in, said_in

FOLDER = Path(__file__).parent
SAID = "careline_done"
_templates = Environment(
    loader=FileSystemLoader([FOLDER / "templates", FOLDER]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["is_day"] = lambda text: re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
_templates.filters["is_instant"] = lambda text: re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", text) is not None


def language_of(request: Request) -> str:
    """The language chosen on a page, else the browser's."""
    chosen = request.cookies.get("careline_language", "")
    return chosen if chosen in (CHINESE, ENGLISH) else preferred(request.headers.get("accept-language", ""))


def render(request: Request, template: str, **values: Any) -> HTMLResponse:
    """A page or a part of one."""
    language = language_of(request)
    locale = "zh_CN" if language == CHINESE else "en"
    session = request.scope.get("session")
    csrf = request.app.state.gateway_tokens.csrf(session) if session else ""
    filters: dict[str, Callable[..., str]] = {
        "day": partial(_day, locale=locale),
        "moment": partial(_moment, locale=locale),
        "number": partial(_number, locale=locale),
        "points": partial(_points, locale=locale),
        "money": partial(_money, locale=locale),
        "span": partial(_span, language=language),
    }
    visitor = request.scope.get("actor")
    whole_page = "hx-request" not in request.headers
    done = request.cookies.get(SAID, "") if whole_page else ""
    content = _templates.get_template(template).render(
        _=partial(said_in, language),
        label=partial(label_in, language),
        plain=plain,
        language=language,
        csrf=csrf,
        visitor=visitor,
        areas=[area for area in AREAS if visitor is not None and visitor.role in area.roles],
        done=done,
        path=request.url.path,
        version=version(),
        demo=getattr(request.app.state, "demo", False),
        either=lambda text: (text or {}).get(language) or (text or {}).get(ENGLISH, ""),
        **filters,
        **values,
    )
    page = HTMLResponse(content, headers={"cache-control": "no-store", "content-language": language})
    if done:
        page.delete_cookie(SAID)
    return page


def plain(value: Any) -> str:
    """A value of any kind as a line of text."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _day(value: str | date | None, locale: str) -> str:
    if not value:
        return ""
    return format_date(date.fromisoformat(value) if isinstance(value, str) else value, "medium", locale=locale)


def _moment(value: str | datetime | None, locale: str) -> str:
    if not value:
        return ""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return format_datetime(instant, "medium", tzinfo=SHANGHAI, locale=locale)


def _number(value: str | int | float | Decimal | None, locale: str) -> str:
    if value is None or value == "":
        return ""
    return format_decimal(Decimal(str(value)), locale=locale, decimal_quantization=False)


def _points(value: str, locale: str) -> str:
    return format_decimal(Decimal(value), format="#,##0.00", locale=locale)


def _money(value: str | Decimal, locale: str) -> str:
    return format_currency(Decimal(value), "CNY", locale=locale)


def _span(seconds: float, language: str) -> str:
    """A stretch of time in its two largest units."""
    left, said = int(seconds), list[str]()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size or (unit == "s" and not said):
            said.append(f"{left // size} {said_in(language, unit)}")
            left %= size
    return " ".join(said[:2])
