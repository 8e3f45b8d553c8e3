"""The watch on questionnaires: answers that look made to reach a level [go-beyond 7].

Looked at when a day closes on which something was submitted or bought. Each finding is told once per window and is a
matter for a person; none changes a level by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import comb
from typing import Any

import asyncpg

from chassis.uow import UnitOfWork
from contracts.suitability import GamingSuspected
from services.suitability import history, templates
from services.suitability.levels import SCHEMES, held_in
from services.suitability.policy import Gaming, Policies
from services.suitability.questionnaires.scoring import points_of
from services.suitability.questionnaires.template import Template
from services.suitability.situations import BOUGHT, BUYS, Bought, needed_of_buy
from services.suitability.tables import CLIENTS


@dataclass(frozen=True, slots=True)
class GamingFinding:
    """A pattern seen on a subject (`client/ID`, `device/HASH`, `branch/ID`)."""

    pattern: str
    subject: str
    client_id: str | None = None
    branch_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


async def look(uow: UnitOfWork, days: Sequence[date]) -> list[GamingSuspected]:
    """Look for every pattern in the windows that end on these days. Returns the findings that are new, to be told."""
    handed_in = await uow.sql.fetch(
        "SELECT DISTINCT submitted_on FROM submissions WHERE submitted_on BETWEEN $1 AND $2", days[0], days[-1]
    )
    new: list[GamingSuspected] = []
    policies = await uow.policies(Policies)
    for day in sorted(day for (day,) in handed_in):
        rules = policies.on(day).gaming
        start = day - timedelta(days=rules.window_days - 1)
        new += await keep(uow, await _in_submissions(uow, start, day, rules), day, start)
    return new


async def _in_submissions(uow: UnitOfWork, start: date, day: date, rules: Gaming) -> list[GamingFinding]:
    sheets = await uow.sql.fetch(
        """SELECT s.*, t.body, t.state FROM submissions s
           JOIN templates t ON t.code = s.template AND t.version = s.version
           WHERE submitted_on BETWEEN $1 AND $2 AND client_id IN
                 (SELECT client_id FROM submissions WHERE submitted_on = $2)
           ORDER BY client_id, submitted_at""",
        start,
        day,
    )
    if not sheets:
        return []
    devices, branches = await _devices(uow, start, day, rules), await _branches(uow, start, day, rules)
    return [*_by_client(sheets, rules), *devices, *branches]


def _by_client(sheets: Sequence[asyncpg.Record], rules: Gaming) -> Iterable[GamingFinding]:
    of: dict[str, list[asyncpg.Record]] = {}
    for sheet in sheets:
        of.setdefault(sheet["client_id"], []).append(sheet)
    for client, handed_in in of.items():
        subject, branch = f"client/{client}", handed_in[-1]["branch_id"]
        if len(handed_in) >= rules.retakes:
            yield GamingFinding("retakes", subject, client, branch, {"submissions": len(handed_in)})
        last = handed_in[-1]
        template = templates.parsed(
            {"code": last["template"], "version": last["version"], "state": last["state"], "body": last["body"]}
        )
        took = {name: last[name] for name in ("seconds", "measured_seconds") if last[name] is not None}
        if took and min(took.values()) < rules.seconds_per_question * len(template.questions):
            yield GamingFinding("answered_too_fast", subject, client, branch, took)
        if len(handed_in) > 1 and handed_in[-2]["template"] == last["template"]:
            flipped = riskier(template, handed_in[-2]["answers"], last["answers"])
            if len(flipped) >= rules.flips:
                yield GamingFinding("answers_flipped", subject, client, branch, {"questions": flipped})


def riskier(template: Template, before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """The questions whose answer now scores more than it did on the sheet before."""
    return [
        question.code
        for question in template.questions
        if points_of(question, after.get(question.code, ())) > points_of(question, before.get(question.code, ()))
        and question.code in before
    ]


# Buys that settled after their client answered a questionnaire, within the longest time that any policy looks at.
_AFTER_ANSWERS = f"""
    SELECT {BOUGHT}
    FROM unnest($1::text[], $2::date[]) AS d(client_id, since)
    JOIN {BUYS} t ON t.client_id = d.client_id AND t.trade_date BETWEEN d.since AND $3
    WHERE EXISTS (SELECT FROM assessments a WHERE a.client_id = t.client_id AND a.source = 'questionnaire'
                  AND a.assessed_at <= t.settled_at AND a.assessed_at > t.settled_at - $4::interval)
    ORDER BY t.trade_date, t.client_id, t.trade_id"""


async def rises_before_purchases(uow: UnitOfWork, since: Mapping[str, date], through: date) -> list[GamingSuspected]:
    """Buys that a rise shortly before made possible [Q5], of clients each from a day on: also when a trade or a level came
    late. Returns the findings that are new, by the day of the purchase."""
    policies = await uow.policies(Policies)
    longest = max(version.body.rise_before_purchase for version in policies.suitability.all)
    found_buys = await uow.sql.fetch(_AFTER_ANSWERS, list(since), list(since.values()), through, longest)
    buys = [Bought(*columns) for columns in found_buys]
    levels = await history.read(uow.sql, sorted({row.client_id for row in buys})) if buys else {}
    await CLIENTS.branches(uow.sql, levels)  # all of them at once, in their order
    new: list[GamingSuspected] = []
    for row in buys:
        policy, made = policies.on(row.trade_date), levels[row.client_id]
        before = history.lowest(made, row.settled_at - policy.rise_before_purchase, row.settled_at, policy.scheme)
        held = history.at(made, row.settled_at)
        needed = needed_of_buy(row, policy)
        if held is None or before is None or needed is None or needed <= before:
            continue
        if held_in(held.scheme, held.rank, policy.scheme) > before:
            subject, detail = f"client/{row.client_id}", {"trade_id": row.trade_id, "symbol": row.symbol}
            found = GamingFinding(
                "rise_before_purchase", subject, row.client_id, row.branch_id, detail | {"level": held.level}
            )
            start = row.trade_date - timedelta(days=policy.gaming.window_days - 1)
            new += await keep(uow, [found], row.trade_date, start)
    return new


async def _devices(uow: UnitOfWork, start: date, day: date, rules: Gaming) -> list[GamingFinding]:
    rows = await uow.sql.fetch(
        """SELECT device, count(DISTINCT client_id) AS clients FROM submissions
           WHERE device IS NOT NULL AND submitted_on BETWEEN $1 AND $2
           GROUP BY device HAVING count(DISTINCT client_id) >= $3 ORDER BY device""",
        start,
        day,
        rules.device_clients,
    )
    return [
        GamingFinding("shared_device", f"device/{row['device']}", detail={"clients": row["clients"]}) for row in rows
    ]


async def _branches(uow: UnitOfWork, start: date, day: date, rules: Gaming) -> list[GamingFinding]:
    """Branches whose staff-assisted sheets reach the highest level far more often than the other branches' sheets do."""
    highest = [scheme.levels[-1].code for scheme in SCHEMES.values()]
    rows = await uow.sql.fetch(
        """WITH sheets AS (SELECT branch_id, assisted, level = ANY($3::text[]) AS top FROM submissions
                           WHERE submitted_on BETWEEN $1 AND $2),
                firm AS (SELECT count(*) AS sheets, count(*) FILTER (WHERE top) AS tops FROM sheets),
                branches AS (SELECT branch_id, count(*) AS all_sheets, count(*) FILTER (WHERE top) AS all_tops,
                                    count(*) FILTER (WHERE assisted) AS sheets,
                                    count(*) FILTER (WHERE assisted AND top) AS tops
                             FROM sheets WHERE branch_id IS NOT NULL GROUP BY branch_id)
           SELECT b.branch_id, b.sheets, b.tops, f.sheets - b.all_sheets AS others, f.tops - b.all_tops AS others_tops
           FROM branches b, firm f
           WHERE b.sheets >= $4 AND f.sheets - b.all_sheets > 0 AND b.tops::numeric / b.sheets
                 >= $5 * greatest(f.tops - b.all_tops, 1) / (f.sheets - b.all_sheets)
           ORDER BY b.branch_id""",
        start,
        day,
        highest,
        rules.branch_minimum,
        rules.branch_ratio,
    )
    return [
        GamingFinding(
            "branch_pattern",
            f"branch/{row['branch_id']}",
            branch_id=row["branch_id"],
            detail={
                "sheets": row["sheets"],
                "highest": row["tops"],
                "others": row["others"],
                "others_highest": row["others_tops"],
                "by_chance": chance(row["tops"], row["sheets"], row["others_tops"], row["others"]),
            },
        )
        for row in rows
    ]


