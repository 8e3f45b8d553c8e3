"""Signing in and out: by one-time link, password, or OpenID Connect. The session is a signed cookie."""

from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from chassis.actor import OF_A_BRANCH, Actor
from chassis.errors import NotFound, Refusal, Text
from contracts.fields import Code, text_of
from gateway.access import begin_session, end_session, new_id
from gateway.auth_middleware import COOKIE, CrossSite
from gateway.console.render import render
from gateway.limits import Attempts
from gateway.oidc import PREFIX, NotAccepted, OpenId
from gateway.people import check_password, use_link

routes = APIRouter(include_in_schema=False)
BEGUN = "careline_openid"
BEGUN_SECONDS = 600


@routes.get("/sign-in")
async def ask(request: Request, next: Annotated[str, text_of(500)] = "/") -> Response:
    """The form."""
    return render(request, "sign_in.html", next=_inside(next), open_id=request.app.state.open_id is not None)


@routes.post("/sign-in")
async def by_password(
    request: Request,
    name: Annotated[str, text_of(100), Form()],
    password: Annotated[str, text_of(200), Form()],
    next: Annotated[str, text_of(500), Form()] = "/",
) -> Response:
    """Name and password of the built-in user store; few tries a minute for each name and address."""
    _require_same_site(request)
    _slowly(request, name)
    try:
        return await _signed_in(request, await check_password(request.app.state.database, name, password), next)
    except Refusal as wrong:
        page = render(
            request, "sign_in.html", next=_inside(next), wrong=wrong, open_id=request.app.state.open_id is not None
        )
        page.status_code = wrong.status
        return page


@routes.get("/sign-in/link")
async def by_link(request: Request, token: Annotated[str, text_of(200)]) -> Response:
    """The one-time link that `careline up` prints."""
    _slowly(request)
    try:
        return await _signed_in(request, await use_link(request.app.state.database, token), "/")
    except Refusal as wrong:
        page = render(request, "sign_in.html", next="/", wrong=wrong, open_id=request.app.state.open_id is not None)
        page.status_code = wrong.status
        return page


@routes.get("/sign-in/openid")
async def by_open_id(request: Request) -> Response:
    """On to the provider."""
    url, kept = await _open_id(request).start()
    answer = RedirectResponse(url, 303)
    value = msgspec.json.encode(kept).hex()
    answer.set_cookie(
        BEGUN, value, BEGUN_SECONDS, path="/sign-in", httponly=True, samesite="lax", secure=_secure(request)
    )
    return answer


@routes.get("/sign-in/openid/back")
async def back_from_open_id(
    request: Request,
    state: Annotated[str, text_of(500)] = "",
    code: Annotated[str, text_of(4000)] = "",
) -> Response:
    """Back from the provider, with a code."""
    try:
        kept = msgspec.json.decode(bytes.fromhex(request.cookies.get(BEGUN, "")), type=dict[str, str])
    except (ValueError, msgspec.MsgspecError):
        raise NotAccepted from None
    _slowly(request)
    answer = await _signed_in(request, await _open_id(request).finish(kept, state, code), "/")
    answer.delete_cookie(BEGUN, path="/sign-in")
    return answer


@routes.post("/sign-out")
async def leave(request: Request) -> Response:
    """End the session: its cookie is worth nothing from now on, wherever it was copied to. Who came through a provider signs
    out there too."""
    state, session = request.app.state, request.scope.get("session_id")
    following = None
    if session is not None:
        with suppress(NotFound):  # somebody ended it in this moment
            async with state.database.unit_of_work(request.scope["actor"]) as uow:
                await end_session(uow, session, "signed out")
        state.access.forget()
        if request.scope["actor"].subject.startswith(PREFIX) and state.open_id is not None:
            following = await state.open_id.sign_out_url()
    answer = Response(headers={"hx-redirect": following or "/sign-in"})
    answer.delete_cookie(COOKIE)
    return answer


@routes.post("/language/{language}")
async def speak(language: Code) -> Response:
    """Remember the language of the pages."""
    answer = Response(headers={"hx-refresh": "true"})
    answer.set_cookie("careline_language", "zh-CN" if language == "zh-CN" else "en", 365 * 86400, samesite="lax")
    return answer


async def _signed_in(request: Request, actor: Actor, following: str) -> Response:
    """On to the console with a session of its own.

    Raises: Left, Unavailable.
    """
    state = request.app.state
    known = await state.access.known()
    actor = known.resolve(actor)
    require_place(actor)
    seconds, tokens = state.own_settings.session_hours * 3600, state.gateway_tokens.session
    session = tokens.make(actor, seconds, id=new_id())
    await begin_session(state.database, tokens.check(session), actor, request.url.path)
    answer = RedirectResponse(_inside(following), 303)
    answer.set_cookie(COOKIE, session, int(seconds), httponly=True, samesite="lax", secure=_secure(request))
    return answer


def require_place(actor: Actor) -> None:
    """Refuse somebody of a branch whose branch neither their sign-in nor the roster names.

    Raises: NotAccepted.
    """
    if actor.role in OF_A_BRANCH and not actor.branch_id:
        raise NotAccepted(
            Text("neither your sign-in nor the roster names your branch", "登录信息与员工名册均未指明所属营业部")
        )


def _secure(request: Request) -> bool:
    return bool(request.app.state.own_settings.secure_cookies)


def _inside(path: str) -> str:
    """A path of ours to go on to, never another host's."""
    return path if path.startswith("/") and not path.startswith("//") and "\\" not in path else "/"


def _slowly(request: Request, name: str = "") -> None:
    attempts: Attempts = request.app.state.attempts
    attempts.take(request.client.host if request.client else "", name)


def _require_same_site(request: Request) -> None:
    """A sign-in form sent from another site's page would sign people in as somebody else."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise CrossSite


def _open_id(request: Request) -> OpenId:
    found: OpenId | None = request.app.state.open_id
    if found is None:
        raise NotFound
    return found
