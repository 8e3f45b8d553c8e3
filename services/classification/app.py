"""Classification on one page."""

from pathlib import Path

from chassis.erasure import answering
from chassis.exports import Export
from chassis.http import joined
from chassis.service import Service
from contracts import classification as contract
from contracts.broker import (
    AssetsValued,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    ClosingRequested,
    FundsMoved,
    ProductPurchased,
    TradeCancelled,
    TradeSettled,
)
from contracts.platform import ErasureRequested
from contracts.points import UpgradeApproved
from contracts.suitability import AssessmentCompleted
from services.classification import (
    api,
    api_grants,
    api_groups,
    api_supplementary,
    closing,
    conflicts,
    exports,
    grants,
    group_facts,
    group_tables,
    handlers,
    supplementary,
    supplementary_tables,
    tables,
)
from services.classification.policy import Policies
from services.classification.shadow import shadow

service = Service(
    name="classification",
    routes=joined(*(part.routes for part in (api_grants, api_groups, api_supplementary, api))),
    listens={
        ErasureRequested: answering(contract.ErasureAnswered),
        ClientOpened: handlers.open_clients,
        ClientUpdated: handlers.update_clients,
        ClosingRequested: handlers.note_closing_requests,
        ClientClosed: handlers.close_clients,
        AssetsValued: handlers.record_valuations,
        TradeSettled: handlers.record_trades,
        TradeCancelled: handlers.cancel_trades,
        FundsMoved: handlers.record_transfers,
        ProductPurchased: handlers.record_purchases,
        AssessmentCompleted: supplementary.keep_risk_levels,
        UpgradeApproved: grants.grant_for_points,
    },
    publishes=contract.EVENTS,
    closes=closing.close_days,
    catches_up=closing.catch_up,
    completes=contract.DayCompleted,
    tables=supplementary_tables.metadata,  # one metadata; every file of tables adds to it
    sealed=(*tables.SEALED, *group_tables.SEALED),
    accepts={
        TradeSettled: conflicts.accept_trades,
        ClientOpened: conflicts.accept_openings,
        FundsMoved: group_facts.accept_transfers,
        ProductPurchased: group_facts.accept_purchases,
    },
    policy=Policies,
    approvals=[grants.GRANT],
    shadow=shadow,
    migrations=Path(__file__).parent / "migrations",
    exports={
        "tiers": Export(exports.TIER_COLUMNS, exports.tiers),
        "groups": Export(exports.GROUP_COLUMNS, exports.groups),
    },
    client_parts={"classification": "", "classification_explained": "/explain"},
)
