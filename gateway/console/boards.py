"""Boards: pages of lists, each a service's own, with what can be done about a row. What is not the visitor's is left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response

from chassis.actor import Role
from gateway.console.doing import Button, button
from gateway.console.frame import Desk, rows_of
from gateway.console.render import render
from gateway.console.tables import ON_BOARDS

Row = Mapping[str, Any]


class RowAct(NamedTuple):
    """What can be done about a row: the act, which of its members the address names, of which rows, and what else it names."""

    act: str
    names: Mapping[str, str]
    when: Callable[[Row], bool] = lambda _: True
    place: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Section:
    """A list: where it is read, what of it is shown, what can be done about each row, and what is begun there (with what
    its address names)."""

    title: str
    path: str
    columns: tuple[str, ...]
    acts: tuple[RowAct, ...] = ()
    begins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    begun_by: tuple[Role, ...] = ()
    link: str = ""


class Shown(NamedTuple):
    """A section as it is drawn."""

    section: Section
    rows: list[tuple[Row, list[Button]]]
    begun: list[Button]
    more: bool


async def board(
    request: Request, desk: Desk, title: str, sections: Sequence[Section], *, here: str, purpose: str = "review",
    beside: Sequence[tuple[str, str]] = (), **values: Any,
) -> Response:  # fmt: skip
    """The page of these lists; one that did not come says so."""
    parts = await desk.all(*(section.path for section in sections), purpose=purpose)
    shown, missing = [], False
    for section, part in zip(sections, parts, strict=True):
        missing = missing or part.status >= 500
        if not part.found:
            continue
        rows = [(row, [_button(act, row, here) for act in section.acts if act.when(row)]) for row in rows_of(part)]
        begun = [
            button(act, act, ON_BOARDS[act], place, here)
            for act, place in section.begins.items()
            if desk.visitor.role in section.begun_by
        ]
        more = isinstance(part.data, dict) and bool(part.data.get("next"))
        shown.append(Shown(section, rows, begun, more))
    return render(
        request, "board.html", board=title, shown=shown, missing=missing, links=links_of, beside=beside, **values
    )


def _button(one: RowAct, row: Row, here: str) -> Button:
    place = {name: str(row[member]) for name, member in one.names.items()} | dict(one.place)
    return button(one.act, one.act, ON_BOARDS[one.act], place, here)


def links_of(name: str, value: Any) -> str:
    """Where a value leads."""
    if name in ("case_id", "group_case_id") and value:
        return f"/complaints/{value}"
    if name == "client_id" and value:
        return f"/clients/{quote(str(value), safe='')}?purpose=review"
    return ""
