"""The complaints service on one page: what it hears, sends, keeps and answers."""

from pathlib import Path

from chassis.clocks.store import stepped
from chassis.erasure import answering
from chassis.exports import Export
from chassis.replans import replan_limits
from chassis.service import Service
from contracts.broker import (
    BranchChanged,
    BrokerDayClosed,
    ComplaintReceived,
    StaffChanged,
)
from contracts.callbacks import DayCompleted as CallbacksDayCompleted
from contracts.callbacks import FindingRaised, TaskCompleted, TaskExhausted, TaskExpired
from contracts.classification import CoreChanged, TierChanged
from contracts.complaints import EVENTS, DayCompleted, ErasureAnswered
from contracts.messaging import FindingRaised as MessageFindingRaised
from contracts.messaging import MessageChanged
from contracts.platform import ErasureRequested
from contracts.relationships import FindingRaised as LogFindingRaised
from contracts.relationships import GrumbleHeard
from services.complaints import (
    accountability,
    api,
    channels,
    clocks,
    closing,
    corrections,
    dispatching,
    escalation,
    exports,
    followed_histories,
    groups,
    grumbles,
    handlers,
    leavers,
    retention,
    satisfaction,
    second_person,
    tables,
    telling,
)
from services.complaints.acts import ACTS
from services.complaints.packs import making
from services.complaints.policy import Policies

service = Service(
    name="complaints",
    tables=tables.metadata,
    routes=api.routes,
    migrations=Path(__file__).parent / "migrations",
    listens={
        ErasureRequested: answering(ErasureAnswered, retention.judge_erasure),
        StaffChanged: leavers.keep_people,
        BranchChanged: dispatching.keep_places,
        TierChanged: followed_histories.keep_tiers,
        CoreChanged: followed_histories.keep_core,
        **tables.CLIENTS.listens,
        ComplaintReceived: handlers.receive,
        FindingRaised: handlers.open_conduct_cases,
        LogFindingRaised: handlers.open_log_cases,
        MessageFindingRaised: handlers.open_sender_cases,
        GrumbleHeard: grumbles.keep_heard,
        MessageChanged: telling.follow,
        TaskCompleted: satisfaction.note_answers,
        TaskExhausted: satisfaction.await_surveys,
        TaskExpired: satisfaction.miss_calls,
    },
    publishes=EVENTS,
    waits_for=[BrokerDayClosed, CallbacksDayCompleted],
    closes=closing.close_days,
    catches_up=closing.catch_up,
    completes=DayCompleted,
    deadlines={
        "dispatch": dispatching.miss_dispatch,
        "send": dispatching.send_later,
        "phone": dispatching.miss_phone,
        "leaver": leavers.let_go,
        clocks.THIRD_PARTY: escalation.end_wait,
        clocks.SURVEY: satisfaction.close_unanswered,
        clocks.RESULT: stepped(escalation.climb),
        clocks.REPORT: stepped(escalation.miss_report),
        groups.ACTION: groups.miss_actions,
        accountability.PLAN: accountability.miss_plans,
        making.SIGN_OFF: making.watch,
    },
    replans={
        clocks.RESULT: clocks.read_dues,
        clocks.THIRD_PARTY: replan_limits(clocks.THIRD_PARTY),
        clocks.SURVEY: replan_limits(clocks.SURVEY),
        making.SIGN_OFF: making.replan,
    },
    accepts={ComplaintReceived: corrections.accept},
    policy=Policies,
    acts=[ACTS],
    approvals=second_person.KINDS,
    checks={"channels": channels.check},
    exports={"cases": Export(exports.CASE_COLUMNS, exports.cases)},
    signs=True,
    client_parts={"complaints": ""},
)
