"""The services measured here, each loaded alone: a lane's process carries nothing else."""

from importlib import import_module

from chassis.service import Service


def service_named(name: str) -> Service:
    """One service of the platform."""
    service: Service = import_module(f"services.{name}.app").service
    return service
