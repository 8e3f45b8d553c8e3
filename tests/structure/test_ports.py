"""Nothing but messaging opens a port to clients: no other service has a library that sends, or calls out [MS1]."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SENDS = {"aiosmtplib", "smtplib", "apprise", "imaplib", "aioimaplib"}
CALLS_OUT = {"httpx", "aiohttp", "requests", "urllib3"}
ELSEWHERE = {"services/callbacks/evidence_s3.py"}
"""Calls out, to where evidence is stored."""


def imported(path: Path) -> set[str]:
    """The libraries a module imports anywhere in it, and the packages of ours."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def senders() -> set[str]:
    """Modules of services that could send something: by their libraries, or by messaging's ports."""
    found = set()
    for path in sorted((ROOT / "services").rglob("*.py")):
        names = imported(path)
        if {name.partition(".")[0] for name in names} & (SENDS | CALLS_OUT):
            found.add(str(path.relative_to(ROOT)))
        if any(name.startswith("services.messaging.ports") for name in names) and "services/messaging" not in str(path):
            found.add(str(path.relative_to(ROOT)))
    return found


def test_nothing_but_messaging_opens_a_sending_port() -> None:
    found = senders()
    assert {one for one in found if not one.startswith("services/messaging/")} == ELSEWHERE
    assert {one for one in found if one.startswith("services/messaging/")}, "the test sees what it looks for"
    assert all(one.startswith("services/messaging/ports/") for one in found - ELSEWHERE)
