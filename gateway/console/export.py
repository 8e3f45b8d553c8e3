"""Lists as files: CSV that spreadsheets open as UTF-8, and xlsx; no cell is run as a formula."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from starlette.responses import Response

from chassis.csv_files import harmless, text_of
from gateway.console.frame import Desk, rows_of
from gateway.console.render import plain
from gateway.console.words import label_in, said_in

BYTE_ORDER_MARK = "\ufeff"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMATS = ("csv", "xlsx")
PAGES = 25
"""So many pages of 200 go into a file."""


async def all_rows(desk: Desk, path: str, query: Mapping[str, Any], purpose: str) -> list[Any]:
    """The rows of a list with its filters, page by page."""
    found: list[Any] = []
    cursor = ""
    for _ in range(PAGES):
        part = await desk.get(path, {**query, "limit": 200, "cursor": cursor}, purpose=purpose)
        found += rows_of(part)
        cursor = (part.data or {}).get("next") or "" if part.found else ""
        if not cursor:
            break
    return found


def file_of(name: str, form: str, language: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Response:
    """The rows under the names the page gives the columns, in the page's language."""
    heads = [label_in(language, column) for column in columns]
    cells = [[_text(row[column], language) for column in columns] for row in rows]
    body = _workbook(heads, cells) if form == "xlsx" else (BYTE_ORDER_MARK + text_of([heads, *cells], "\r\n")).encode()
    return Response(
        body,
        media_type=XLSX if form == "xlsx" else "text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}.{form}"', "cache-control": "no-store"},
    )


def _text(value: Any, language: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return said_in(language, "yes" if value else "no")
    return said_in(language, value) if isinstance(value, str) else plain(value)


def _workbook(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> bytes:
    import xlsxwriter  # heavy to load, and needed for a file now and then only

    file = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet()
        bold = book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, heads, bold)
        for number, row in enumerate(cells, 1):
            sheet.write_row(number, 0, [harmless(cell) for cell in row])
    return file.getvalue()
