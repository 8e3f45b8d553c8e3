"""The policy book: every number and table the business changes, in versions, each with the day it takes effect.

A service declares its tables in one class (`Service(policy=...)`). The versions it ships stand in a TOML file; later
ones, and a branch's overrides, are published over REST by two persons (`chassis.publishing`) and stand in the table
`policy_versions`. `await uow.policies(Policies)` gives all of them as they are published by then, read once in a
transaction; nothing else does, so a published version counts in every process from its day on.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, overload

import asyncpg
import msgspec

from chassis.errors import FieldError, Invalid, Text
from contracts.checking import place_of

Body = TypeVar("Body")
Shape = TypeVar("Shape")
BOOKS_KEPT = 8


class PolicyInvalid(Invalid):
    """The proposed policy does not hold together; `detail` gives a counter-example, `errors` point at wrong fields. `understood`:
    the body as far as its types go, where they hold."""

    title = Text("The policy does not hold together", "政策不自洽")

    def __init__(
        self,
        detail: Text | str = "",
        *,
        errors: tuple[FieldError, ...] = (),
        understood: object = None,
        **members: object,
    ) -> None:
        super().__init__(detail, errors=errors, **members)
        self.understood = understood


class Number(Decimal):
    """A number in plain notation: up to 15 digits before the point and 8 after it; no exponent, no signs but `-`."""


class PolicyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a table, or a row of one, may say: fields and their types; an unknown one is refused."""


_FIELD = re.compile(r"(?:unknown|missing required) field `([^`]*)`")
_PLAIN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,8})?")


def _number(kind: type[Any], value: Any) -> Any:
    if kind is not Number:
        raise NotImplementedError(kind)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not _PLAIN.fullmatch(str(value)):
        raise ValueError("not a number in plain notation")
    return Number(str(value))


def typed(shape: type[Shape], body: Mapping[str, Any]) -> Shape:
    """A body as the struct it has to be.

    Raises: PolicyInvalid with a pointer to the field that has another type, is missing, or is not known.
    """
    try:
        return msgspec.convert(body, shape, dec_hook=_number)
    except msgspec.ValidationError as wrong:
        pointer, detail = place_of(str(wrong))
        if field := _FIELD.search(detail):
            pointer += f"/{field[1]}"
        raise PolicyInvalid(
            Text(f"{pointer or '/'}: {detail}", f"{pointer or '/'}：{detail}"),
            errors=(FieldError("/body" + pointer, detail),),
        ) from None


@dataclass(frozen=True, slots=True)
class Version(Generic[Body]):
    """One version: `name` is what decisions store (`tiers/2`, `classes/B3/1` for a branch's override)."""

    name: str
    scope: str
    effective_on: date
    body: Body
    written: Mapping[str, Any] = field(compare=False, repr=False)
    """The body as it was published, or stands in the file."""


@cache
def _entries(file: Path) -> Mapping[str, Any]:
    return tomllib.loads(file.read_text("utf-8"), parse_float=str)


class PolicyTable(Generic[Body]):
    """The declaration of one table: its shipped versions and `parse`, which is the check of a body and its type.

    As an attribute of a book it gives the table's versions. `name` is what it is kept and published under, `prefix`
    begins the names of its versions; both are the attribute's name unless given. `branches`: a branch may have an
    override of its own. `new_year_days`: for how many days of a year a version from 1 January can be published.
    `by_compliance`: the second person is of compliance.
    """

    def __init__(
        self, file: Path, parse: Callable[[dict[str, Any]], Body], name: str = "", *, key: str = "", prefix: str = "",
        branches: bool = False,
        new_year_days: int = 0,
        by_compliance: bool = False,
    ) -> None:  # fmt: skip
        self.parse = parse
        self.file = file
        self.name, self.key, self.prefix = name, key, prefix
        self.branches = branches
        self.new_year_days = new_year_days
        self.by_compliance = by_compliance
        self.shipped: Sequence[Version[Body]] = ()

    def __set_name__(self, owner: type["PolicyBook"], attribute: str) -> None:
        self.name = self.name or attribute
        self.prefix = self.prefix or self.name
        entries = deepcopy(_entries(self.file)[self.key or self.name])
        self.shipped = tuple(
            Version(
                str(entry.pop("version", f"{self.prefix}/shipped-{index}")), "", entry.pop("effective_on"),
                self.parse(deepcopy(entry)), entry,
            )
            for index, entry in enumerate(entries, 1)
        )  # fmt: skip

    @overload
    def __get__(self, book: None, owner: type["PolicyBook"]) -> Self: ...
    @overload
    def __get__(self, book: "PolicyBook", owner: type["PolicyBook"]) -> "Versions[Body]": ...
    def __get__(self, book: "PolicyBook | None", owner: type["PolicyBook"]) -> "Self | Versions[Body]":
        return self if book is None else book.versions[self.name]

    def version(self, scope: str, number: int, effective_on: date, written: dict[str, Any]) -> Version[Body]:
        """A published version, its body parsed. It held when it was published: what is asked of new ones since then is not asked of it."""
        name = "/".join(filter(None, (self.prefix, scope, str(number))))
        try:
            body = self.parse(deepcopy(written))
        except PolicyInvalid as since:
            if since.understood is None:
                raise
            body = cast(Body, since.understood)
        return Version(name, scope, effective_on, body, written)


