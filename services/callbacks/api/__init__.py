"""HTTP in."""

from chassis.http import joined
from services.callbacks.api import (
    coverage,
    evidence,
    findings,
    interest,
    mailings,
    messages,
    moments,
    quality,
    recorded,
    replies,
    retention,
    statistics,
    tasks,
)

parts = (
    tasks, replies, evidence, findings, quality, recorded, coverage, messages, moments, mailings, interest, retention, statistics,
)  # fmt: skip
routes = joined(*(part.routes for part in parts))
