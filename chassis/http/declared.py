"""What the guards and parameters of routes say of themselves, for the published document.

A guard is declared where it is written: `@declares(PreconditionRequired, PreconditionFailed, requires="if-match")`.
A route that sets a header of its answer takes `response: Tagged` (ETag) or `response: Located` (Location, ETag).
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_type_hints

from starlette.responses import Response

from chassis.errors import Refusal

Guard = TypeVar("Guard", bound=Callable[..., Any])


class Declared(NamedTuple):
    """What a guard refuses with, and the header it does not do without."""

    refusals: tuple[type[Refusal], ...]
    requires: str | None


class Sets(NamedTuple):
    """The headers a route sets on its answer."""

    names: tuple[str, ...]


Tagged = Annotated[Response, Sets(("ETag",))]
"""The answer of a route that gives its object's ETag."""
Located = Annotated[Response, Sets(("Location", "ETag"))]
"""The answer of a route that makes something and says where it is."""


def declares(*refusals: type[Refusal], requires: str | None = None) -> Callable[[Guard], Guard]:
    """Declare what a dependency of routes refuses with."""

    def decorate(guard: Guard) -> Guard:
        guard.declared = Declared(refusals, requires)  # type: ignore[attr-defined]
        return guard

    return decorate


def declared_by(dependant: Any) -> Iterator[Declared]:
    """What the dependencies of a route declare."""
    for below in dependant.dependencies:
        found: Declared | None = getattr(below.call, "declared", None)
        if found:
            yield found
        yield from declared_by(below)


def headers_set_by(endpoint: Callable[..., Any]) -> list[str]:
    """The headers a route says it sets."""
    hints = get_type_hints(endpoint, include_extras=True).values()
    return [name for hint in hints for part in get_args(hint)[1:] if isinstance(part, Sets) for name in part.names]
