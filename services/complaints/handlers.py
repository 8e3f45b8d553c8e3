"""Events in: complaints from other systems, findings of conduct, answers to satisfaction calls."""

from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID, uuid5

from chassis import staff
from chassis.clock import business_date
from chassis.personal.keys import Value
from chassis.staff import HQ
from chassis.uow import UnitOfWork
from contracts.broker import ComplaintReceived
from contracts.callbacks import FindingRaised
from contracts.messaging import FindingRaised as MessageFindingRaised
from contracts.relationships import FindingRaised as LogFindingRaised
from services.complaints import relations
from services.complaints.intake import open_cases
from services.complaints.policy import Policies
from services.complaints.report import Report
from services.complaints.rules import CONDUCT, REGULATORS
from services.complaints.seats import conduct_holder, department_for
from services.complaints.tables import CLIENTS

_FINDINGS = UUID("9f5c3d1e-26a8-5f0b-8c1d-7d3fb1f2a6c0")


async def receive(events: Sequence[ComplaintReceived], uow: UnitOfWork) -> None:
    """Complaints of other systems, by the same rules as those reported here."""
    branches = await _branches_on(
        uow, {(e.client_id, business_date(e.received_at)) for e in events if e.client_id and not e.branch_id}
    )
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
                branch_id=e.branch_id or branches.get((e.client_id or "", business_date(e.received_at))) or HQ,
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


async def _branches_on(uow: UnitOfWork, wanted: Collection[tuple[str, date]]) -> dict[tuple[str, date], str]:
    """The branch of each client on a day, where it is known."""
    rows = await uow.sql.fetch(
        f"""SELECT c.client_id, n.day, {CLIENTS.on("branch_id")} FROM unnest($1::text[], $2::date[]) AS n(client_id, day)
            JOIN clients c USING (client_id) {CLIENTS.join("n.day")}""",
        [client for client, _ in wanted],
        [day for _, day in wanted],
    )
    return {(client, day): branch for client, day, branch in rows}


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
        reports.append(
            Report(
                case_id=uuid5(_FINDINGS, str(e.finding_id)),
                system="callbacks",
                external_ref=str(e.finding_id),
                client_id=e.client_id if not e.client_id.startswith("case:") else None,
                branch_id=e.branch_id or HQ,
                kind=CONDUCT,
                channel="hotline",
                flow="centre",
                severity="major",
                owner=conduct_holder(people, e.raised_at, e.concerned).staff_id,
                category=e.kind,
                concerned=e.concerned,
                restricted=True,
                received_at=e.raised_at,
            )
        )
    await open_cases(uow, reports)


async def open_log_cases(events: Sequence[LogFindingRaised], uow: UnitOfWork) -> None:
    """A finding in the service log, words nobody may say or an order taken for a client, opens one as well [A12, C28]."""
    await _open_conduct(events, "relationships", uow)


async def open_sender_cases(events: Sequence[MessageFindingRaised], uow: UnitOfWork) -> None:
    """And so does who writes to a client from an address that is not registered [MS14]; what is nobody's conduct opens none."""
    await _open_conduct([e for e in events if e.staff_id and e.client_id], "messaging", uow)


async def _open_conduct(
    events: Sequence[LogFindingRaised] | Sequence[MessageFindingRaised], system: str, uow: UnitOfWork
) -> None:
    people = await staff.roster(uow.sql)
    named = {(e.client_id, business_date(e.raised_at)) for e in events if e.client_id}
    branches, reports = await _branches_on(uow, named), []
    for e in events:
        concerned = [e.staff_id] if e.staff_id else []
        branch = branches.get((e.client_id, business_date(e.raised_at))) if e.client_id else None
        reports.append(
            Report(
                case_id=uuid5(_FINDINGS, str(e.finding_id)),
                system=system,
                external_ref=str(e.finding_id),
                client_id=e.client_id,
                branch_id=branch or HQ,
                kind=CONDUCT,
                channel="hotline",
                flow="centre",
                severity="major",
                owner=conduct_holder(people, e.raised_at, concerned).staff_id,
                category=e.kind,
                concerned=concerned,
                restricted=True,
                received_at=e.raised_at,
            )
        )
    await open_cases(uow, reports)
