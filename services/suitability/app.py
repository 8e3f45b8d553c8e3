"""Suitability on one page."""

from pathlib import Path

from chassis.erasure import answering
from chassis.exports import Export
from chassis.service import Service
from contracts import suitability as contract
from contracts.broker import (
    AssessmentRecorded,
    AssetsValued,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    PermissionEnded,
    PermissionGranted,
    ProductPurchased,
    TradeCancelled,
    TradeSettled,
)
from contracts.platform import ErasureRequested
from contracts.products import ProductChanged
from services.suitability import (
    api,
    deadlines,
    decisions,
    exports,
    handlers,
    library,
    products,
    professionals,
    retention,
    reviews,
    tables,
    templates,
    trades,
    vulnerability,
)
from services.suitability.policy import Policies
from services.suitability.shadow import shadow

service = Service(
    name="suitability",
    routes=api.routes,
    listens={
        ErasureRequested: answering(contract.ErasureAnswered, retention.judge_erasure),
        ClientOpened: handlers.open_clients,
        ClientUpdated: handlers.update_clients,
        ClientClosed: handlers.close_clients,
        AssessmentRecorded: handlers.import_assessments,
        PermissionGranted: handlers.grant_permissions,
        PermissionEnded: handlers.end_permissions,
        ProductPurchased: handlers.keep_purchases,
        AssetsValued: handlers.keep_valuations,
        TradeSettled: handlers.keep_trades,
        TradeCancelled: handlers.keep_cancellations,
        ProductChanged: library.hear,
    },
    accepts={TradeSettled: trades.accept},
    publishes=contract.EVENTS,
    closes=deadlines.close_days,
    catches_up=deadlines.catch_up,
    completes=contract.DayCompleted,
    tables=tables.metadata,
    sealed=tables.SEALED,
    policy=Policies,
    shadow=shadow,
    acts=[reviews.ACTS],
    approvals=[
        products.CHANGE,
        products.BELOW_FLOOR,
        retention.HOLD_RELEASE,
        templates.REVIEW,
        professionals.STATUS,
        decisions.CONFIRMATION,
        vulnerability.END,
    ],
    migrations=Path(__file__).parent / "migrations",
    exports={
        "assessments": Export(exports.ASSESSMENT_COLUMNS, exports.assessments),
        "mismatches": Export(exports.MISMATCH_COLUMNS, exports.mismatches),
    },
    signs=True,
    client_parts={"suitability": ""},
)