class PolicyFamily(Generic[Body]):
    """Many tables of one type in one file, by code; published as `<prefix>-<code>`."""

    def __init__(self, file: Path, parse: Callable[[dict[str, Any]], Body], prefix: str) -> None:
        self.tables = {
            code: PolicyTable(file, parse, f"{prefix}-{code}", key=code, prefix=code)
            for code, entries in _entries(file).items()
            if isinstance(entries, list)
        }

    def __set_name__(self, owner: type["PolicyBook"], attribute: str) -> None:
        for table in self.tables.values():
            table.__set_name__(owner, table.name)

    @overload
    def __get__(self, book: None, owner: type["PolicyBook"]) -> Self: ...
    @overload
    def __get__(self, book: "PolicyBook", owner: type["PolicyBook"]) -> "Mapping[str, Versions[Body]]": ...
    def __get__(self, book: "PolicyBook | None", owner: type["PolicyBook"]) -> "Self | Mapping[str, Versions[Body]]":
        return self if book is None else {code: book.versions[table.name] for code, table in self.tables.items()}


class Versions(Generic[Body]):
    """All versions of one table, shipped and published, as one transaction sees them."""

    def __init__(self, versions: Sequence[Version[Body]]) -> None:
        self.all = versions
        self._on: dict[tuple[date, str], Version[Body]] = {}

    def on(self, day: date, branch: str = "") -> Version[Body]:
        """The version in force on a day: a branch's override, else the firm's newest that has taken effect.

        A day before the first shipped version is served by the first: history has to begin somewhere.
        """
        found = self._on.get((day, branch))
        if found is None:
            found = self._on[day, branch] = self._in_force(day, branch)
        return found

    def _in_force(self, day: date, branch: str) -> Version[Body]:
        for scope in dict.fromkeys((branch, "")):
            versions = [v for v in self.all if v.scope == scope and v.effective_on <= day]
            if versions:
                return max(enumerate(versions), key=lambda pair: (pair[1].effective_on, pair[0]))[1]
        return self.all[0]

    def overrides_on(self, day: date) -> dict[str, Version[Body]]:
        """The branches whose override is in force on a day."""
        branches = sorted({version.scope for version in self.all if version.scope})
        found = {branch: self.on(day, branch) for branch in branches}
        return {branch: version for branch, version in found.items() if version.scope}

    def named(self, name: str) -> Version[Body]:
        """A version by its name, as a decision stored it.

        Raises: LookupError.
        """
        found = next((version for version in self.all if version.name == name), None)
        if found is None:
            raise LookupError(f"there is no version {name}")
        return found

    def only(self, day: date) -> "Versions[Body]":
        """The firm's version in force on a day, as if there never was another."""
        return Versions((self.on(day),))

    def starts(self) -> list[date]:
        """The days on which versions take effect."""
        return [version.effective_on for version in self.all]


STAMP = """
    SELECT name, scope, version, effective_on, xmin::text::bigint, checked_at FROM policy_versions
    WHERE state = 'published' ORDER BY effective_on, version, name, scope"""
"""SQL: what is published, as `PolicyBook.stamped` takes it."""


class PolicyBook:
    """All tables of a service. A subclass declares them as attributes; an instance holds their versions."""

    tables: ClassVar[Mapping[str, PolicyTable[Any]]] = MappingProxyType({})
    _books: ClassVar[dict[tuple[Any, ...], Any]]
    _parsed: ClassVar[dict[tuple[Any, ...], Version[Any]]]

    def __init_subclass__(cls) -> None:
        declared = [value for value in vars(cls).values() if isinstance(value, (PolicyTable, PolicyFamily))]
        tables = [t for one in declared for t in (one.tables.values() if isinstance(one, PolicyFamily) else (one,))]
        cls.tables = {table.name: table for table in tables}
        cls._books, cls._parsed = {}, {}

    def __init__(self, published: Mapping[str, Sequence[Version[Any]]] = MappingProxyType({})) -> None:
        self.versions: Mapping[str, Versions[Any]] = {
            name: Versions((*table.shipped, *published.get(name, ()))) for name, table in self.tables.items()
        }

    @classmethod
    async def read(cls, sql: asyncpg.Connection) -> Self:
        """The book as published by now: one small question, and bodies only of what this process has not parsed yet."""
        return await cls.stamped(sql, await sql.fetch(STAMP))

    @classmethod
    async def stamped(cls, sql: asyncpg.Connection, rows: Iterable[Iterable[Any]]) -> Self:
        """The book of these rows of `STAMP`: a read that asks for them along with its own asks once."""
        stamp = tuple(tuple(row) for row in rows)
        book: Self | None = cls._books.get(stamp)
        if book is None:
            book = cls(await cls._published(sql, [key for key in stamp if key[0] in cls.tables]))
            while len(cls._books) >= BOOKS_KEPT:
                del cls._books[next(iter(cls._books))]
            cls._books[stamp] = book
        return book

    @classmethod
    async def _published(
        cls, sql: asyncpg.Connection, keys: Sequence[tuple[Any, ...]]
    ) -> Mapping[str, Sequence[Version[Any]]]:
        if unknown := [key for key in keys if key not in cls._parsed]:
            rows = await sql.fetch(
                """SELECT p.body FROM unnest($1::text[], $2::text[], $3::int[]) WITH ORDINALITY AS k(name, scope, version, n)
                   JOIN policy_versions p USING (name, scope, version) ORDER BY n""",
                *(list(column) for column in list(zip(*unknown, strict=True))[:3]),
            )
            for key, row in zip(unknown, rows, strict=True):
                name, scope, number, effective_on, *_ = key
                cls._parsed[key] = cls.tables[name].version(scope, number, effective_on, row["body"])
        found: defaultdict[str, list[Version[Any]]] = defaultdict(list)
        for key in keys:
            found[key[0]].append(cls._parsed[key])
        return found
