"""Persons named in a body: a staff id or a sign-in name comes in, the staff id reaches the route.

A field of the type `PersonId`, however deep in the body, is all a route declares: guards compare persons, so nobody
is kept under a name they sign in with.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import BaseModel

from chassis.errors import FieldError, Invalid
from chassis.staff import roster
from chassis.uow import UnitOfWork
from contracts.fields import Identifier

_PERSON = object()
PersonId = Annotated[Identifier, _PERSON]
"""Somebody of the staff, by staff id or sign-in name; a route sees the staff id."""
UNKNOWN = "nobody of this staff id or sign-in name is known"


def with_persons(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint, given staff ids in every `PersonId` of its bodies; itself when it takes none.

    The endpoint raises Invalid then, with a pointer to each name nobody has. A service that has heard of no staff at all
    takes names as they are: there are no ids to know people by.
    """
    if not any(map(_names_persons, get_type_hints(endpoint, include_extras=True).values())):
        return endpoint

    @wraps(endpoint)
    async def resolved(**arguments: Any) -> Any:
        [uow] = [one for one in arguments.values() if isinstance(one, UnitOfWork)]
        known, errors = await roster(uow.sql), list[FieldError]()

        def find(name: str, pointer: str) -> str:
            found = known.person_of(name, uow.now) if known.people else name.removeprefix("user:")
            if found is None:
                errors.append(FieldError(pointer, UNKNOWN))
            return found or name

        for name, body in arguments.items():
            if isinstance(body, BaseModel):
                arguments[name] = _mapped(body, "", find)
        if errors:
            raise Invalid(errors=tuple(errors))
        return await endpoint(**arguments)

    return resolved


def _mapped(value: Any, pointer: str, find: Callable[[str, str], str]) -> Any:
    """What a field that names persons holds, with `find` of each name."""
    if isinstance(value, str):
        return find(value, pointer)
    if isinstance(value, list):
        return [_mapped(one, f"{pointer}/{n}", find) for n, one in enumerate(value)]
    if isinstance(value, BaseModel):
        named = _persons_of(type(value))
        return value.model_copy(
            update={name: _mapped(getattr(value, name), f"{pointer}/{name}", find) for name in named}
        )
    return value


@cache
def _persons_of(kind: type[BaseModel]) -> list[str]:
    """The fields of a body in which persons are named."""
    hints = get_type_hints(kind, include_extras=True)
    return [name for name in kind.model_fields if _names_persons(hints[name])]


def _names_persons(hint: Any, within: frozenset[Any] = frozenset()) -> bool:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        hints = {} if hint in within else get_type_hints(hint, include_extras=True)
        return any(_names_persons(one, within | {hint}) for one in hints.values())
    inner = (*get_args(hint), *getattr(hint, "__metadata__", ()))
    return hint is _PERSON or any(_names_persons(one, within) for one in inner)
