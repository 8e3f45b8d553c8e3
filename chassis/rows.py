"""Rows with types: a struct declares each column of a table once, for the schema and for whoever reads it.

    class Amendment(Row, frozen=True):
        client_id: Annotated[str, Column(primary_key=True)]
        commission: Annotated[Decimal, Column(comment="as accepted by an operator")]
        accepted_at: datetime

    amendments = table("amendments", metadata, Amendment)
    found = await fetch(sql, Amendment, f"SELECT {columns(Amendment, 'a')} FROM amendments a WHERE a.client_id = $1", client_id)

mypy sees `row.commission`; a column that is not there is an error before it is one in the database. See
docs/decisions/0018-typed-rows.md.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import asyncpg
import msgspec
from sqlalchemy import BigInteger, Boolean, Date, Integer, LargeBinary, MetaData, Numeric, Table, Text
from sqlalchemy import Column as SqlColumn
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from chassis.tables import Instant


class Row(msgspec.Struct, frozen=True, gc=False):
    """The base of rows."""


class Column:
    """What an annotation says of a column beyond its Python type."""

    def __init__(self, type: Any = None, **given: Any) -> None:
        self.type, self.given = type, given


R = TypeVar("R", bound=Row)
Big = Annotated[int, Column(BigInteger)]
TYPES: dict[Any, TypeEngine[Any] | type[TypeEngine[Any]]] = {
    str: Text, int: Integer, bool: Boolean, Decimal: Numeric, date: Date, datetime: Instant, bytes: LargeBinary,
}  # fmt: skip


def table(name: str, metadata: MetaData, row: type[Row], *items: SchemaItem, **options: Any) -> Table:
    """The table whose rows a struct describes; `items` are indexes and constraints, `options` those of SQLAlchemy's Table.

    Raises: TypeError for a field whose type no column is known for.
    """
    hints = get_type_hints(row, include_extras=True)
    return Table(name, metadata, *(_column(field, hints[field]) for field in row.__struct_fields__), *items, **options)


def _column(name: str, hint: Any) -> SqlColumn[Any]:
    said = Column()
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        said = next((one for one in extras if isinstance(one, Column)), said)
    optional = get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)
    if optional:
        [hint] = [one for one in get_args(hint) if one is not NoneType]
    kind = said.type or TYPES.get(hint)
    if kind is None:
        raise TypeError(f"{name}: no column is known for {hint}; give one with Column(type)")
    return SqlColumn(name, kind, **{"nullable": optional, **said.given})


def columns(row: type[Row], alias: str = "") -> str:
    """SQL: the columns of a row, in its order."""
    return ", ".join(f"{alias}.{name}" if alias else name for name in row.__struct_fields__)


async def fetch(sql: asyncpg.Connection, row: type[R], query: str, *arguments: Any) -> list[R]:
    """The rows of a query that selects `columns(row)`, in that order."""
    return [row(*found) for found in await sql.fetch(query, *arguments)]


def lists(rows: Sequence[Row]) -> list[list[Any]]:
    """The values of rows column by column, as the arguments of `unnest`."""
    return [list(values) for values in zip(*(msgspec.structs.astuple(one) for one in rows), strict=True)]
