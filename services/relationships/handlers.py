"""Events in: profiles, valuations, what other services find of a client."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from chassis.bus.record import Record
from chassis.clients import day_of
from chassis.clock import business_date, start_of
from chassis.rows import columns, lists
from chassis.uow import UnitOfWork
from contracts.base import Event
from contracts.broker import (
    AssetsValued,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    CommissionAgreed,
    PermissionGranted,
    Profile,
)
from contracts.callbacks import ContactDataChanged, TaskAttempted
from contracts.classification import (
    ClassChanged,
    CoreChanged,
    GroupChanged,
    LifecycleChanged,
    MonthEvaluated,
    SupplementaryChanged,
    TierChanged,
)
from contracts.complaints import CaseOpened, SatisfactionRecorded
from contracts.products import AttendanceRecorded, SubscriptionChanged
from contracts.relationships import ProfileChanged
from contracts.suitability import AssessmentCompleted
from services.relationships import assignments, contacts, open_items, prospects
from services.relationships.entry import CONTACT
from services.relationships.information import keep, system_value
from services.relationships.system import PROFILE, SUPPLEMENTARY
from services.relationships.tables import CLIENTS, CORES, LIFECYCLES, SUBSCRIPTIONS, TIERS, Month, Valuation, Value

E = TypeVar("E", bound=Event)
CODES = {name: code for code, name in CONTACT.items()}
"""The indicator of each member of contact data."""


async def keep_opened(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """Clients as they are opened."""
    await _keep_profiles(uow, ClientOpened, events)


async def keep_updated(events: Sequence[ClientUpdated], uow: UnitOfWork) -> None:
    """Clients as their profiles change."""
    await _keep_profiles(uow, ClientUpdated, events)


async def _keep_profiles(uow: UnitOfWork, kind: type[Profile], events: Sequence[Profile]) -> None:
    records = uow.records(kind)
    moved = await CLIENTS.keep(uow, kind, events)
    await keep(
        uow,
        [
            system_value(
                event.client_id,
                code,
                day_of(event, record),
                record.time,
                record.id,
                "broker",
                uow.now,
                sealed=event.sealed[name].encode(),
            )
            for event, record in zip(events, records, strict=True)
            for name, code in PROFILE.items()
            if event.sealed.get(name)
        ],
    )
    said = [(record.time, record.id, _since(event, record)) for event, record in zip(events, records, strict=True)]
    await assignments.keep_words(uow, events, said)
    named = {event.client_id for event in events if event.manager_id or isinstance(event, ClientOpened)}
    await assignments.project(uow, named | moved.keys())
    await prospects.convert_opened(uow, events)


def _since(event: Profile, record: Record) -> datetime:
    """From when on an event's word counts: an opening's from the opening on."""
    return min(record.time, start_of(event.opened_on)) if isinstance(event, ClientOpened) else record.time


async def close_clients(events: Sequence[ClientClosed], uow: UnitOfWork) -> None:
    """The first closing of an account counts."""
    await CLIENTS.make(uow, sorted({event.client_id for event in events}))
    await uow.sql.execute(
        """UPDATE clients c SET closed_on = least(c.closed_on, n.closed_on)
           FROM (SELECT client_id, min(closed_on) AS closed_on FROM unnest($1::text[], $2::date[]) AS n(client_id, closed_on)
                 GROUP BY client_id) n WHERE c.client_id = n.client_id""",
        [event.client_id for event in events],
        [event.closed_on for event in events],
    )


async def keep_valuations(events: Sequence[AssetsValued], uow: UnitOfWork) -> None:
    """Assets by day, each with the word of the highest (ce_time, ce_id)."""
    best: dict[tuple[str, object], Valuation] = {}
    for event, record in zip(events, uow.records(AssetsValued), strict=True):
        one = Valuation(
            client_id=event.client_id, as_of=event.as_of, total_assets=event.total_assets, cash=event.cash,
            market_value=event.market_value, at=record.time, fact_id=record.id,
        )  # fmt: skip
        known = best.get((one.client_id, one.as_of))
        if known is None or (known.at, known.fact_id) < (one.at, one.fact_id):
            best[one.client_id, one.as_of] = one
    await uow.sql.execute(
        f"""INSERT INTO valuations AS v ({columns(Valuation)})
            SELECT * FROM unnest($1::text[], $2::date[], $3::numeric[], $4::numeric[], $5::numeric[], $6::timestamptz[],
                                 $7::text[])
            ON CONFLICT (client_id, as_of) DO UPDATE SET total_assets = excluded.total_assets, cash = excluded.cash,
                market_value = excluded.market_value, at = excluded.at, fact_id = excluded.fact_id
            WHERE (v.at, v.fact_id) < (excluded.at, excluded.fact_id)""",
        *lists(list(best.values())),
    )


async def keep_months(events: Sequence[MonthEvaluated], uow: UnitOfWork) -> None:
    """What a month's close found, each with its highest revision."""
    best: dict[tuple[str, object], Month] = {}
    for event in sorted(events, key=lambda one: one.revision):
        best[event.client_id, event.month_end] = Month(
            client_id=event.client_id, month_end=event.month_end, revision=event.revision,
            mean_assets=event.mean_assets, turnover=event.turnover, commission=event.commission,
            year_commission=event.year_commission, worth=event.value,
            value_type=event.value_type, rank=event.rank, investor_type=event.investor_type,
        )  # fmt: skip
    names = [name for name in Month.__struct_fields__ if name not in ("client_id", "month_end")]
    await uow.sql.execute(
        f"""INSERT INTO months AS m ({columns(Month)})
            SELECT * FROM unnest($1::text[], $2::date[], $3::int[], $4::numeric[], $5::numeric[], $6::numeric[],
                                 $7::numeric[], $8::numeric[], $9::text[], $10::int[], $11::text[])
            ON CONFLICT (client_id, month_end) DO UPDATE SET {", ".join(f"{n} = excluded.{n}" for n in names)}
            WHERE m.revision < excluded.revision""",
        *lists(list(best.values())),
    )


