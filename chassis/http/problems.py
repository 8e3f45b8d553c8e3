"""Problem details (RFC 9457) for every error: a stable type, texts in two languages, a pointer to each bad field."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from chassis.errors import FieldError, Invalid, NotFound, Refusal, Text, TooLarge, Unavailable
from chassis.http.language import preferred
from chassis.http.validation_messages import in_chinese
from chassis.outages import is_outage

MEDIA_TYPE = "application/problem+json"
SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "Problem details, RFC 9457. Texts are in the language of Accept-Language: zh-CN or en.",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {
            "type": "string",
            "description": "stable; `/problems/<name>` is also a page",
            "format": "uri-reference",
            "examples": ["/problems/not-found"],
        },
        "title": {"type": "string", "description": "what is wrong, in short", "examples": ["Not found"]},
        "status": {"type": "integer", "description": "the status of the answer", "examples": [404]},
        "detail": {"type": "string", "description": "what is wrong here", "examples": ["no entry 7 of this client"]},
        "request_id": {"type": "string", "description": "finds the request in the logs", "examples": ["01890a5d"]},
        "errors": {
            "type": "array",
            "description": "each field that is wrong",
            "examples": [[{"in": "body", "pointer": "/amount", "detail": "should be 0 or more"}]],
            "items": {
                "type": "object",
                "required": ["in", "pointer", "detail"],
                "properties": {
                    "in": {
                        "type": "string",
                        "enum": ["body", "query", "path", "header", "cookie"],
                        "description": "the part of the request",
                        "examples": ["body"],
                    },
                    "pointer": {
                        "type": "string",
                        "description": "JSON pointer of the field",
                        "format": "json-pointer",
                        "examples": ["/amount"],
                    },
                    "detail": {
                        "type": "string",
                        "description": "what is wrong with it",
                        "examples": ["Field required"],
                    },
                },
            },
        },
    },
}


class MethodNotAllowed(Refusal):
    """This address does not take this method; `Allow` names those it takes."""

    status = 405
    title = Text("Method not allowed", "不支持该方法")


class Malformed(Refusal):
    """The request cannot be read: its body is not valid JSON, or its encoding is broken."""

    status = 400
    title = Text("The request cannot be read", "无法读取请求")


class UnsupportedMediaType(Refusal):
    """The body's content type is none this address reads."""

    status = 415
    title = Text("Content type not supported", "不支持的内容类型")


class Unexpected(Refusal):
    """Something went wrong on our side. The request id finds it in the logs; nothing of the request was kept."""

    status = 500
    title = Text("Something went wrong here", "服务内部错误")


UNSTORABLE = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    asyncpg.NumericValueOutOfRangeError,
    asyncpg.DatetimeFieldOverflowError,
)
_BY_STATUS: dict[int, type[Refusal]] = {
    kind.status: kind for kind in (NotFound, MethodNotAllowed, TooLarge, UnsupportedMediaType, Malformed)
}
_ROUTER_WORDS = {"Not Found", "Method Not Allowed", "Content Too Large", "Request Entity Too Large"}


def answer(scope: Scope, refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """The refusal as a response in the caller's language."""
    language = preferred(Headers(scope=scope).get("accept-language", ""))
    body: dict[str, Any] = {
        "type": f"/problems/{refusal.name()}",
        "title": refusal.title.in_language(language),
        "status": refusal.status,
    }
    if detail := refusal.detail.in_language(language):
        body["detail"] = detail
    if request_id := scope.get("request_id"):
        body["request_id"] = request_id
    if refusal.errors:
        body["errors"] = [_field(error, language) for error in refusal.errors]
    content = msgspec.json.encode(body | refusal.members, enc_hook=str)
    extra = {"content-language": language, "vary": "Accept-Language", "cache-control": "no-store"}
    if "retry_after" in refusal.members:
        extra["retry-after"] = str(refusal.members["retry_after"])
    return Response(content, refusal.status, extra | dict(headers or {}), MEDIA_TYPE)


def _field(error: FieldError, language: str) -> dict[str, str]:
    place, pointer = "body", error.pointer
    if not pointer.startswith("/"):  # a name may hold what stands between place and pointer
        place, _, pointer = pointer.partition("#")
    detail = in_chinese(error.detail) if language.startswith("zh") else error.detail
    return {"in": place or "body", "pointer": pointer, "detail": detail}


def of_http(error: HTTPException) -> Refusal:
    """The framework's own errors (no such address, wrong method, body too large, ...) in our form."""
    kind = _BY_STATUS.get(error.status_code, Refusal)
    detail = "" if error.detail in _ROUTER_WORDS else str(error.detail)
    refusal = kind(detail)
    if kind is Refusal:
        refusal.status = error.status_code  # type: ignore[misc]  # an odd status keeps the general name
    return refusal


def of_fields(errors: Sequence[Mapping[str, Any]]) -> Refusal:
    """What validation found, as pointers to fields; a body that is no JSON at all is a matter of its own."""
    for error in errors:
        if error["type"] == "json_invalid":
            where = error["loc"][-1]
            reason = str(error.get("ctx", {}).get("error", ""))
            return Malformed(
                Text(f"not valid JSON at position {where}: {reason}", f"第 {where} 个字符处不是有效的 JSON：{reason}")
            )
    return Invalid(errors=tuple(FieldError(_pointer(error["loc"]), str(error["msg"])) for error in errors))


def _pointer(location: Sequence[str | int]) -> str:
    place, *path = location
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in path]
    return f"{place}#" + "".join(f"/{step}" for step in steps)


def of_unexpected(error: BaseException) -> Refusal:
    """An outage of the database is "try again"; everything else is a fault of ours, without its internals."""
    if is_outage(error) or isinstance(error, PoolTimeout):
        return Unavailable(retry_after=1)
    cause: BaseException | None = error
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None else None
        if error.connection_invalidated or (cause is not None and is_outage(cause)):
            return Unavailable(retry_after=1)
    if isinstance(cause, UNSTORABLE) or type(cause) is asyncpg.DataError:
        # The driver's own words about an argument it cannot send: a number too large, a NUL in a text.
        return Invalid(Text("a value cannot be stored", "有无法存储的取值"))
    return Unexpected()


async def answer_refusal(request: Request, error: Exception) -> Response:
    """FastAPI's handler of our own tree."""
    assert isinstance(error, Refusal)
    return answer(request.scope, error)


async def answer_http(request: Request, error: Exception) -> Response:
    """FastAPI's handler of the framework's errors."""
    assert isinstance(error, HTTPException)
    return answer(request.scope, of_http(error), error.headers)


async def answer_fields(request: Request, error: Exception) -> Response:
    """FastAPI's handler of fields that are missing or wrong."""
    assert isinstance(error, RequestValidationError)
    return answer(request.scope, of_fields(error.errors()))
