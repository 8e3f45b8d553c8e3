"""The half-yearly self-check of suitability [Art. 30]: what was assessed, sold, confirmed and expired, by branch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any

import asyncpg

from services.suitability.history import counts
from services.suitability.reports.sheets import workbook
from services.suitability.rules import MISMATCHES
from services.suitability.situations import BUYS
from services.suitability.tables import CLIENTS

COLUMNS: Sequence[tuple[str, str, str]] = (
    ("branch", "营业部", "Branch"),
    ("assessments", "评估数", "Assessments"),
    ("expiries", "到期数", "Expiries"),
    ("reviews", "人工复核", "Reviews"),
    ("decisions", "匹配判断", "Decisions"),
    ("blocked", "拒绝", "Blocked"),
    ("confirmations", "警示确认", "Confirmations"),
    ("buys", "买入成交", "Settled buys"),
    ("above_level", "超等级成交", "Above level"),
    ("explained", "其中有确认", "of these confirmed"),
    ("expired", "评估过期成交", "Assessment expired"),
    ("no_assessment", "未评估成交", "Not assessed"),
    ("unknown_class", "未分级产品成交", "Unknown class"),
    ("off_shelf", "未上架产品成交", "Off the shelf"),
    ("permission_missing", "无交易权限成交", "Permission missing"),
    ("findings", "异常答卷", "Suspicious patterns"),
    ("professionals", "专业投资者认定", "Professional investors"),
    ("drifts", "匹配变化", "Matches lost"),
    ("handled", "其中已处理", "of these handled"),
)


@dataclass(frozen=True, slots=True)
class Half:
    """A half-year."""

    year: int
    half: int

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, 1 if self.half == 1 else 7, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return date(self.year, 6, 30) if self.half == 1 else date(self.year, 12, 31)


def _counted(rows: str, day: str, where: str = "true") -> str:
    """How many of these rows `a` there are by the branch in which their client was on a day of theirs."""
    return f"""SELECT {CLIENTS.on("branch_id")}, count(*)
               FROM {rows} a LEFT JOIN clients c ON c.client_id = a.client_id {CLIENTS.join(day)}
               WHERE {day} BETWEEN $1 AND $2 AND {where} GROUP BY 1"""


_NOT_FOLLOWED = f"""NOT EXISTS (SELECT FROM assessments b WHERE b.client_id = a.client_id AND b.valid_from <= a.valid_until + 1
                                AND b.valid_until > a.valid_until AND {counts("b")})"""
_PARTS = {
    "assessments": _counted("assessments", "a.valid_from", counts("a")),
    "expiries": _counted("assessments", "a.valid_until", f"{counts('a')} AND {_NOT_FOLLOWED}"),
    "reviews": _counted("reviews", "(a.opened_at AT TIME ZONE 'Asia/Shanghai')::date"),
    "decisions": _counted("decisions", "a.decided_on"),
    "blocked": _counted("decisions", "a.decided_on", "a.outcome = 'BLOCK'"),
    "confirmations": _counted("confirmations", "a.confirmed_on"),
    "buys": f"SELECT branch_id, count(*) FROM {BUYS} t WHERE trade_date BETWEEN $1 AND $2 GROUP BY 1",
    "explained": """SELECT branch_id, count(*) FROM mismatches WHERE trade_date BETWEEN $1 AND $2
                    AND confirmation IS NOT NULL GROUP BY 1""",
    "findings": f"""SELECT coalesce({CLIENTS.on("branch_id")}, a.branch_id), count(*)
                    FROM findings a LEFT JOIN clients c ON c.client_id = a.client_id {CLIENTS.join("a.found_on")}
                    WHERE a.found_on BETWEEN $1 AND $2 GROUP BY 1""",
    "professionals": _counted("professionals", "a.valid_from"),
    "drifts": _counted("drifts", "a.found_on"),
    "handled": _counted("drifts", "a.found_on", "a.state = 'handled'"),
}
for _reason in MISMATCHES:
    _PARTS[_reason] = f"""SELECT branch_id, count(*) FROM mismatches WHERE trade_date BETWEEN $1 AND $2
                          AND reason = '{_reason}' GROUP BY 1"""


async def figures(sql: asyncpg.Connection, half: Half) -> list[dict[str, Any]]:
    """One line a branch and the firm's total last; clients without a branch are under an empty name."""
    by_branch: dict[str, dict[str, Any]] = {}
    for name, query in _PARTS.items():
        for branch, count in await sql.fetch(query, half.first, half.last):
            by_branch.setdefault(branch or "", {})[name] = count
    names = [name for name, _, _ in COLUMNS[1:]]
    lines = [{"branch": b, **{n: by_branch[b].get(n, 0) for n in names}} for b in sorted(by_branch)]
    return [*lines, {"branch": "合计 total", **{n: sum(line[n] for line in lines) for n in names}}]


def title(half: Half) -> str:
    """The report's title."""
    return f"适当性自查报告 Suitability self-check {half.first.isoformat()} – {half.last.isoformat()}"


def xlsx(half: Half, lines: Sequence[dict[str, Any]]) -> bytes:
    """The report as a spreadsheet."""
    heads = [f"{zh} {en}" for _, zh, en in COLUMNS]
    return workbook([("自查", title(half), heads, [[line[n] for n, _, _ in COLUMNS] for line in lines])])


def page(half: Half, lines: Sequence[dict[str, Any]]) -> str:
    """The report as a page to print: nothing in it comes from anywhere else."""
    heads = "".join(f"<th>{escape(zh)}<br>{escape(en)}</th>" for _, zh, en in COLUMNS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(line[name]))}</td>" for name, _, _ in COLUMNS) + "</tr>" for line in lines
    )
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        f"<title>{escape(title(half))}</title><style>"
        "body{font:12px sans-serif;margin:2em}table{border-collapse:collapse;width:100%}"
        "th,td{border:1px solid #999;padding:4px;text-align:right}th:first-child,td:first-child{text-align:left}"
        "tr:last-child{font-weight:bold}@page{size:A4 landscape}</style></head>"
        f"<body><h1>{escape(title(half))}</h1><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        "<p>签字 Signature: ____________ &nbsp; 日期 Date: ____________</p></body></html>"
    )
