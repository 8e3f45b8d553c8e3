"""The points service on one page: what it hears, sends, keeps and answers."""

from pathlib import Path

from chassis.erasure import answering
from chassis.service import Service
from contracts.broker import BrokerDayClosed, ClientOpened, ClientUpdated, TradeCancelled, TradeSettled
from contracts.classification import DayCompleted as ClassificationDayCompleted
from contracts.classification import TierChanged
from contracts.platform import ErasureRequested
from contracts.points import DayCompleted, ErasureAnswered, PointsPosted
from services.points import api, handlers, tables
from services.points.policy import Policies
from services.points.shadow import shadow
from services.points.trades import SettledTrade

service = Service(
    name="points",
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    routes=api.routes,
    listens={
        ErasureRequested: answering(ErasureAnswered),
        ClientOpened: handlers.keep_branches_of_opened,
        ClientUpdated: handlers.keep_branches_of_updated,
        TierChanged: handlers.correct_for_changed_tiers,
        TradeSettled: handlers.award_points_for_trades,
        TradeCancelled: handlers.claw_back_for_cancelled_trades,
    },
    publishes=[PointsPosted, ErasureAnswered, DayCompleted],
    waits_for=[BrokerDayClosed, ClassificationDayCompleted],
    completes=DayCompleted,
    sealed=[tables.SEALED],
    views={TradeSettled: SettledTrade},
    accepts={TradeSettled: handlers.accept_other_content},
    policy=Policies,
    shadow=shadow,
)
