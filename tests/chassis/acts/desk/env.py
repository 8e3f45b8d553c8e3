"""Alembic's entry: see chassis.migrate."""

from chassis.migrate import run_environment

run_environment()