def chance(tops: int, sheets: int, others_tops: int, others: int) -> float:
    """How likely so many of a branch's sheets reach the highest level if they do so no more often than the others': the
    strength of the evidence (one-sided exact test), to three figures."""
    total, reached = sheets + others, tops + others_tops
    ways = sum(comb(reached, n) * comb(total - reached, sheets - n) for n in range(tops, min(sheets, reached) + 1))
    return float(f"{ways / comb(total, sheets):.3g}")


async def keep(uow: UnitOfWork, found: Sequence[GamingFinding], day: date, start: date) -> list[GamingSuspected]:
    """Keep what is not found yet in the window that begins with `start` and ends with the day; a client's in the branch where they
    are by now. Returns what is new."""
    new = []
    branches = await CLIENTS.branches(uow.sql, [one.client_id for one in found if one.client_id])
    for finding in found:
        kept = await uow.sql.fetchval(
            """INSERT INTO findings (pattern, subject, found_on, client_id, branch_id, detail)
               SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (
                   SELECT FROM findings WHERE pattern = $1 AND subject = $2 AND found_on BETWEEN $7 AND $3)
               RETURNING 1""",
            finding.pattern,
            finding.subject,
            day,
            finding.client_id,
            branches.get(finding.client_id or "", finding.branch_id),
            finding.detail,
            start,
        )
        if kept:
            new.append(GamingSuspected(subject=finding.subject, pattern=finding.pattern, found_on=day))
    return new
