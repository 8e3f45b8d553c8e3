"""The gateway: the one door."""

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
