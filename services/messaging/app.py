"""Messaging on one page: what it hears, sends, keeps and answers."""

from pathlib import Path

from chassis import staff
from chassis.erasure import answering
from chassis.service import Service
from contracts import callbacks, complaints, products, suitability
from contracts.broker import (
    AllotmentMade,
    BranchChanged,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    ContactRecorded,
    HoldingValued,
    InstrumentNoticed,
    StaffChanged,
)
from contracts.classification import GroupChanged, TierChanged, TierDowngradeWarned
from contracts.messaging import EVENTS, DayCompleted, ErasureAnswered
from contracts.platform import ErasureRequested
from contracts.points import LotsExpiring
from contracts.products import ClubChanged, EntitlementChanged, SubscriptionChanged
from contracts.relationships import ContactDecided, ProfileChanged
from services.messaging import (
    api,
    contacts,
    followed,
    hand_over,
    handlers,
    line_facts,
    lines,
    loops,
    registers,
    registrations,
    tables,
    told,
)
from services.messaging.policy import Policies
from services.messaging.settings import MessageSettings

service = Service(
    name="messaging",
    tables=tables.metadata,
    migrations=Path(__file__).parent / "migrations",
    routes=api.routes,
    listens={
        ErasureRequested: answering(ErasureAnswered, handlers.judge_erasure),
        StaffChanged: staff.keep_staff,
        BranchChanged: staff.keep_branches,
        ClientOpened: handlers.open_clients,
        ClientUpdated: handlers.update_clients,
        ClientClosed: handlers.close_clients,
        ProfileChanged: handlers.change_addresses,
        ContactRecorded: registrations.follow_contacts,
        TierChanged: followed.keep_tiers,
        GroupChanged: followed.keep_groups,
        suitability.AssessmentCompleted: followed.keep_levels,
        ContactDecided: contacts.take_decisions,
        HoldingValued: line_facts.keep_holdings,
        InstrumentNoticed: line_facts.keep_notices,
        AllotmentMade: line_facts.keep_allotments,
        EntitlementChanged: line_facts.keep_entitlements,
        LotsExpiring: told.of_points,
        TierDowngradeWarned: told.of_tiers,
        SubscriptionChanged: told.of_subscriptions,
        ClubChanged: told.of_club,
        complaints.MessageRequested: handlers.take_requests,
        callbacks.MessageHandedOver: hand_over.take,  # before what takes one of them back
        callbacks.MessageRequested: handlers.take_requests,
        products.MessageRequested: handlers.take_requests,
        suitability.MessageRequested: handlers.take_requests,
        suitability.MatchDrifted: told.of_drift,
        suitability.RegisterMade: registers.tell,
    },
    publishes=EVENTS,
    closes=lines.close_days,
    catches_up=lines.catch_up,
    completes=DayCompleted,
    loops=loops.loops(),
    checks={"hand over": hand_over.check, "paid content": lines.check},
    policy=Policies,
    settings=[MessageSettings],
    client_parts={"messages": "/messages?limit=20"},
)
