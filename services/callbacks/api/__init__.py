"""HTTP in."""

from chassis.http import joined
from services.callbacks.api import (
    coverage,
    evidence,
    findings,
    messages,
    moments,
    objections,
    quality,
    recorded,
    replanned,
    replies,
    retention,
    satisfaction,
    statistics,
    tasks,
)

parts = (
    tasks, replies, evidence, findings, quality, recorded, coverage, messages, moments, retention, satisfaction, statistics, replanned, objections,
)  # fmt: skip
routes = joined(*(part.routes for part in parts))
