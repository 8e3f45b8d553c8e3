"""Products on one page: what it hears, sends, keeps and answers."""

from pathlib import Path

from chassis.erasure import answering
from chassis.service import Service
from contracts.broker import BrokerDayClosed, ClientClosed, CommissionAgreed
from contracts.classification import DayCompleted as ClassificationDayCompleted
from contracts.platform import ErasureRequested
from contracts.products import DayCompleted, ErasureAnswered, FeeRateChanged, ProductChanged
from contracts.suitability import DayCompleted as SuitabilityDayCompleted
from services.products import api, clients, closing, library, rates, tables
from services.products.policy import Policies

service = Service(
    name="products",
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    routes=api.routes,
    listens={
        ErasureRequested: answering(ErasureAnswered),
        **tables.CLIENTS.listens,
        ClientClosed: clients.close,
        CommissionAgreed: rates.hear,
    },
    publishes=[ProductChanged, FeeRateChanged, ErasureAnswered, DayCompleted],
    waits_for=[BrokerDayClosed, ClassificationDayCompleted, SuitabilityDayCompleted],
    closes=closing.close_days,
    completes=DayCompleted,
    acts=[library.ACTS],
    policy=Policies,
)
