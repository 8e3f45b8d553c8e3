"""HTTP in."""

from fastapi import APIRouter

from services.callbacks.api import coverage, evidence, findings, messages, policies, quality, replies, statistics, tasks

routes = APIRouter()
for part in (tasks, replies, evidence, findings, quality, coverage, messages, statistics, policies):
    routes.include_router(part.routes)
