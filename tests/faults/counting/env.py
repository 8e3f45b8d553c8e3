"""Runs the migrations of the small service."""

from chassis.migrate import run_environment

run_environment()