async def keep_permissions(events: Sequence[PermissionGranted], uow: UnitOfWork) -> None:
    """Trading permissions, each from its first grant."""
    await uow.sql.execute(
        """INSERT INTO permissions AS p (client_id, permission, granted_at)
           SELECT client_id, permission, min(at) FROM unnest($1::text[], $2::text[], $3::timestamptz[])
               AS n(client_id, permission, at) GROUP BY client_id, permission
           ON CONFLICT (client_id, permission) DO UPDATE SET granted_at = least(p.granted_at, excluded.granted_at)""",
        [event.client_id for event in events],
        [event.permission for event in events],
        [event.at for event in events],
    )


async def keep_tiers(changes: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Tiers as they are told."""
    await TIERS.keep(uow, changes)


async def keep_core(changes: Sequence[CoreChanged], uow: UnitOfWork) -> None:
    """Who is core, as it is told."""
    await CORES.keep(uow, changes)


async def keep_lifecycles(changes: Sequence[LifecycleChanged], uow: UnitOfWork) -> None:
    """Lifecycles as they are told."""
    await LIFECYCLES.keep(uow, changes)


async def keep_subscriptions(changes: Sequence[SubscriptionChanged], uow: UnitOfWork) -> None:
    """Subscriptions as products tells them."""
    await SUBSCRIPTIONS.keep(uow, changes)


async def keep_cases(events: Sequence[CaseOpened], uow: UnitOfWork) -> None:
    """Cases: a contact with the client, and something open."""
    await contacts.hear_cases(events, uow)
    await open_items.begin_cases(events, uow)
    await open_items.move_contacts(uow, [one.case_id for one in events])


async def keep_attempts(events: Sequence[TaskAttempted], uow: UnitOfWork) -> None:
    """Calls, visits and letters of callbacks: to clients, and to who booked an opening."""
    await contacts.hear_attempts(events, uow)
    await prospects.note_contacts(
        uow,
        [
            (one.client_id, one.attempted_at, one.valid_contact or one.outcome in contacts.TALKED)
            for one in events
            if one.channel != "internal"
        ],
    )


async def keep_contact_data(events: Sequence[ContactDataChanged], uow: UnitOfWork) -> None:
    """Contact data a client changed in a call, with its evidence: kept as the centre's word, and told to every service [CI2, B13]."""
    await keep(
        uow,
        [
            Value(
                client_id=event.client_id, code=CODES[name], day=business_date(event.changed_at), own=False,
                at=event.changed_at, fact_id=str(event.change_id), state="stated", source="H", person=event.agent,
                value=None, sealed=sealed.encode(), evidence=event.evidence or None, until=None, passed=None,
                recorded_at=uow.now,
            )
            for event in events
            for name, sealed in sorted(event.sealed.items())
            if name in CODES
        ],
    )  # fmt: skip
    for event in events:
        uow.emit(
            ProfileChanged(
                client_id=event.client_id, value_id=str(event.change_id), said_at=event.changed_at, sealed=event.sealed
            ),
            at=event.changed_at,
        )


async def keep_rates(events: Sequence[CommissionAgreed], uow: UnitOfWork) -> None:
    """Commission rates agreed, and taken back."""
    await keep(
        uow,
        [
            system_value(
                event.client_id, "CI-A11", event.effective_on, record.time, record.id, "broker", uow.now,
                value=None if event.withdrawn else format(event.rate, "f"),
            )
            for event, record in _with_records(uow, CommissionAgreed, events)
        ],
    )  # fmt: skip


async def keep_classes(events: Sequence[ClassChanged], uow: UnitOfWork) -> None:
    """The client's class."""
    await keep(
        uow,
        [
            system_value(
                event.client_id, "CI-C01", event.effective_on, record.time, _revision(event.revision), "classification",
                uow.now, value=event.code, source="E",
            )
            for event, record in _with_records(uow, ClassChanged, events)
        ],
    )  # fmt: skip


async def keep_groups(events: Sequence[GroupChanged], uow: UnitOfWork) -> None:
    """The client's group."""
    await keep(
        uow,
        [
            system_value(
                event.client_id, "CI-C04", event.changed_from, record.time, _revision(event.revision), "classification",
                uow.now, value=event.primary, source="E",
            )
            for event, record in _with_records(uow, GroupChanged, events)
        ],
    )  # fmt: skip


async def keep_supplementary(events: Sequence[SupplementaryChanged], uow: UnitOfWork) -> None:
    """Habits, value, style, preferences and behaviour, as managers enter them in classification [A5]."""
    await keep(
        uow,
        [
            system_value(
                event.client_id, SUPPLEMENTARY[event.kind], business_date(record.time), record.time,
                _revision(event.revision), "classification", uow.now, value=" ".join(event.codes) or None, source="M",
            )
            for event, record in _with_records(uow, SupplementaryChanged, events)
        ],
    )  # fmt: skip


async def keep_assessments(events: Sequence[AssessmentCompleted], uow: UnitOfWork) -> None:
    """The risk level, valid until its own date."""
    await keep(
        uow,
        [
            system_value(
                event.client_id, "CI-C12", event.valid_from, record.time, event.assessment_id, "suitability", uow.now,
                value=event.level, until=event.valid_until,
            )
            for event, record in _with_records(uow, AssessmentCompleted, events)
        ],
    )  # fmt: skip


async def keep_satisfaction(events: Sequence[SatisfactionRecorded], uow: UnitOfWork) -> None:
    """The latest satisfaction a client stated about a complaint."""
    await keep(
        uow,
        [
            system_value(
                event.client_id, "CI-S12", business_date(event.recorded_at), record.time, event.identity, "complaints",
                uow.now, value=event.outcome, source="E",
            )
            for event, record in _with_records(uow, SatisfactionRecorded, events)
            if event.client_id and not event.restricted
        ],
    )  # fmt: skip


async def keep_attendance(events: Sequence[AttendanceRecorded], uow: UnitOfWork) -> None:
    """The events of the club a client came to."""
    await keep(
        uow,
        [
            system_value(
                event.client_id, "CI-S17", event.held_on, record.time, event.identity, "products", uow.now,
                value=event.kind, source="E",
            )
            for event, record in _with_records(uow, AttendanceRecorded, events)
            if event.state == "attended"
        ],
    )  # fmt: skip


def _with_records(uow: UnitOfWork, kind: type[E], events: Sequence[E]) -> Iterable[tuple[E, Record]]:
    return zip(events, uow.records(kind), strict=True)


def _revision(number: int) -> str:
    """A revision as an id that sorts as revisions do."""
    return f"r{number:010}"
