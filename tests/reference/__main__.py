"""`python -m tests.reference NAME FOLDER [--as-of DATE] [--until DATE] [--customers N]`: an export to stdout."""

import argparse
import csv
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

from .callbacks import callback_rows
from .cases import case_rows
from .exports import Replayed, Row, client_rows, point_rows, replay, tier_rows
from .facts import LAST_CLOSE
from .groups import group_rows
from .suitability import assessment_rows, mismatch_rows

EXPORTS: dict[str, tuple[str, Callable[[Replayed, date], list[Row]]]] = {
    "clients": (
        "client_id,branch_id,opened_on,class,provisional,asset_mean,turnover,tier,points,debt",
        client_rows,
    ),
    "tiers": ("client_id,tier,from,to,reason", tier_rows),
    "points": ("client_id,trade_id,points", point_rows),
    "groups": ("client_id,group,lifecycle,value,value_type,core", group_rows),
    "assessments": ("client_id,level,valid_from,valid_until", assessment_rows),
    "mismatches": ("client_id,trade_id,trade_date,symbol,level_needed,level_held,reason", mismatch_rows),
    "callbacks": ("client_id,rule,branch_id,created_on,due_on,state", callback_rows),
}
CASES = "external_ref,received_on,source,channel,flow,severity,state,owner,branch_id,dispatch_met,due_on"


def main() -> None:
    """Replay the folder by the reference rules and print one export as CSV."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference")
    parser.add_argument("name", choices=sorted([*EXPORTS, "cases"]))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--as-of", type=date.fromisoformat)
    parser.add_argument("--until", type=date.fromisoformat)
    parser.add_argument("--customers", type=int)
    given = parser.parse_args()
    if given.name == "cases":
        header, rows = CASES, case_rows(given.folder)
    else:
        header, rows_at = EXPORTS[given.name]
        replayed = replay(given.folder, given.until, given.customers)
        rows = rows_at(replayed, given.as_of or given.until or LAST_CLOSE)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(rows)


if __name__ == "__main__":
    main()
