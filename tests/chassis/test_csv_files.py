"""CSV files: one writer, which no spreadsheet runs and no locale breaks."""

import ast
import csv
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import csv_files

ROOT = Path(__file__).parents[2]
CELLS = (
    st.text(st.sampled_from("=+-@\t\r\n,\"'1.9 a王😀＝＠"))
    | st.integers()
    | st.decimals(allow_nan=False, places=2)
    | st.none()
)


@given(st.lists(st.lists(CELLS, min_size=2), min_size=1))
def test_no_cell_is_a_formula_and_nothing_is_lost(rows: list[list[object]]) -> None:
    text = csv_files.text_of(rows)
    read = list(csv.reader(StringIO(text, newline="")))
    assert [len(row) for row in read] == [len(row) for row in rows]
    for written, cells in zip(rows, read, strict=True):
        for value, cell in zip(written, cells, strict=True):
            kept = "" if value is None else str(value).replace("\r\n", "\n").replace("\r", "\n")
            assert cell in (kept, f"'{kept}")
            if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠")):
                float(cell)  # only a number may begin so


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+8613800000000", "+8613800000000"), ("-12.34", "-12.34"), ("-x", "'-x"), ("@a", "'@a"), (None, ""),
        ("＝1", "'＝1"), ("-１", "'-１"), ("-1\n", "'-1\n"), ("a=b", "a=b"), (-5, "-5"), ("--1", "'--1"), ("-1e5", "'-1e5"),
    ],
)  # fmt: skip
def test_cells(value: object, cell: str) -> None:
    assert csv_files.harmless(value) == cell


def test_nothing_else_writes_csv() -> None:
    writers = set()
    for top in ("careline", "chassis", "gateway", "services"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in {"writer", "DictWriter"}:
                    writers.add(path.relative_to(ROOT).as_posix())
                if isinstance(node, ast.ImportFrom) and node.module == "csv":
                    writers.add(path.relative_to(ROOT).as_posix())
    assert writers == {"chassis/csv_files.py"}
