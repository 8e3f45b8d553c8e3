"""Reading a data folder's CSV files, so that whatever is wrong is said with the file's name and line."""

import csv
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from chassis.errors import Invalid, Text
from contracts.fields import FIRST_DAY, LARGEST_AMOUNT, LAST_DAY, MOST_DECIMALS

LONGEST_NAME = 64
_PLAIN_NUMBER = frozenset("0123456789.eE+-")


class UnreadableData(Invalid):
    """A file of the data folder is missing, cannot be read, or says something no fact can be made of."""

    title = Text("The data cannot be replayed", "数据无法回放")


class CsvFile:
    """One CSV file, gzipped or not, whose rows are given as the texts of the columns asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 1
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise UnreadableData(f"{path}: there is no such file") from None
        except OSError as error:
            raise UnreadableData(f"{path}: {error.strerror}") from None
        self.content = self._unpacked(raw) if path.suffix == ".gz" else raw

    def _unpacked(self, raw: bytes) -> bytes:
        try:
            return gzip.decompress(raw)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UnreadableData(f"{self.path}: not a whole gzip file ({error})") from None

    @property
    def digest(self) -> str:
        """SHA-256 of the content, whatever it is packed in."""
        return hashlib.sha256(self.content).hexdigest()

    def wrong(self, why: str) -> UnreadableData:
        """The error that names this file and the line being read."""
        return UnreadableData(f"{self.path}, line {self.line}: {why}")

    def rows(self, *columns: str) -> Iterator[tuple[str, ...]]:
        """The named columns of every row.

        Raises: UnreadableData for missing columns, rows of another width and bytes that are no CSV.
        """
        try:
            text = self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.line = self.content.count(b"\n", 0, error.start) + 1
            raise self.wrong("not UTF-8") from None
        reader = csv.reader(text.splitlines(keepends=True), strict=True)
        try:
            header = next(reader, [])
            if missing := [name for name in columns if name not in header]:
                raise self.wrong(f"no column {', '.join(missing)}")
            width, places = len(header), [header.index(name) for name in columns]
            for row in reader:
                self.line = reader.line_num
                if len(row) != width:
                    if not row:
                        continue
                    raise self.wrong(f"{len(row)} fields where the header has {width}")
                yield tuple([row[place] for place in places])
        except csv.Error as error:
            self.line = reader.line_num
            raise self.wrong(str(error)) from None

    def name(self, text: str, what: str) -> str:
        """An identifier: not empty, not longer than 64 characters."""
        if not 0 < len(text) <= LONGEST_NAME:
            raise self.wrong(f"{what} must have 1 to {LONGEST_NAME} characters, not {len(text)}")
        return text

    def amount(self, text: str, what: str) -> Decimal:
        """A decimal number as it stands, dust and scientific notation included; the contracts' limits hold."""
        # Nearly every amount is a few digits with at most one point: nothing in it can be out of range.
        if len(text) <= 16 and text.replace(".", "", 1).isdecimal() and text.isascii():
            return Decimal(text)
        try:
            if not _PLAIN_NUMBER.issuperset(text):
                raise InvalidOperation
            number = Decimal(text)
        except InvalidOperation:
            raise self.wrong(f"{what} {text[:40]!r} is not a decimal number") from None
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -MOST_DECIMALS:
            raise self.wrong(f"{what} {text[:60]!r} has more than {MOST_DECIMALS} decimals")
        if not -LARGEST_AMOUNT < number < LARGEST_AMOUNT:
            raise self.wrong(f"{what} {text[:60]!r} is not below 10^15")
        return number

    def quantity(self, text: str, what: str) -> Decimal:
        """As `amount`, and not negative."""
        number = self.amount(text, what)
        if number < 0:
            raise self.wrong(f"{what} {text[:60]!r} is negative")
        return number


class Days:
    """Dates by their text, each read once: files hold few different ones."""

    def __init__(self) -> None:
        self._known: dict[str, date] = {}

    def read(self, file: CsvFile, text: str, what: str) -> date:
        """The date a text names.

        Raises: UnreadableData when it names none, or one no broker's record can carry.
        """
        day = self._known.get(text)
        if day is None:
            day = self._known[text] = self._parse(file.wrong, text, what)
        return day

    def _parse(self, wrong: Callable[[str], UnreadableData], text: str, what: str) -> date:
        try:
            day = date.fromisoformat(text) if len(text) == 10 else None
        except ValueError:
            day = None
        if day is None:
            raise wrong(f"{what} {text[:40]!r} is not a date (YYYY-MM-DD)")
        if not FIRST_DAY <= day <= LAST_DAY:
            raise wrong(f"{what} {text} lies outside {FIRST_DAY} to {LAST_DAY}")
        return day
