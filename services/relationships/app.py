"""Relationships on one page."""

from pathlib import Path

from chassis.erasure import answering
from chassis.exports import Export
from chassis.service import Service
from contracts.broker import (
    AssetsValued,
    BranchChanged,
    BrokerDayClosed,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    CommissionAgreed,
    ContactRecorded,
    OpeningBooked,
    PermissionGranted,
    QuotaReported,
    StaffChanged,
)
from contracts.callbacks import (
    ContactDataChanged,
    TaskAttempted,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskExhausted,
    TaskExpired,
)
from contracts.callbacks import DayCompleted as CallbacksDayCompleted
from contracts.classification import (
    ClassChanged,
    CoreChanged,
    GroupChanged,
    LifecycleChanged,
    MonthEvaluated,
    SupplementaryChanged,
    TierChanged,
)
from contracts.classification import DayCompleted as ClassificationDayCompleted
from contracts.complaints import CaseClosed, CaseCorrected, CaseOpened, CaseReopened, SatisfactionRecorded
from contracts.complaints import DayCompleted as ComplaintsDayCompleted
from contracts.messaging import ContactRequested, MessageChanged, ReplyReceived
from contracts.platform import ErasureRequested
from contracts.products import AttendanceRecorded, SubscriptionChanged
from contracts.products import DayCompleted as ProductsDayCompleted
from contracts.relationships import (
    AssignmentChanged,
    ContactDecided,
    DayCompleted,
    ErasureAnswered,
    FindingRaised,
    GrumbleHeard,
    ObjectionChanged,
    ProfileChanged,
    ProspectErased,
)
from contracts.suitability import AssessmentCompleted
from services.relationships import (
    advice,
    allocations,
    api,
    assignments,
    budget,
    changes,
    closing,
    contacts,
    day_plans,
    exports,
    handlers,
    held_away,
    open_items,
    outcomes,
    prospects,
    questions,
    retention,
    spot_checks,
    tables,
    visits,
)
from services.relationships.acting import NAMED
from services.relationships.invariants import INVARIANTS
from services.relationships.policy import Policies

service = Service(
    name="relationships",
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    routes=api.routes,
    listens={
        ErasureRequested: answering(ErasureAnswered, retention.judge_erasure),
        StaffChanged: assignments.keep_people,
        BranchChanged: assignments.keep_places,
        ClientOpened: handlers.keep_opened,
        ClientUpdated: handlers.keep_updated,
        ClientClosed: handlers.close_clients,
        AssetsValued: handlers.keep_valuations,
        CommissionAgreed: handlers.keep_rates,
        PermissionGranted: handlers.keep_permissions,
        TierChanged: handlers.keep_tiers,
        CoreChanged: handlers.keep_core,
        LifecycleChanged: handlers.keep_lifecycles,
        ClassChanged: handlers.keep_classes,
        GroupChanged: handlers.keep_groups,
        SupplementaryChanged: handlers.keep_supplementary,
        MonthEvaluated: handlers.keep_months,
        AssessmentCompleted: handlers.keep_assessments,
        SatisfactionRecorded: outcomes.hear_satisfaction,
        TaskAttempted: handlers.keep_attempts,
        ContactDataChanged: handlers.keep_contact_data,
        OpeningBooked: prospects.keep_bookings,
        QuotaReported: held_away.keep_quotas,
        ContactRecorded: contacts.hear_recorded,
        CaseOpened: handlers.keep_cases,
        MessageChanged: contacts.hear_messages,
        ReplyReceived: contacts.hear_replies,
        ContactRequested: budget.decide,
        SubscriptionChanged: handlers.keep_subscriptions,
        TaskCreated: open_items.begin_tasks,
        TaskCompleted: open_items.complete_tasks,
        TaskCancelled: open_items.cancel_tasks,
        TaskExpired: open_items.expire_tasks,
        TaskExhausted: open_items.exhaust_tasks,
        CaseClosed: outcomes.hear_closed,
        CaseReopened: open_items.reopen_cases,
        CaseCorrected: open_items.correct_cases,
        AttendanceRecorded: handlers.keep_attendance,
    },
    publishes=[
        ProfileChanged,
        AssignmentChanged,
        ObjectionChanged,
        GrumbleHeard,
        FindingRaised,
        ContactDecided,
        ErasureAnswered,
        ProspectErased,
        DayCompleted,
    ],
    waits_for=[
        BrokerDayClosed,
        ClassificationDayCompleted,
        CallbacksDayCompleted,
        ComplaintsDayCompleted,
        ProductsDayCompleted,
    ],
    closes=closing.close_days,
    completes=DayCompleted,
    invariants=INVARIANTS,
    sealed=[tables.SEALED],
    acts=[visits.ACTS, changes.ACTS, prospects.ACTS, spot_checks.ACTS, questions.ACTS, advice.ACTS],
    approvals=[NAMED, allocations.ALLOCATION, day_plans.PLANNED],
    loops={"allocations": allocations.solve_next},
    checks={"allocations": allocations.check},
    exports={
        "information": Export(exports.INFORMATION_COLUMNS, exports.information_scores),
        "register": Export(exports.REGISTER_COLUMNS, exports.register),
        "assignments": Export(exports.ASSIGNMENT_COLUMNS, exports.assignments),
        "prospects": Export(exports.PROSPECT_COLUMNS, exports.prospects),
    },
    client_parts={"information": "/information", "team": "/team"},
    policy=Policies,
)
