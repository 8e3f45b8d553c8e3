"""The files of a closed month: CSV and xlsx, a manifest with their SHA-256, and its Ed25519 signature by the seal key.

The same close and key make the same bytes.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis import csv_files
from services.points.liability import COLUMNS, Close

Sheet = tuple[str, Sequence[tuple[str, ...]]]
TITLES = {"liability": "负债", "cohorts": "批次", "journal": "分录", "tie-out": "勾稽"}


def files_of(close: Close, key: Ed25519PrivateKey) -> dict[str, bytes]:
    """Every file by its name."""
    sheets = _sheets(close)
    files = {f"{name}.csv": csv_files.text_of(rows).encode() for name, rows in sheets}
    files["liability.xlsx"] = _workbook(close, sheets)
    manifest = {
        "format": "careline.points.liability/1",
        "month": close.month,
        "public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    files["manifest.json"] = msgspec.json.encode(manifest, order="deterministic")
    files["manifest.sig"] = key.sign(files["manifest.json"])
    return files


def _sheets(close: Close) -> list[Sheet]:
    month = [(name, close.row[name]) for name in COLUMNS] + [
        ("owed_by_clients", close.owed), ("breakage_rate", close.rate), ("method", close.method),
        ("policy", close.policy), ("liability_cny", close.liability),
    ]  # fmt: skip
    ends = [(one.tier, one.expires_on.isoformat() if one.expires_on else "", one.points) for one in close.cohorts]
    lines = [(one.debit, one.credit, one.amount, one.why) for one in close.journal]
    checks = [(one.what, one.ledger, one.other, "true" if one.holds else "false") for one in close.tie_out]
    return [
        ("liability", [("item", "value"), *month]),
        ("cohorts", [("tier", "expires_on", "points"), *ends]),
        ("journal", [("debit", "credit", "amount_cny", "why"), *lines]),
        ("tie-out", [("what", "ledger", "other", "holds"), *checks]),
    ]


def _workbook(close: Close, sheets: Sequence[Sheet]) -> bytes:
    import xlsxwriter  # heavy to load, and needed for a report now and then only

    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        # The month, not the moment of writing: the same close makes the same file.
        book.set_properties(
            {"title": f"积分负债 {close.month}", "created": datetime.fromisoformat(f"{close.month}-01")}
        )
        bold = book.add_format({"bold": True})
        for name, rows in sheets:
            sheet = book.add_worksheet(f"{TITLES[name]} {name}")
            sheet.set_column(0, len(rows[0]) - 1, 24)
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row, None if place else bold)
    return file.getvalue()
