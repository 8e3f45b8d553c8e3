"""The pack's spreadsheets and its print page with a chart; nothing is loaded from anywhere."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from io import BytesIO
from typing import Any

from chassis.clock import SHANGHAI
from services.complaints.packs.figures import DONE, Figures

HEADS = {
    "case_id": "案件 case",
    "external_ref": "外部编号 reference",
    "branch_id": "营业部 branch",
    "source": "来源 source",
    "channel": "渠道 channel",
    "severity": "级别 severity",
    "category": "类别 category",
    "received_at": "受理 received",
    "dispatch_met": "当日督办 ordered in time",
    "due_on": "到期 due",
    "state": "状态 state",
    "breaches": "超时 breaches",
    "upheld": "属实 upheld",
}
SUMMARY = {
    "branch_id": "营业部 branch",
    "received": "受理 received",
    "major": "重大 major",
    "done": "已办结 done",
    "in_progress": "办理中 in progress",
    "dispatch_missed": "督办迟延 order late",
    "breaches": "超时 breaches",
    "upheld": "属实 upheld",
}


def workbook(figures: Figures) -> bytes:
    """Orders done, orders in progress, and the 客户投诉情况汇报 by branch, with a chart."""
    done = [row for row in figures.orders if row["state"] in DONE]
    going = [row for row in figures.orders if row["state"] not in DONE]
    file = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    import xlsxwriter  # heavy to load, and needed for a report now and then only

    with xlsxwriter.Workbook(file, options) as book:
        # The cut-off, not the moment of writing: the same figures make the same file.
        book.set_properties({"title": f"客户投诉情况汇报 {figures.period.name}", "created": _naive(figures)})
        report = _sheet(book, "汇报 report", SUMMARY, figures.branches)
        count = len(figures.branches)
        if count:
            chart = book.add_chart({"type": "bar"})
            chart.add_series(
                {
                    "name": SUMMARY["received"],
                    "categories": [report.name, 1, 0, count, 0],
                    "values": [report.name, 1, 1, count, 1],
                }
            )
            report.insert_chart(count + 3, 0, chart)
        _sheet(book, "已办结 done", HEADS, done)
        _sheet(book, "办理中 in progress", HEADS, going)
    return file.getvalue()


def _naive(figures: Figures) -> datetime:
    return figures.period.cut_off.astimezone(SHANGHAI).replace(tzinfo=None)


def _sheet(book: Any, name: str, heads: dict[str, str], rows: Sequence[dict[str, Any]]) -> Any:
    sheet = book.add_worksheet(name)
    sheet.write_row(0, 0, list(heads.values()), book.add_format({"bold": True, "border": 1}))
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(heads) - 1, 18)
    for place, row in enumerate(rows, 1):
        for column, key in enumerate(heads):
            value = row[key]
            if isinstance(value, int) and not isinstance(value, bool):
                sheet.write_number(place, column, value)
            else:
                sheet.write_string(place, column, _text(value))
    return sheet


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    return {True: "是 yes", False: "否 no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


_PAGE = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:11pt serif;margin:2cm}}table{{border-collapse:collapse;width:100%}}
td,th{{border:1px solid #666;padding:2pt 5pt;text-align:left}}@page{{size:A4;margin:1.5cm}}</style>
<h1>{title}</h1><p>截止 cut-off: {cut_off}（含当日 24:00 前 everything before 24:00）</p>{chart}
<table><tr>{heads}</tr>{rows}</table>
<p>零报告 nil reports: {nil}</p><p>未交零报告 missing nil reports: {missing}</p>
<p>未办领导接待日 no reception day: {reception}</p></html>
"""
BAR, GAP, WIDTH = 18, 6, 420


def page(figures: Figures) -> bytes:
    """The 客户投诉情况汇报 as a page to print, with a bar chart of what was received."""
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(row[key]))}</td>" for key in SUMMARY) + "</tr>" for row in figures.branches
    )
    listed = {
        "nil": figures.nil_reports,
        "missing": figures.missing_nil_reports,
        "reception": figures.missing_reception_days,
    }
    return _PAGE.format(
        title=f"客户投诉情况汇报 {figures.period.name}",
        cut_off=figures.period.last.isoformat(),
        chart=_chart(figures),
        heads="".join(f"<th>{head}</th>" for head in SUMMARY.values()),
        rows=rows,
        **{name: escape(", ".join(names) or "-") for name, names in listed.items()},
    ).encode()


def _chart(figures: Figures) -> str:
    most = max((row["received"] for row in figures.branches), default=0) or 1
    bars = []
    for place, row in enumerate(figures.branches):
        top, width = place * (BAR + GAP), row["received"] * WIDTH // most
        bars.append(
            f'<text x="0" y="{top + 13}">{escape(row["branch_id"])}</text>'
            f'<rect x="70" y="{top}" width="{width}" height="{BAR}" fill="#357"/>'
            f'<text x="{76 + width}" y="{top + 13}">{row["received"]}</text>'
        )
    height = max(1, len(bars)) * (BAR + GAP)
    return f'<svg width="560" height="{height}" role="img" aria-label="受理 received">{"".join(bars)}</svg>'
