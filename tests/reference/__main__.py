"""`python -m tests.reference NAME FOLDER [--as-of DATE] [--until DATE] [--customers N]`: an export to stdout."""

import argparse
import csv
import sys
from datetime import date
from pathlib import Path

from .exports import EXPORTS, replay
from .facts import LAST_CLOSE


def main() -> None:
    """Replay the folder by the reference rules and print one export as CSV."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference")
    parser.add_argument("name", choices=sorted(EXPORTS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--as-of", type=date.fromisoformat)
    parser.add_argument("--until", type=date.fromisoformat)
    parser.add_argument("--customers", type=int)
    given = parser.parse_args()
    header, rows_at = EXPORTS[given.name]
    outcomes = replay(given.folder, given.until, given.customers)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(rows_at(outcomes, given.as_of or given.until or LAST_CLOSE))


if __name__ == "__main__":
    main()
