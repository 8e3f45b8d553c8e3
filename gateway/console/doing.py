"""The one way pages change something: a form made from the operation's published body, sent as the person who fills it in.

A button is an act the object names as possible. It carries the act's name (`data-act`) and opens the act's form, or, when
there is nothing to fill in, does it. A form keeps what was typed, names each field that is wrong, never sends twice (its
idempotency key), and shows what changed when somebody else was faster.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response
from uuid_utils import uuid7

from chassis.errors import NotFound
from contracts.fields import Code
from gateway.console import tables
from gateway.console.forms import Form, body_of, form_of, typed_in
from gateway.console.frame import Anybody, AtDesk, Desk
from gateway.console.render import SAID, render
from gateway.console.rest import Operation, operations
from gateway.console.tables import Do
from gateway.console.words import said_in
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
KEY, MATCH = "_key", "_match"
CHANGED = 412
PRESENT_SHOWN = 12


class Button(NamedTuple):
    """One act on a page: what it is called, where its form is, and whether there is anything to fill in."""

    act: str
    title: str
    url: str
    key: str
    fills: bool
    second_person: bool = False


class NotNow(NamedTuple):
    """An act that is not possible now, and why."""

    title: str
    why: str


def buttons(
    desk: Desk,
    acts: Iterable[Mapping[str, Any]],
    table: Mapping[str, Do],
    place: Mapping[str, str],
    back: str,
    match: str = "",
) -> tuple[list[Button], list[NotNow]]:
    """The buttons of an object: its `acts` as the service tells them, and the others with why not."""
    can, cannot = [], []
    for act in acts:
        title = act["title"][desk.language]
        do = table.get(act["act"])
        if not act["can"]:
            cannot.append(NotNow(title, (act["why_not"] or {}).get(desk.language, "")))
        elif do is not None:
            can.append(button(act["act"], title, do, place, back, match, second_person=act["second_person"]))
    return can, cannot


def button(
    act: str,
    title: str,
    do: Do,
    place: Mapping[str, str],
    back: str,
    match: str = "",
    *,
    second_person: bool = False,
) -> Button:
    """One button; `place` is what the operation's address names."""
    form = form_for(operations()[do.operation], do, {})
    fills = do.asks or any(not one.later for one in form.fields)
    query = dict(place) | {"act": act, "back": back} | ({"match": match} if match else {})
    return Button(act, title, f"/do/{do.operation}?{urlencode(query)}", str(uuid7()), fills, second_person)


def form_for(operation: Operation, do: Do, typed: Mapping[str, str]) -> Form:
    """The form of an act, with what is filled in already."""
    schema = operation.schema
    if schema is not None and do.within:
        schema = schema["properties"][do.within]["items"]
    names = (schema or {}).get("properties", {}) if do.only else ()
    without = [name for name in names if name not in do.only]
    return form_of(schema, do.fixed, typed, without=without)


def _body(asked: "_Asked", form: Form, typed: Mapping[str, str]) -> dict[str, Any]:
    do = asked.do
    body = body_of(form, do.fixed, typed)
    return {do.within: [body]} if do.within else body


class _Asked(NamedTuple):
    operation: Operation
    do: Do
    act: str
    path: str
    query: str
    back: str
    match: str


def _asked(desk: Desk, name: str) -> _Asked:
    """What a form is for: only what a page offers, with everything its address needs.

    Raises: NotFound.
    """
    given = dict(desk.request.query_params)
    act = given.get("act", "")
    do = tables.offered(name, act)
    operation = operations().get(name) if do else None
    if do is None or operation is None or any(not given.get(one) for one in operation.path_names):
        raise NotFound
    query = {one: given[one] for one in operation.query_names if given.get(one)}
    back = given.get("back", "/")
    inside = back if back.startswith("/") and not back.startswith("//") and "\\" not in back else "/"
    return _Asked(operation, do, act, operation.address(given), urlencode(query), inside, given.get("match", ""))


@routes.get("/do/{operation}")
async def show_form(request: Request, _: Anybody, desk: AtDesk, operation: Code) -> Response:
    """The form of an act."""
    asked = _asked(desk, operation)
    prefilled = {
        name.removeprefix("f."): value for name, value in request.query_params.items() if name.startswith("f.")
    }
    form = form_for(asked.operation, asked.do, prefilled)
    title = title_of(asked, await _object(desk, asked), desk.language)
    return _shown(request, asked, form, title, key=str(uuid7()), match=asked.match)


@routes.post("/do/{operation}")
async def do_it(request: Request, _: Anybody, desk: AtDesk, operation: Code) -> Response:
    """Send what was filled in; on to the page it came from, or the form again with what is wrong."""
    asked = _asked(desk, operation)
    typed = typed_in(await request.form())
    key, match = typed.pop(KEY, ""), typed.pop(MATCH, asked.match)
    form = form_for(asked.operation, asked.do, typed)
    body = _body(asked, form, typed) if asked.operation.schema is not None else None
    done = await desk.send(
        asked.operation.method, asked.path, body, query=asked.query,
        key=key if "idempotency-key" in asked.operation.needs else "",
        match=match if "if-match" in asked.operation.needs else "",
    )  # fmt: skip
    if done.done:
        return gone_on(asked.back, done)
    form.mark(errors_of(done), below=f"{asked.do.within}/0" if asked.do.within else "")
    found = await _object(desk, asked)
    present = found if done.status == CHANGED and found is not None and found.etag else None
    if present is not None:
        match = present.etag
    page = _shown(
        request, asked, form, title_of(asked, found, desk.language), key=key or str(uuid7()), match=match, problem=done.problem or {},
        present=shown_values(present.data) if present is not None else (),
    )  # fmt: skip
    page.status_code = done.status if done.status < 500 else 502
    return page


def gone_on(back: str, done: Part) -> Response:
    """On to a page, which says what became of it."""
    answer = Response(headers={"hx-redirect": back, "cache-control": "no-store"})
    answer.set_cookie(SAID, "asked" if done.status == 202 else "done", 30, httponly=True, samesite="lax")
    return answer


def errors_of(part: Part) -> Sequence[Mapping[str, str]]:
    """The fields a service found wrong."""
    found = (part.problem or {}).get("errors", [])
    return found if isinstance(found, list) else []


async def _object(desk: Desk, asked: _Asked) -> Part | None:
    """The object as it is now."""
    if not asked.do.object:
        return None
    found = await desk.get(asked.do.object.format(**desk.request.query_params))
    return found if found.found else None


def title_of(asked: _Asked, found: Part | None, language: str) -> str:
    """The act as its object calls it, else by the console's own word for it."""
    acts = found.data.get("acts", []) if found is not None else []
    return next((act["title"][language] for act in acts if act["act"] == asked.act), said_in(language, asked.act))


def shown_values(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What of an object tells in short how it stands."""
    plain = [(name, str(value)) for name, value in data.items() if isinstance(value, str | int | bool) and value != ""]
    return plain[:PRESENT_SHOWN]


def _shown(
    request: Request, asked: _Asked, form: Form, title: str, *, key: str, match: str,
    problem: Mapping[str, Any] | None = None, present: Sequence[tuple[str, str]] = (),
) -> Response:  # fmt: skip
    return render(
        request, "form.html", form=form, title=title, act=asked.act, operation=asked.operation, do=asked.do, key=key, match=match,
        problem=problem or {}, present=present, action=f"{request.url.path}?{request.url.query}",
    )  # fmt: skip
