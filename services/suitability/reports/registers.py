"""The daily register 风险承受能力客户分类表 and the annex 4 sheet 客户分类汇总表 [4.3]."""

from datetime import date

import asyncpg

from contracts.annex4 import COLUMNS, in_ten_thousands, risk_word
from services.suitability.history import counts
from services.suitability.levels import SCHEMES, held_in
from services.suitability.policy import Policies
from services.suitability.reports.sheets import workbook
from services.suitability.situations import cancelled, in_force
from services.suitability.tables import CLIENTS

REGISTER_COLUMNS = (
    "营业部",
    "客户编号",
    "资金账号",
    "得分",
    "风险承受能力",
    "评估日期",
    "有效期至",
    "来源",
    "原方案等级",
)


async def daily_register(sql: asyncpg.Connection, on: date, scope: tuple[str, list[str]]) -> bytes:
    """Everybody assessed on a day, by the branch they were in then, for the directors of operations and service: levels in the firm's scheme, and
    as they were assessed where that was in another."""
    condition, arguments = scope
    rows = await sql.fetch(
        f"""SELECT branch_id, client_id, account_id, total, scheme, level, valid_from, valid_until, source FROM (
                SELECT {CLIENTS.on("branch_id")} AS branch_id, a.client_id, c.account_id, s.total, a.scheme, a.level, a.valid_from, a.valid_until,
                       a.source
                FROM assessments a LEFT JOIN clients c ON c.client_id = a.client_id {CLIENTS.join("a.valid_from")}
                LEFT JOIN submissions s ON s.submission_id = a.submission_id
                WHERE a.valid_from = $1 AND {counts("a")}) r
            WHERE {condition} ORDER BY branch_id, client_id""",
        on,
        *arguments,
    )
    own = (await Policies.read(sql)).on(on).own_scheme
    sources = {"questionnaire": "调查表", "imported": "外部导入"}
    lines = [
        (
            row["branch_id"],
            row["client_id"],
            row["account_id"],
            row["total"],
            own.level(held_in(row["scheme"], SCHEMES[row["scheme"]].rank(row["level"]), own.code)).text.zh,
            row["valid_from"],
            row["valid_until"],
            sources[row["source"]],
            None if row["scheme"] == own.code else row["level"],
        )
        for row in rows
    ]
    return workbook([("分类表", f"营业部风险承受能力客户分类表 {on.isoformat()}", REGISTER_COLUMNS, lines)])


async def annex_4(sql: asyncpg.Connection, on: date, scope: tuple[str, list[str]]) -> bytes:
    """The sheet of annex 4 as of a day, branches too: amounts in 万元, risk level filled in, the manager's own columns left empty.

    Names and telephone numbers are no part of suitability's data: the client's number stands for the name.
    """
    condition, arguments = scope
    rows = await sql.fetch(
        f"""SELECT * FROM (
                SELECT c.client_id, {CLIENTS.on("branch_id")} AS branch_id, c.account_id, f.scheme, f.rank,
                       (SELECT v.total_assets FROM valuations v WHERE v.client_id = c.client_id AND v.as_of <= $1
                        ORDER BY v.as_of DESC LIMIT 1) AS total_assets,
                       (SELECT sum(CASE WHEN x.trade_id IS NULL THEN t.commission ELSE least(x.remaining, t.commission) END)
                        FROM trades t {cancelled("t", "$1::date")}
                        WHERE t.client_id = c.client_id
                        AND t.trade_date BETWEEN date_trunc('year', $1::date)::date AND $1) AS commission
                FROM clients c {CLIENTS.join("$1::date")} LEFT JOIN LATERAL ({in_force("c.client_id", "$1::date")}) f ON true
                WHERE (c.closed_on IS NULL OR c.closed_on > $1) AND (c.opened_on IS NULL OR c.opened_on <= $1)) r
            WHERE {condition} ORDER BY branch_id, client_id""",
        on,
        *arguments,
    )
    lines = []
    for row in rows:
        level = ""
        if row["rank"] is not None:
            level = risk_word(SCHEMES[row["scheme"]].level(row["rank"]).code)
        assets, commission = (
            None if amount is None else in_ten_thousands(amount) for amount in (row["total_assets"], row["commission"])
        )
        known = (
            row["client_id"],
            row["client_id"][:1].upper(),
            row["account_id"],
            row["branch_id"],
            assets,
            commission,
        )
        lines.append((*known, None, None, None, None, level, None, None, None))
    return workbook([("附件4", f"客户分类汇总表 {on.isoformat()}", COLUMNS, lines)])
