"""CSV for people: the one way files of rows are written. UTF-8 in every locale, and no cell that a spreadsheet would run."""

import csv
import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from io import StringIO
from pathlib import Path
from typing import TextIO

_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def harmless(value: object) -> str:
    """A cell: a text that begins as a formula does, and is no number, gets an apostrophe before it. Line ends are "\\n": a
    carriage return alone would go unquoted, and end the row for whoever reads it."""
    text = "" if value is None else str(value).replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


class Rows:
    """Writes rows into a text file opened with `newline=""`."""

    def __init__(self, file: TextIO, line_end: str = "\n") -> None:
        self._writer = csv.writer(file, lineterminator=line_end)

    def write(self, rows: Iterable[Sequence[object]]) -> None:
        """Add rows; None is an empty cell."""
        self._writer.writerows([harmless(value) for value in row] for row in rows)


def opened(path: Path, *, add: bool = False) -> AbstractContextManager[TextIO]:
    """A file to write rows into, new or, with `add`, behind what it has."""
    return path.open("a" if add else "w", encoding="utf-8", newline="")


def text_of(rows: Iterable[Sequence[object]], line_end: str = "\n") -> str:
    """Rows as one text."""
    text = StringIO(newline="")
    Rows(text, line_end).write(rows)
    return text.getvalue()
