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
    policies,
    quality,
    replies,
    statistics,
    tasks,
)

routes = APIRouter()
for part in (
    tasks, replies, evidence, findings, quality, coverage, messages, moments, mailings, interest, statistics, policies,
):  # fmt: skip
    routes.include_router(part.routes)
