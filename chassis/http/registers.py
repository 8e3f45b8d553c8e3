"""A register for people: rows under a heading, as a workbook, as CSV, or as a page to print."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from html import escape
from io import BytesIO
from typing import Annotated, Literal

from fastapi import Query, Response

from chassis import csv_files

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
HTML = "text/html; charset=utf-8"


def as_csv(columns: Sequence[str], lines: Sequence[Sequence[object]]) -> bytes:
    """The register as CSV; it begins with a byte order mark, without which Excel misreads Chinese."""
    return csv_files.text_of([columns, *lines], "\r\n").encode("utf-8-sig")


def as_xlsx(title: str, day: date, columns: Sequence[str], lines: Sequence[Sequence[object]]) -> bytes:
    """The register as a workbook of one sheet: numbers as numbers, anything else as text."""
    file = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    import xlsxwriter  # heavy to load, and needed for a report now and then only

    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet(title)
        sheet.write_string(0, 0, f"{title} {day.isoformat()}", book.add_format({"bold": True, "font_size": 14}))
        sheet.write_row(1, 0, columns, book.add_format({"bold": True, "border": 1, "text_wrap": True}))
        sheet.freeze_panes(2, 0)
        sheet.set_column(0, len(columns) - 1, 16)
        amount = book.add_format({"num_format": "0.0000"})
        for place, row in enumerate(lines, 2):
            for column, cell in enumerate(row):
                if isinstance(cell, Decimal | int):
                    sheet.write_number(place, column, cell, amount if isinstance(cell, Decimal) else None)
                elif cell:
                    sheet.write_string(place, column, str(cell))
    return file.getvalue()


def as_page(title: str, day: date, columns: Sequence[str], lines: Sequence[Sequence[object]]) -> bytes:
    """The register as a page to print: a table and nothing else, so that no policy of what pages may load is in its way."""

    def row(cells: Sequence[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    named = f"{escape(title)} {day.isoformat()}"
    return (
        f'<!DOCTYPE html><html lang="zh-CN"><head><meta charset="utf-8"><title>{named}</title></head><body><h1>{named}</h1>'
        f'<table border="1" cellpadding="4"><thead>{row(columns, "th")}</thead>'
        f"<tbody>{''.join(row(line, 'td') for line in lines)}</tbody></table></body></html>\n"
    ).encode()


Format = Annotated[Literal["xlsx", "csv"], Query(description="a workbook, or CSV that Excel reads")]


Printed = Annotated[
    Literal["xlsx", "csv", "html"], Query(description="a workbook, CSV that Excel reads, or a page to print")
]


def register(
    name: str, title: str, day: date, columns: Sequence[str], lines: Sequence[Sequence[object]], wanted: Printed
) -> Response:
    """The answer of a route that declares `gives(XLSX, CSV)`, with `HTML` where it takes that: a file of this name and day to keep, or
    a page."""
    if wanted == "html":
        return Response(as_page(title, day, columns, lines), media_type=HTML)
    content, kind = (as_xlsx(title, day, columns, lines), XLSX) if wanted == "xlsx" else (as_csv(columns, lines), CSV)
    kept_as = f'attachment; filename="{name}-{day.isoformat()}.{wanted}"'
    return Response(content, media_type=kind, headers={"content-disposition": kept_as})
