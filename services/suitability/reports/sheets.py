"""Writing spreadsheets: one table a sheet, in memory."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def workbook(sheets: Iterable[tuple[str, str, Sequence[str], Iterable[Sequence[Any]]]]) -> bytes:
    """An xlsx file of (sheet name, title, column heads, rows).

    Texts that begin like a formula stay texts: a name must not become a command in somebody's Excel.
    """
    file = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    import xlsxwriter  # heavy to load, and needed for a report now and then only

    with xlsxwriter.Workbook(file, options) as book:
        bold, head = book.add_format({"bold": True, "font_size": 14}), book.add_format({"bold": True, "border": 1})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, title, columns, rows in sheets:
            sheet = book.add_worksheet(name)
            sheet.write_string(0, 0, title, bold)
            sheet.write_row(2, 0, columns, head)
            sheet.freeze_panes(3, 0)
            sheet.set_column(0, len(columns) - 1, 16)
            for place, row in enumerate(rows, 3):
                for column, value in enumerate(row):
                    _write(sheet, place, column, value, day)
    return file.getvalue()


def _write(sheet: Any, row: int, column: int, value: Any, day: Any) -> None:
    if value is None:
        return
    if isinstance(value, datetime):
        sheet.write_string(row, column, value.isoformat(timespec="seconds"))
    elif isinstance(value, date):
        sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), day)  # noqa: DTZ001 - a date
    elif isinstance(value, int | Decimal):
        sheet.write_number(row, column, value)
    else:
        sheet.write_string(row, column, str(value))
