"""The small world of the gateway and the service of time."""

from tests.chassis.deadlines.conftest import real, timed

__all__ = ["real", "timed"]
