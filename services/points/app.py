"""The points service on one page: what it hears, sends, keeps and answers."""

from pathlib import Path

from chassis.erasure import answering
from chassis.exports import Export
from chassis.http import joined
from chassis.service import Service
from contracts.broker import BrokerDayClosed, ClientClosed, ClientOpened, ClientUpdated, TradeCancelled, TradeSettled
from contracts.classification import DayCompleted as ClassificationDayCompleted
from contracts.classification import LifecycleChanged, TierChanged
from contracts.complaints import SuggestionAdopted
from contracts.platform import ErasureRequested
from contracts.points import (
    DayCompleted,
    ErasureAnswered,
    LotsExpiring,
    PointsPosted,
    RedemptionCancelled,
    RedemptionRequested,
    RedemptionSettled,
    UpgradeApproved,
)
from contracts.products import RedemptionConfirmed, RedemptionRefused
from services.points import (
    adjustments,
    api,
    api_acts,
    api_adjustments,
    applications,
    expiry,
    exports,
    handlers,
    liability,
    redemptions,
    suggestions,
    tables,
)
from services.points.invariants import INVARIANTS
from services.points.policy import Policies
from services.points.shadow import shadow
from services.points.trades import SettledTrade

service = Service(
    name="points",
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    routes=joined(api_acts.routes, api_adjustments.routes, api.routes),
    listens={
        ErasureRequested: answering(ErasureAnswered),
        ClientOpened: handlers.open_clients,
        ClientUpdated: handlers.update_clients,
        ClientClosed: handlers.close_clients,
        LifecycleChanged: handlers.keep_lifecycles,
        SuggestionAdopted: suggestions.reward_adopted,
        TierChanged: handlers.correct_for_changed_tiers,
        TradeSettled: handlers.award_points_for_trades,
        TradeCancelled: handlers.claw_back_for_cancelled_trades,
        RedemptionConfirmed: redemptions.settle,
        RedemptionRefused: redemptions.refuse,
    },
    publishes=[
        PointsPosted,
        UpgradeApproved,
        RedemptionRequested,
        RedemptionSettled,
        RedemptionCancelled,
        LotsExpiring,
        ErasureAnswered,
        DayCompleted,
    ],
    waits_for=[BrokerDayClosed, ClassificationDayCompleted],
    closes=expiry.close,
    catches_up=expiry.catches_up,
    completes=DayCompleted,
    deadlines={redemptions.UNANSWERED: redemptions.ask_again, applications.VOID: applications.lapse},
    acts=[redemptions.ACTS, applications.ACTS],
    approvals=[adjustments.ADJUSTMENT, suggestions.SUGGESTION],
    checks={"redemptions": redemptions.check},
    invariants=INVARIANTS,
    sealed=[tables.SEALED],
    views={TradeSettled: SettledTrade},
    accepts={TradeSettled: handlers.accept_other_content},
    exports={
        "points": Export(exports.POINTS_COLUMNS, exports.points),
        "points-liability": Export(liability.COLUMNS, liability.exported),
    },
    client_parts={"points": "", "points_entries": "/entries?limit=10"},
    policy=Policies,
    shadow=shadow,
)
