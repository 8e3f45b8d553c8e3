"""The register of annex 4 (客户分类登记表): a row per client with entries, for Excel and as CSV."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

import asyncpg

from chassis import csv_files
from contracts.annex4 import COLUMNS, RISK, in_ten_thousands

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"


async def rows(sql: asyncpg.Connection, scope: tuple[str, Sequence[str]]) -> list[tuple[Any, ...]]:
    """The register's rows under a caller's scope, by client; figures are those at the time of the last filling.

    Names, phones and visits are kept elsewhere: the client's number stands for the name, the others stay empty for the branch to fill in.
    """
    condition, arguments = scope
    found = await sql.fetch(
        f"""WITH last AS (SELECT DISTINCT ON (client_id, kind) * FROM supplementary_entries
                          ORDER BY client_id, kind, entry_id DESC)
            SELECT c.client_id, c.branch_id, (array_agg(l.assets ORDER BY l.entry_id DESC))[1] AS assets,
                   (array_agg(l.commission ORDER BY l.entry_id DESC))[1] AS commission,
                   jsonb_object_agg(l.kind, l.codes) AS codes, r.level,
                   (array_agg(l.note ORDER BY l.entry_id DESC))[1] AS note
            FROM (SELECT client_id, branch_id FROM clients WHERE {condition}) c JOIN last l USING (client_id)
            LEFT JOIN risk_levels r ON r.client_id = c.client_id
            GROUP BY c.client_id, c.branch_id, r.level ORDER BY c.client_id COLLATE "C" """,
        *arguments,
    )
    return [
        (
            client_id,
            client_id[:1].upper(),
            client_id,
            branch_id,
            in_ten_thousands(assets),
            in_ten_thousands(commission),
            *(" ".join(codes.get(kind, ())) for kind in ("HABIT", "VALUE", "STYLE", "PREFERENCE")),
            RISK.get(level, level) or "",
            "",
            "",
            note,
        )
        for client_id, branch_id, assets, commission, codes, level, note in found
    ]


def as_csv(table: Sequence[Sequence[Any]]) -> bytes:
    """The register as CSV; it begins with a byte order mark, without which Excel misreads Chinese."""
    return csv_files.text_of([COLUMNS, *table], "\r\n").encode("utf-8-sig")


def as_xlsx(table: Sequence[Sequence[Any]], day: date) -> bytes:
    """The register as a workbook of one sheet."""
    file = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    import xlsxwriter  # heavy to load, and needed for a report now and then only

    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet("客户分类登记表")
        sheet.write_string(0, 0, f"客户分类登记表 {day.isoformat()}", book.add_format({"bold": True, "font_size": 14}))
        sheet.write_row(1, 0, COLUMNS, book.add_format({"bold": True, "border": 1, "text_wrap": True}))
        sheet.freeze_panes(2, 0)
        sheet.set_column(0, len(COLUMNS) - 1, 16)
        amount = book.add_format({"num_format": "0.0000"})
        for place, row in enumerate(table, 2):
            for column, value in enumerate(row):
                if isinstance(value, Decimal):
                    sheet.write_number(place, column, value, amount)
                elif value:
                    sheet.write_string(place, column, value)
    return file.getvalue()
