"""The statements that make a service's tables: `python -m careline.ddl SERVICE` prints a first migration's `.sql` file."""

import sys

from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement, SetColumnComment, SetTableComment

from careline.services import named


def statements(tables: MetaData) -> str:
    """CREATE TABLE, its indexes and comments, of every table in order of their dependence."""
    found: list[ExecutableDDLElement] = []
    for table in tables.sorted_tables:
        found += [CreateTable(table), *(CreateIndex(one) for one in sorted(table.indexes, key=lambda i: str(i.name)))]
        found += [SetTableComment(table)] if table.comment else []
        found += [SetColumnComment(column) for column in table.columns if column.comment]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return "".join(f"{str(one.compile(dialect=dialect)).strip()};\n" for one in found)


if __name__ == "__main__":
    [service] = named(sys.argv[1])
    print(statements(service.tables), end="")
