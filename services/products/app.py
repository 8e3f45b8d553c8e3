"""Products on one page: what it hears, sends, keeps and answers."""

from pathlib import Path

from chassis.erasure import answering
from chassis.exports import Export
from chassis.service import Service
from contracts.broker import AgreementEnded, AgreementSigned, BrokerDayClosed, ClientClosed, CommissionAgreed
from contracts.classification import DayCompleted as ClassificationDayCompleted
from contracts.classification import TierChanged
from contracts.platform import ErasureRequested
from contracts.points import RedemptionCancelled, RedemptionRequested
from contracts.products import (
    DayCompleted,
    ErasureAnswered,
    FeeRateChanged,
    ProductChanged,
    RedemptionConfirmed,
    RedemptionRefused,
    SubscriptionChanged,
)
from contracts.suitability import AssessmentCompleted, DecisionConfirmed, DecisionMade
from contracts.suitability import DayCompleted as SuitabilityDayCompleted
from services.products import api, clients, closing, exports, facts, library, rates, redemptions, subscriptions, tables
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
        AgreementSigned: facts.keep_agreements,
        AgreementEnded: facts.end_agreements,
        TierChanged: facts.keep_tiers,
        AssessmentCompleted: facts.keep_levels,
        DecisionMade: facts.keep_decisions,
        DecisionConfirmed: facts.keep_confirmations,
        RedemptionRequested: redemptions.deliver,
        RedemptionCancelled: redemptions.cancel,
    },
    publishes=[
        ProductChanged,
        FeeRateChanged,
        SubscriptionChanged,
        RedemptionConfirmed,
        RedemptionRefused,
        ErasureAnswered,
        DayCompleted,
    ],
    waits_for=[BrokerDayClosed, ClassificationDayCompleted, SuitabilityDayCompleted],
    closes=closing.close_days,
    completes=DayCompleted,
    acts=[library.ACTS, subscriptions.ACTS],
    exports={"subscriptions": Export(exports.SUBSCRIPTIONS, exports.subscriptions)},
    client_parts={"subscriptions": "/subscriptions?limit=10"},
    policy=Policies,
)
