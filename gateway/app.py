"""The gateway on one page: a service whose log carries the broker's facts, and the app in front of all services."""

from pathlib import Path

from chassis.service import Service
from contracts import broker
from gateway.tables import metadata

service = Service(
    name="gateway",
    tables=metadata,
    migrations=Path(__file__).parent / "migrations",
    publishes=broker.EVENTS,
    waits_for=(),
)
