"""Rows have types: in the services of the list nobody reads a driver's record by the names of its columns.

A record is made a struct (`chassis.rows`), a class by position, or taken apart where it is fetched. The list grows.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DONE = ["services/classification"]
FETCHING = {"fetch", "fetchrow", "cursor"}


def fetches(node: ast.AST) -> bool:
    """Whether an expression asks the driver for records: `await uow.sql.fetch(...)`."""
    if isinstance(node, ast.Await):
        node = node.value
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FETCHING


def names_of_records(tree: ast.AST) -> set[str]:
    """Names that stand for a record, or for many."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and fetches(node.value):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension) and isinstance(node.target, ast.Name):
            source = node.iter
            if fetches(source) or (isinstance(source, ast.Name) and source.id in names):
                names.add(node.target.id)
    return names


def untyped(tree: ast.AST) -> Iterator[int]:
    """The lines that read records by name, turn them into dictionaries, or hand them on as they are."""
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)):
        records = names_of_records(function)

        def is_record(node: ast.AST, records: set[str] = records) -> bool:
            return (
                (isinstance(node, ast.Name) and node.id in records)
                or (isinstance(node, ast.Subscript) and is_record(node.value))
                or fetches(node)
            )

        for node in ast.walk(function):
            by_name = (
                isinstance(node, ast.Subscript)
                and isinstance(node.slice, ast.Constant)
                and isinstance(node.slice.value, str)
                and is_record(node.value)
            )
            as_dictionary = isinstance(node, ast.Call) and (
                (isinstance(node.func, ast.Name) and node.func.id == "dict" and any(map(is_record, node.args)))
                or any(keyword.arg is None and is_record(keyword.value) for keyword in node.keywords)
            )
            handed_on = isinstance(node, ast.Return) and node.value is not None and is_record(node.value)
            if by_name or as_dictionary or handed_on:
                yield node.lineno


@pytest.mark.parametrize("folder", DONE)
def test_records_are_read_as_structs(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts
        for line in sorted(set(untyped(ast.parse(path.read_text("utf-8")))))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("row = await sql.fetchrow('SELECT 1 AS a'); return row['a']", True),
        ("rows = await sql.fetch('SELECT 1 AS a'); return [row['a'] for row in rows]", True),
        ("return {row['a'] for row in await uow.sql.fetch('SELECT 1 AS a')}", True),
        ("return (await sql.fetch('SELECT 1 AS a'))[0]['a']", True),
        ("row = await sql.fetchrow('SELECT 1 AS a'); return Thing(**row)", True),
        ("row = await sql.fetchrow('SELECT 1 AS a'); return dict(row)", True),
        ("return await sql.fetch('SELECT 1 AS a')", True),
        ("return await fetch(sql, Thing, 'SELECT 1 AS a')", False),
        ("return [Thing(*row) for row in await sql.fetch('SELECT 1 AS a')]", False),
        ("return {a: b for a, b in await sql.fetch('SELECT 1 AS a, 2 AS b')}", False),
        ("answer = await http.get('/'); return answer['a']", False),
    ],
)
def test_the_walk_finds_what_it_is_for(line: str, found: bool) -> None:
    assert bool(list(untyped(ast.parse(f"async def f():\n    {line}")))) is found
