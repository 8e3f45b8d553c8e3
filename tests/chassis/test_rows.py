"""A struct declares its table: types, keys, what may be empty."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import pytest
from sqlalchemy import BigInteger, Date, Index, Numeric, Text

from chassis.rows import Big, Column, Row, columns, lists, table
from chassis.tables import new_metadata


class Lot(Row, frozen=True):
    client_id: Annotated[str, Column(primary_key=True)]
    number: Big
    value: Annotated[Decimal | None, Column(comment="at cost")]
    day: date


def test_a_table_is_what_the_struct_says() -> None:
    made = table("lots", new_metadata(), Lot, Index(None, "day"))
    found = {column.name: (type(column.type), column.nullable, column.primary_key) for column in made.columns}
    assert found == {
        "client_id": (Text, False, True),
        "number": (BigInteger, False, False),
        "value": (Numeric, True, False),
        "day": (Date, False, False),
    }
    assert made.c.value.comment == "at cost"
    assert [index.name for index in made.indexes] == ["ix_lots_day"]


def test_columns_and_values_keep_the_order_of_the_struct() -> None:
    assert columns(Lot, "l") == "l.client_id, l.number, l.value, l.day"
    rows = [Lot("c-1", 1, None, date(2024, 1, 1)), Lot("c-2", 2, Decimal(3), date(2024, 1, 2))]
    assert lists(rows)[:2] == [["c-1", "c-2"], [1, 2]]


def test_a_type_without_a_column_is_refused() -> None:
    class Odd(Row, frozen=True):
        when: complex

    with pytest.raises(TypeError, match="when"):
        table("odd", new_metadata(), Odd)
