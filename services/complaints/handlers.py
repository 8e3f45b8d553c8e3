"""Events in: where clients belong, complaints from other systems, findings of conduct, answers to satisfaction calls."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from chassis import staff
from chassis.clock import business_date
from chassis.personal.keys import Value
from chassis.staff import COMPLIANCE, HQ
from chassis.uow import UnitOfWork
from contracts.broker import ClientOpened, ClientUpdated, ComplaintReceived, Profile
from contracts.callbacks import FindingRaised
from services.complaints import relations
from services.complaints.intake import open_cases
from services.complaints.policy import Policies
from services.complaints.report import Report
from services.complaints.rules import REGULATORS
from services.complaints.seats import department_for

_FINDINGS = UUID("9f5c3d1e-26a8-5f0b-8c1d-7d3fb1f2a6c0")


async def open_clients(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """New clients: their branch and manager."""
    await _keep_clients(uow, events, ClientOpened)


async def update_clients(events: Sequence[ClientUpdated], uow: UnitOfWork) -> None:
    """Changed clients."""
    await _keep_clients(uow, events, ClientUpdated)


async def _keep_clients(uow: UnitOfWork, events: Sequence[Profile], kind: type[Profile]) -> None:
    newest: dict[str, tuple[object, ...]] = {}
    for event, record in zip(events, uow.records(kind), strict=True):
        sealed = (event.sealed.get(name, "").encode() or None for name in ("name", "phone"))
        row = (event.client_id, record.time, record.id, event.branch_id, event.manager_id, *sealed)
        known = newest.get(event.client_id)
        newest[event.client_id] = row if known is None else max(known, row, key=lambda r: r[1:3])
    await uow.sql.execute(
        """INSERT INTO clients AS c (client_id, stamp, event_id, branch_id, manager_id, name, phone)
           SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[])
           ON CONFLICT (client_id) DO UPDATE
           SET branch_id = coalesce(excluded.branch_id, c.branch_id),
               manager_id = coalesce(excluded.manager_id, c.manager_id),
               name = coalesce(excluded.name, c.name), phone = coalesce(excluded.phone, c.phone),
               stamp = excluded.stamp, event_id = excluded.event_id
           WHERE (excluded.stamp, excluded.event_id) > (c.stamp, c.event_id)""",
        *([row[n] for _, row in sorted(newest.items())] for n in range(7)),
    )


async def receive(events: Sequence[ComplaintReceived], uow: UnitOfWork) -> None:
    """Complaints of other systems, by the same rules as those reported here."""
    clients = [event.client_id for event in events if event.client_id and not event.branch_id]
    rows = await uow.sql.fetch("SELECT client_id, branch_id FROM clients WHERE client_id = ANY($1::text[])", clients)
    branches = {row["client_id"]: row["branch_id"] for row in rows}
    people = await staff.roster(uow.sql)
    policies = await uow.policies(Policies)
    words = await uow.database.keyring.open([Value(e.key_owner, "words", e.sealed.get("words")) for e in events])
    opened = await open_cases(
        uow,
        [
            Report(
                case_id=e.case_id,
                system=e.system,
                external_ref=e.external_ref,
                client_id=e.client_id,
                branch_id=e.branch_id or branches.get(e.client_id or "") or HQ,
                kind=e.kind,
                source=e.source,
                channel=e.channel,
                flow=e.flow,
                severity=_given(e),
                owner=e.owner or _department(people, policies, e),
                category=e.category,
                words=said or "",
                product=e.product,
                employee=e.employee,
                script=e.script,
                claim=e.claim,
                regulator_ref=e.regulator_ref,
                reply_due_on=e.reply_due_on,
                imported=e.imported,
                attributes=e.attributes,
                received_at=e.received_at,
                dispatched_at=e.dispatched_at,
            )
            for e, said in zip(events, words, strict=True)
        ],
    )
    await relations.find_refused_before(uow, [one.report for one in opened])


def _department(people: staff.Roster, policies: Policies, event: ComplaintReceived) -> str:
    limits = policies.limits.on(business_date(event.received_at)).body
    named = (event.employee,) if event.employee else ()
    return department_for(people, limits, event.category, event.received_at, named)


def _given(event: ComplaintReceived) -> str | None:
    """An import keeps the severity it comes with; without one its source decides, never a cluster [C7]."""
    if event.severity or not event.imported:
        return event.severity
    return "major" if event.source in REGULATORS else "ordinary"


async def open_conduct_cases(events: Sequence[FindingRaised], uow: UnitOfWork) -> None:
    """A finding of conduct opens a restricted case of compliance, hidden from who it concerns [B5, C28]."""
    people = await staff.roster(uow.sql)
    reports = []
    for e in events:
        holder = people.holder(HQ, COMPLIANCE, e.raised_at, avoid=e.concerned)
        reports.append(
            Report(
                case_id=uuid5(_FINDINGS, str(e.finding_id)),
                system="callbacks",
                external_ref=str(e.finding_id),
                client_id=e.client_id if not e.client_id.startswith("case:") else None,
                branch_id=e.branch_id or HQ,
                kind="conduct",
                channel="hotline",
                flow="centre",
                severity="major",
                owner=holder.staff_id if holder else f"seat:{HQ}/{COMPLIANCE}",
                category=e.kind,
                concerned=e.concerned,
                restricted=True,
                received_at=e.raised_at,
            )
        )
    await open_cases(uow, reports)
