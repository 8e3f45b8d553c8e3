"""The proof of the one-month and the 10 % rules as files [B3, B4]: ledgers of the firm and of each branch, their numbers,
and the SHA-256 of everything.

Whoever has a ledger can count it again; whoever has the manifest can tell that it is the same ledger. The sums are in the
form `sha256sum --check` reads. A branch's ledgers are the firm's own lines: together they are the firm's.
"""

import asyncio
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from chassis import csv_files
from chassis.folders import private_folder
from services.callbacks import coverage

STOCK, NEW = "coverage", "new-clients"
LINES_AT_ONCE = 50_000
NOWHERE = "no-branch"

# $1 the first day of the year, $2 the date asked for. Trained: validly contacted, with every mandatory answer, by the end
# of the month; what was known later changes nothing.
NEW_LEDGER = """
    SELECT t.client_id, coalesce(t.branch_id, '') AS branch_id,
           CASE WHEN a.on_day IS NOT NULL THEN 'trained'
                WHEN t.state = 'cancelled' AND t.ended_on <= $2 THEN 'not_owed'
                WHEN t.due_on <= $2 THEN 'breached'
                ELSE 'open' END AS standing,
           t.created_on AS opened_on, t.due_on, a.on_day AS trained_on, a.attempt_id, a.evidence_id
    FROM tasks t
    LEFT JOIN LATERAL (SELECT on_day, attempt_id, evidence_id FROM attempts
                       WHERE task_id = t.task_id AND covers AND on_day <= least(t.due_on, $2)
                       ORDER BY on_day, attempt_id LIMIT 1) a ON true
    WHERE t.rule = 'new' AND t.created_on >= $1 AND t.created_on <= $2"""
NEW_COLUMNS = (
    "client_id", "branch_id", "standing", "opened_on", "due_on", "trained_on", "attempt_id", "evidence_id",
)  # fmt: skip


async def write_proof(sql: asyncpg.Connection, as_of: date, folder: Path) -> dict[str, Any]:
    """Write the proof of the year of a date into a folder: ledgers, manifest, sums. The manifest is the answer."""
    await asyncio.to_thread(private_folder, folder)
    stock, new = (folder / f".{name}-{as_of}.rows" for name in (STOCK, NEW))
    arguments = await coverage.ledger_arguments(sql, as_of)
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        await _copy(sql, coverage.LEDGER, coverage.COLUMNS, arguments, stock)
        await _copy(sql, NEW_LEDGER, NEW_COLUMNS, arguments[:2], new)
        branches = await coverage.by_branch(sql, as_of)
    files, standings = await asyncio.to_thread(_written, folder, {STOCK: stock, NEW: new}, as_of)
    manifest = {
        "as_of": as_of.isoformat(),
        "policy": (await coverage.terms_of(sql, as_of))[1],
        "ledger": files[0]["name"],
        "sha256": files[0]["sha256"],
        "branches": [
            {
                "branch_id": b.branch_id,
                "counted": b.counted,
                "covered": b.covered,
                "covered_elsewhere": b.elsewhere,
                "needed": b.needed,
                "percent": str(b.percent),
                **b.left_out,
            }
            for b in branches
        ],
        "new_clients": [
            {"branch_id": branch, **dict(sorted(found.items()))} for branch, found in sorted(standings.items())
        ],
        "files": files,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    await asyncio.to_thread((folder / f"{STOCK}-{as_of}.json").write_text, text, "utf-8")
    await asyncio.to_thread(_write_sums, folder, as_of, [str(file["name"]) for file in files])
    return manifest


async def branch_ledger(sql: asyncpg.Connection, as_of: date, branch_id: str, rule: str) -> bytes:
    """One branch's ledger of a rule (`coverage` or `new-clients`) as CSV, byte for byte the file of the proof."""
    query, columns = (coverage.LEDGER, coverage.COLUMNS) if rule == STOCK else (NEW_LEDGER, NEW_COLUMNS)
    arguments = await coverage.ledger_arguments(sql, as_of)
    if rule != STOCK:
        arguments = arguments[:2]
    rows = await sql.fetch(
        f"SELECT {', '.join(columns)} FROM ({query}) l WHERE branch_id = ${len(arguments) + 1} "
        'ORDER BY client_id COLLATE "C"',
        *arguments,
        branch_id,
    )
    return csv_files.text_of([columns, *(tuple(row) for row in rows)]).encode()


async def _copy(
    sql: asyncpg.Connection, query: str, columns: tuple[str, ...], arguments: tuple[Any, ...], path: Path
) -> None:
    with path.open("wb") as file:
        await sql.copy_from_query(
            f'SELECT {", ".join(columns)} FROM ({query}) l ORDER BY client_id COLLATE "C"',
            *arguments,
            output=file,
            format="csv",
            header=True,
        )


def _written(
    folder: Path, raw: Mapping[str, Path], as_of: date
) -> tuple[list[dict[str, Any]], dict[str, Counter[str]]]:
    """The firm's ledgers, and those of its branches; every file with its SHA-256, and new clients by standing."""
    firms: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    standings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for rule, path in raw.items():
        firm, place = folder / f"{rule}-{as_of}.csv", folder / f"{rule}-{as_of}"
        private_folder(place)
        for old in place.glob("*.csv"):
            old.unlink()
        branches: dict[str, Path] = {}
        with path.open(encoding="utf-8", newline="") as read, csv_files.opened(firm) as file:
            rows = csv.reader(read)
            heading, whole = next(rows), csv_files.Rows(file)
            whole.write([heading])
            while some := list(islice(rows, LINES_AT_ONCE)):
                whole.write(some)
                for branch, lines in _by_branch(some).items():
                    begun = branch in branches
                    part = branches.setdefault(branch, place / f"{quote(branch, safe='') or NOWHERE}.csv")
                    with csv_files.opened(part, add=begun) as file_of_branch:
                        csv_files.Rows(file_of_branch).write(lines if begun else [heading, *lines])
                    if rule == NEW:
                        for key in ("", branch):
                            standings[key].update(line[2] for line in lines)
        path.unlink()
        firms.append(_described(folder, firm, rule, ""))
        parts += [_described(folder, branches[branch], rule, branch) for branch in sorted(branches)]
    return [*firms, *parts], standings


def _by_branch(rows: Sequence[list[str]]) -> dict[str, list[list[str]]]:
    found: defaultdict[str, list[list[str]]] = defaultdict(list)
    for row in rows:
        found[row[1]].append(row)
    return found


def _described(folder: Path, path: Path, rule: str, branch: str) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return {"name": path.relative_to(folder).as_posix(), "rule": rule, "branch_id": branch, "sha256": digest}


def _write_sums(folder: Path, as_of: date, names: list[str]) -> None:
    lines = []
    for name in (*names, f"{STOCK}-{as_of}.json"):
        with (folder / name).open("rb") as file:
            lines.append(f"{file_digest(file, 'sha256').hexdigest()}  {name}\n")
    (folder / f"{STOCK}-{as_of}.sha256").write_text("".join(lines), "utf-8")
