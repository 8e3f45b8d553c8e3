"""The callbacks service on one page: what it hears, sends, keeps and answers."""

from pathlib import Path

from chassis import staff
from chassis.erasure import answering
from chassis.exports import Export
from chassis.service import Service
from contracts.broker import (
    BranchChanged,
    BrokerDayClosed,
    CallMissed,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    ClosingRequested,
    ContactRecorded,
    EnquiryReceived,
    FundsMoved,
    OpeningBooked,
    PermissionRequested,
    StaffChanged,
    SurveillanceAlerted,
)
from contracts.callbacks import EVENTS, DayCompleted, ErasureAnswered
from contracts.classification import DayCompleted as ClassificationDayCompleted
from contracts.classification import GroupChanged, LifecycleChanged, TierChanged
from contracts.complaints import CaseClosed, CaseCorrected, CaseFeedback, ChurnSignalled
from contracts.messaging import AddressFailed, MessageChanged
from contracts.platform import ErasureRequested
from contracts.relationships import ProfileChanged
from contracts.suitability import AssessmentCompleted, AssessmentExpiring, DecisionConfirmed
from contracts.suitability import DayCompleted as SuitabilityDayCompleted
from services.callbacks import (
    alarms,
    api,
    asking,
    closing,
    contacts,
    deadlines,
    exports,
    handlers,
    handover,
    leavers,
    moment_ladder,
    moments,
    recorded,
    results,
    tables,
    tasks,
)
from services.callbacks.acts import ACTS
from services.callbacks.evidence import EvidenceSettings
from services.callbacks.policy import Policies

service = Service(
    name="callbacks",
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    routes=api.routes,
    listens={
        ErasureRequested: answering(ErasureAnswered, contacts.judge_erasure),
        StaffChanged: leavers.keep_staff,
        BranchChanged: staff.keep_branches,
        ClientOpened: handlers.open_clients,
        ClientUpdated: handlers.update_clients,
        ClientClosed: handlers.close_clients,
        ProfileChanged: handlers.change_contact_data,
        TierChanged: handlers.note_tiers,
        GroupChanged: handlers.note_groups,
        LifecycleChanged: handlers.note_lifecycles,
        AssessmentCompleted: handlers.note_assessments,
        AssessmentExpiring: handlers.remind_of_assessments,
        DecisionConfirmed: handlers.call_back_after_confirmations,
        CaseFeedback: handlers.ask_for_satisfaction,
        CaseCorrected: handlers.follow_corrections,
        PermissionRequested: handlers.notice_permissions,
        SurveillanceAlerted: handlers.follow_alerts,
        ContactRecorded: recorded.hear,
        CallMissed: handlers.return_missed_calls,
        OpeningBooked: handlers.follow_bookings,
        EnquiryReceived: handlers.answer_enquiries,
        FundsMoved: moments.follow_flows,
        CaseClosed: moments.after_complaints,
        ClosingRequested: handlers.retain_leaving_clients,
        ChurnSignalled: handlers.care_for_grumblers,
        MessageChanged: asking.follow,
        AddressFailed: handlers.ask_for_contact_data,
    },
    publishes=EVENTS,
    waits_for=[BrokerDayClosed, ClassificationDayCompleted, SuitabilityDayCompleted],
    closes=closing.close_days,
    catches_up=closing.catch_up,
    completes=DayCompleted,
    sealed=[tables.SEALED],
    deadlines={
        tasks.LIMIT: deadlines.expire_tasks,
        results.SURVEY: deadlines.follow_surveys,
        alarms.TARGET: alarms.miss_targets,
        moment_ladder.MOMENT: alarms.miss_moments,
        alarms.NO_MANAGER: alarms.miss_managers,
    },
    replans={
        tasks.LIMIT: tasks.replan,
        results.SURVEY: results.replan_surveys,
        alarms.TARGET: alarms.replan_targets,
        moment_ladder.MOMENT: moments.replan,
    },
    policy=Policies,
    accepts={ContactRecorded: recorded.accept},
    approvals=[recorded.EARLIER],
    acts=[ACTS],
    loops={"hand over": handover.turn},
    exports={"callbacks": Export(exports.CALLBACK_COLUMNS, exports.callbacks)},
    keeps_evidence=True,
    settings=[EvidenceSettings],
    client_parts={"callbacks": "/tasks?limit=20"},
)
