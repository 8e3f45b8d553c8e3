"""The services of this platform, in one place. A new service is one import and one line."""

from chassis.service import Service
from gateway.app import service as gateway
from services.callbacks.app import service as callbacks
from services.classification.app import service as classification
from services.complaints.app import service as complaints
from services.messaging.app import service as messaging
from services.points.app import service as points
from services.products.app import service as products
from services.relationships.app import service as relationships
from services.suitability.app import service as suitability

SERVICES: tuple[Service, ...] = (
    gateway, classification, points, suitability, callbacks, complaints, products, relationships, messaging,
)  # fmt: skip


def named(*names: str) -> tuple[Service, ...]:
    """The services of these names; all of them without any.

    Raises: LookupError, with the names there are.
    """
    known = {service.name: service for service in SERVICES}
    if missing := [name for name in names if name not in known]:
        raise LookupError(f"there is no service {missing[0]!r}: choose from {', '.join(known)}")
    return tuple(known[name] for name in names) if names else SERVICES
