"""Figures that pages name are those of the code: each sentence is written here with the value that the program uses."""

import re
from pathlib import Path

import pytest

from careline import doctor, platform, server, session, trust
from careline.demo import month
from careline.replay import progress
from chassis import breaker, worker
from chassis.http import edge, probes
from chassis.operations import gauges
from chassis.personal import fields
from chassis.settings import Settings
from gateway import ingest, oidc
from gateway.settings import GatewaySettings

ROOT = Path(__file__).parents[2]
KNOWN = Settings()
OWN = GatewaySettings()
OPERATIONS = (
    f"PostgreSQL {doctor.OLDEST} to {doctor.NEWEST}",
    f"`/readyz` warns from {probes.CLOCK_WARNS_SECONDS:.0f} s on, work waits from {worker.CLOCK_REFUSES_SECONDS:.0f} s on",
    f"{edge.BODY_SECONDS:.0f} s and a second more per {edge.SLOWEST_BODY_BYTES_A_SECOND // 1000} kB",
    f"`CARELINE_CONNECTIONS_PER_ADDRESS` connections ({KNOWN.connections_per_address})",
    f"{OWN.body_bytes:,} bytes a request",
    f"{ingest.LARGEST_BATCH:,} events a batch, {ingest.LARGEST_EVENT_BYTES:,} bytes of data an event",
    f"more than a fifth of the last {breaker.LAST_RECORDS:,}",
    f"`CARELINE_DRAIN_SECONDS` ({KNOWN.drain_seconds:.0f};",
    f"requests under way get {server.GRACE_SECONDS:.0f} s and batches {platform.DRAIN_SECONDS:.0f} s",
    f"`CARELINE_LOG_FILE_MB` ({KNOWN.log_file_mb})",
    f"`CARELINE_LOG_FILES` ({KNOWN.log_files}) older ones are kept, `CARELINE_LOG_DAYS` ({KNOWN.log_days}) at most",
    f"read from the database every {gauges.EVERY_SECONDS:.0f} s by every process",
    f"elsewhere a line every {progress.LINE_SECONDS:.0f} s",
    f"take a new key up within {fields.RENEW_SECONDS:.0f} seconds",
    f"Clocks may differ by {oidc.LEEWAY_SECONDS} seconds",
    f"see within {worker.LAG_EVERY_SECONDS:.0f} s that the database is newer",
    f"{trust.UNKNOWN_SIGNER} a file that is whole and of an unknown signer",
    f"130 and {session.TERMINATED} broken off",
)
SENTENCES = [("docs/operations.md", one) for one in OPERATIONS] + [
    ("README.md", f"{month.CLIENTS:,} clients, a month of work"),
    ("README.zh-CN.md", f"{month.CLIENTS:,}"),
]


@pytest.mark.parametrize(("page", "sentence"), SENTENCES)
def test_the_page_says_what_the_program_does(page: str, sentence: str) -> None:
    text = re.sub(r"\s+", " ", (ROOT / page).read_text("utf-8"))
    assert sentence in text


def test_a_fifth_is_the_share() -> None:
    assert breaker.LARGEST_SHARE == 0.2
