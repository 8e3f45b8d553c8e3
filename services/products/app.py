"""Products on one page: what it hears, sends, keeps and answers."""

from pathlib import Path

from chassis.erasure import answering
from chassis.exports import Export
from chassis.service import Service
from contracts import complaints, suitability
from contracts.broker import (
    AgreementEnded,
    AgreementSigned,
    BrokerDayClosed,
    ClientClosed,
    ClientOpened,
    CommissionAgreed,
    EntrustedValued,
    PaymentRecorded,
    TradeCancelled,
    TradeSettled,
)
from contracts.classification import ClassChanged, CoreChanged, MonthEvaluated, SupplementaryChanged, TierChanged
from contracts.classification import DayCompleted as ClassificationDayCompleted
from contracts.messaging import EntitlementsRequested, ReplyReceived
from contracts.platform import ErasureRequested
from contracts.points import RedemptionCancelled, RedemptionRequested
from contracts.products import (
    AttendanceRecorded,
    ChargePosted,
    ClubChanged,
    DayCompleted,
    EntitlementChanged,
    ErasureAnswered,
    FeeRateChanged,
    MessageRequested,
    ProductChanged,
    RedemptionConfirmed,
    RedemptionRefused,
    SubscriptionChanged,
)
from contracts.suitability import AssessmentCompleted, DecisionConfirmed, DecisionMade, ProfessionalChanged
from contracts.suitability import DayCompleted as SuitabilityDayCompleted
from services.products import (
    api,
    charges,
    closing,
    club,
    club_events,
    differences,
    entitlements,
    exports,
    facts,
    hospitality,
    library,
    overrides,
    rates,
    redemptions,
    subscriptions,
    tables,
    unsubscribing,
)
from services.products.invariants import INVARIANTS
from services.products.policy import Policies
from services.products.shadow import prove, shadow

service = Service(
    name="products",
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    routes=api.routes,
    listens={
        ErasureRequested: answering(ErasureAnswered),
        **tables.CLIENTS.listens,
        ClientOpened: facts.open_clients,
        ClientClosed: facts.close_clients,
        CommissionAgreed: rates.hear,
        TradeSettled: differences.keep_trades,
        TradeCancelled: differences.keep_cancellations,
        AgreementSigned: facts.keep_agreements,
        AgreementEnded: facts.end_agreements,
        EntrustedValued: charges.keep_entrusted,
        PaymentRecorded: charges.keep_payments,
        TierChanged: facts.keep_tiers,
        CoreChanged: facts.keep_core,
        SupplementaryChanged: facts.keep_habits,
        ClassChanged: club.keep_classes,
        MonthEvaluated: club.keep_months,
        suitability.HoldPlaced: facts.placing("suitability"),
        suitability.HoldLifted: facts.lifting("suitability"),
        complaints.HoldPlaced: facts.placing("complaints"),
        complaints.HoldLifted: facts.lifting("complaints"),
        AssessmentCompleted: facts.keep_levels,
        ProfessionalChanged: club_events.keep_professionals,
        DecisionMade: facts.keep_decisions,
        DecisionConfirmed: facts.keep_confirmations,
        RedemptionRequested: redemptions.deliver,
        RedemptionCancelled: redemptions.cancel,
        ReplyReceived: unsubscribing.hear,
        EntitlementsRequested: entitlements.tell_again,
    },
    publishes=[
        ProductChanged,
        FeeRateChanged,
        SubscriptionChanged,
        EntitlementChanged,
        ClubChanged,
        AttendanceRecorded,
        ChargePosted,
        RedemptionConfirmed,
        RedemptionRefused,
        MessageRequested,
        ErasureAnswered,
        DayCompleted,
    ],
    waits_for=[BrokerDayClosed, ClassificationDayCompleted, SuitabilityDayCompleted],
    closes=closing.close_days,
    catches_up=charges.catches_up,
    completes=DayCompleted,
    sealed=[tables.SEALED],
    invariants=INVARIANTS,
    acts=[library.ACTS, subscriptions.ACTS, club.ACTS, club_events.ACTS, club_events.REGISTRATIONS, hospitality.ACTS],
    exports={
        "subscriptions": Export(exports.SUBSCRIPTIONS, exports.subscriptions),
        "entitlements": Export(exports.ENTITLEMENTS, exports.entitlements),
        "charges": Export(exports.CHARGES, exports.charges),
        "club": Export(exports.CLUB, exports.club),
        "club-events": Export(exports.CLUB_EVENTS, exports.club_events),
        "hospitality": Export(exports.HOSPITALITY, exports.hospitality),
    },
    client_parts={"subscriptions": "/subscriptions?limit=10", "entitlements": "/entitlements", "club": "/club"},
    approvals=[overrides.OVERRIDE, club.INVITATION, hospitality.GIVEN],
    policy=Policies,
    shadow=shadow,
    proofs={"catalogue": prove},
)
