"""Expected refusals: one small tree, each with its HTTP status, a stable name and a text in two languages.

The class docstring is what a caller reads in the API pages; unexpected errors are not caught here or anywhere.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Text:
    """The same sentence in the two languages people here speak."""

    en: str
    zh: str

    def in_language(self, language: str) -> str:
        """The sentence for `zh-CN` or, for anything else, English."""
        return self.zh if language.startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: a JSON pointer and why."""

    pointer: str
    detail: str


class Refusal(Exception):
    """The request cannot be done as asked."""

    status: ClassVar[int] = 400
    title: ClassVar[Text] = Text("The request was refused", "请求被拒绝")

    def __init__(self, detail: Text | str = "", *, errors: tuple[FieldError, ...] = (), **members: object) -> None:
        self.detail = detail if isinstance(detail, Text) else Text(detail, detail)
        self.errors = errors
        self.members = members
        super().__init__(self.detail.en or self.title.en)

    @classmethod
    def name(cls) -> str:
        """The stable last part of the problem's type: `insufficient-points` for `InsufficientPoints`."""
        return "".join("-" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("-")


class Invalid(Refusal):
    """Some fields are missing or wrong; `errors` points at each."""

    status = 422
    title = Text("Some fields are wrong", "部分字段有误")


class Unauthenticated(Refusal):
    """No valid token, key or session came with the request."""

    status = 401
    title = Text("Sign in first", "请先登录")


class Forbidden(Refusal):
    """The caller's role does not allow this."""

    status = 403
    title = Text("Not allowed for your role", "当前角色无权进行此操作")


class NotFound(Refusal):
    """There is no such thing, or the caller may not see it."""

    status = 404
    title = Text("Not found", "未找到")


class Conflict(Refusal):
    """The thing's present state does not allow this."""

    status = 409
    title = Text("Conflicts with the present state", "与当前状态冲突")


class SecondPersonNeeded(Forbidden):
    """This takes two persons: somebody other than who asked for it has to decide."""

    title = Text("A second person has to decide", "须由另一人复核")


class AlreadyDecided(Conflict):
    """It was decided before, withdrawn or ran out; `state` says which."""

    title = Text("Already decided", "已处理")


class PreconditionFailed(Refusal):
    """Somebody changed it meanwhile: read it again and use the new ETag."""

    status = 412
    title = Text("Changed meanwhile", "数据已被他人修改")


class PreconditionRequired(Refusal):
    """Changing this needs `If-Match` with the ETag you read."""

    status = 428
    title = Text("If-Match is required", "缺少 If-Match")


class IdempotencyKeyRequired(Refusal):
    """This moves points or opens work: send an `Idempotency-Key` (a UUID, say), and the same one when retrying."""

    status = 400
    title = Text("Idempotency-Key is required", "缺少 Idempotency-Key")


class TooLarge(Refusal):
    """The body is larger than this route takes."""

    status = 413
    title = Text("Body too large", "请求体过大")


class TooManyRequests(Refusal):
    """The caller sends faster than agreed; `Retry-After` says when to go on."""

    status = 429
    title = Text("Too many requests", "请求过于频繁")


class Unavailable(Refusal):
    """Something this needs is down at the moment; nothing was done."""

    status = 503
    title = Text("Not available at the moment", "暂时不可用")


class UpstreamTimeout(Refusal):
    """A service did not answer in time; it is not known whether the request was done: retry with the same key."""

    status = 504
    title = Text("A service did not answer in time", "服务未及时响应")
