"""HTTP in."""

from fastapi import APIRouter

from services.callbacks.api import (
    coverage,
    evidence,
    findings,
    interest,
    mailings,
    messages,
    moments,
    quality,
    replies,
    retention,
    statistics,
    tasks,
)

routes = APIRouter()
for part in (
    tasks, replies, evidence, findings, quality, coverage, messages, moments, mailings, interest, retention, statistics,
):  # fmt: skip
    routes.include_router(part.routes)
