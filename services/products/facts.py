"""What others tell that subscriptions are judged by: tiers, decisions, levels, agreements. Kept, in whatever order it comes."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Protocol

from chassis import rows
from chassis.clock import business_date
from chassis.uow import UnitOfWork
from contracts.broker import AgreementEnded, AgreementSigned, ClientClosed, ClientOpened
from contracts.classification import CoreChanged, SupplementaryChanged, TierChanged
from contracts.suitability import AssessmentCompleted, DecisionConfirmed, DecisionMade, HoldPlaced
from services.products import clients, entitlements
from services.products.policy import Policies
from services.products.tables import CLIENTS, CORES, TIERS, HabitRow


async def open_clients(opened: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """An account that opens has the basic services."""
    await CLIENTS.keep(uow, ClientOpened, opened)
    await _resolve(uow, opened)


async def close_clients(closed: Sequence[ClientClosed], uow: UnitOfWork) -> None:
    """The earliest word on an account's end counts; nothing is left from then on."""
    ends: dict[str, date] = {}
    for event in closed:
        ends[event.client_id] = min(event.closed_on, ends.get(event.client_id, event.closed_on))
    await clients.lock(uow, list(ends))
    await uow.sql.execute(
        """UPDATE clients c SET closed_on = least(c.closed_on, n.day)
           FROM unnest($1::text[], $2::date[]) AS n(client_id, day) WHERE c.client_id = n.client_id""",
        list(ends),
        list(ends.values()),
    )
    await _resolve(uow, closed)


async def keep_tiers(changes: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Take over tiers; what they end is found when the day closes [S5]."""
    await clients.lock(uow, [one.client_id for one in changes])
    await TIERS.keep(uow, changes)
    await _resolve(uow, changes)


async def keep_decisions(made: Sequence[DecisionMade], uow: UnitOfWork) -> None:
    """Keep decisions on purchases."""
    buys = [one for one in made if one.side == "buy"]
    await uow.sql.execute(
        """INSERT INTO decisions (decision_id, client_id, product, outcome, decided_at)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
           ON CONFLICT (decision_id) DO UPDATE SET outcome = excluded.outcome, decided_at = excluded.decided_at""",
        [one.decision_id for one in buys],
        [one.client_id for one in buys],
        [one.product for one in buys],
        [one.outcome for one in buys],
        [one.decided_at for one in buys],
    )


async def keep_confirmations(confirmed: Sequence[DecisionConfirmed], uow: UnitOfWork) -> None:
    """Keep what clients insisted on, which may be heard before the decision itself."""
    await uow.sql.execute(
        """INSERT INTO decisions (decision_id, client_id, product, confirmed_at, valid_until)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::date[])
           ON CONFLICT (decision_id) DO UPDATE SET confirmed_at = excluded.confirmed_at, valid_until = excluded.valid_until""",
        [one.decision_id for one in confirmed],
        [one.client_id for one in confirmed],
        [one.product for one in confirmed],
        [one.confirmed_at for one in confirmed],
        [one.valid_until for one in confirmed],
    )


async def keep_levels(completed: Sequence[AssessmentCompleted], uow: UnitOfWork) -> None:
    """Keep levels with their last day: an expiry says nothing that is not known by then."""
    await clients.lock(uow, [one.client_id for one in completed])
    await uow.sql.execute(
        """INSERT INTO levels (client_id, assessment_id, level, valid_from, valid_until)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::date[]) ON CONFLICT DO NOTHING""",
        [one.client_id for one in completed],
        [one.assessment_id for one in completed],
        [one.level for one in completed],
        [one.valid_from for one in completed],
        [one.valid_until for one in completed],
    )
    await _resolve(uow, completed)


async def keep_agreements(signed: Sequence[AgreementSigned], uow: UnitOfWork) -> None:
    """Keep agreements signed; the first word on one stays."""
    await clients.lock(uow, [one.client_id for one in signed])
    await uow.sql.execute(
        """INSERT INTO agreements AS a (client_id, agreement_id, kind, ref, signed_on)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[])
           ON CONFLICT (client_id, agreement_id) DO UPDATE
           SET kind = excluded.kind, ref = excluded.ref, signed_on = excluded.signed_on WHERE a.signed_on IS NULL""",
        *_columns(signed),
    )
    await _resolve(uow, signed)


async def end_agreements(ended: Sequence[AgreementEnded], uow: UnitOfWork) -> None:
    """Keep ends, also those of agreements not heard of yet; the earliest counts."""
    first: dict[tuple[str, str], AgreementEnded] = {}
    for one in sorted(ended, key=lambda one: one.on):
        first.setdefault((one.client_id, one.agreement_id), one)
    await clients.lock(uow, [one.client_id for one in ended])
    await uow.sql.execute(
        """INSERT INTO agreements AS a (client_id, agreement_id, kind, ref, ended_on)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[])
           ON CONFLICT (client_id, agreement_id) DO UPDATE SET ended_on = least(a.ended_on, excluded.ended_on)""",
        *_columns(list(first.values())),
    )
    await _resolve(uow, ended)


def _columns(events: Sequence[AgreementSigned]) -> list[list[object]]:
    unique = {(one.client_id, one.agreement_id): one for one in reversed(events)}
    return [
        [getattr(one, name) for one in unique.values()] for name in ("client_id", "agreement_id", "kind", "ref", "on")
    ]


async def keep_core(changes: Sequence[CoreChanged], uow: UnitOfWork) -> None:
    """Take over who is core, and since when."""
    await clients.lock(uow, [one.client_id for one in changes])
    await CORES.keep(uow, changes)
    await _resolve(uow, changes)


async def keep_habits(changes: Sequence[SupplementaryChanged], uow: UnitOfWork) -> None:
    """Keep habits, each from the day it was entered."""
    records = uow.records(SupplementaryChanged)
    entered = [
        HabitRow(one.client_id, one.revision, business_date(record.time), next(iter(_letters(one.codes)), None))
        for one, record in zip(changes, records, strict=True)
        if one.kind == "HABIT"
    ]
    if entered:
        await clients.lock(uow, [one.client_id for one in entered])
        await uow.sql.execute(
            """INSERT INTO habits (client_id, revision, since, code)
               SELECT * FROM unnest($1::text[], $2::int[], $3::date[], $4::text[]) ON CONFLICT DO NOTHING""",
            *rows.lists(entered),
        )
        await entitlements.tell(uow, sorted({one.client_id for one in entered}))


def _letters(codes: Sequence[str]) -> Sequence[str]:
    return [code.removeprefix("HABIT:") for code in codes]


def placing(service: str) -> Callable[[Sequence[HoldPlaced], UnitOfWork], Awaitable[None]]:
    """Keeps holds of a service."""

    async def keep(placed: Sequence[HoldPlaced], uow: UnitOfWork) -> None:
        await _keep_holds(uow, service, placed, "placed_at")

    return keep


def lifting(service: str) -> Callable[[Sequence[HoldPlaced], UnitOfWork], Awaitable[None]]:
    """Keeps the ends of holds of a service."""

    async def keep(lifted: Sequence[HoldPlaced], uow: UnitOfWork) -> None:
        await _keep_holds(uow, service, lifted, "lifted_at")

    return keep


async def _keep_holds(uow: UnitOfWork, service: str, events: Sequence[HoldPlaced], what: str) -> None:
    await clients.lock(uow, [one.client_id for one in events])
    products = (await uow.policies(Policies)).catalogue.all[-1].body.products
    first: dict[tuple[str, str], HoldPlaced] = {}
    for one in sorted(events, key=lambda one: one.at):
        first.setdefault((one.client_id, one.hold_id), one)
    await uow.sql.execute(
        f"""INSERT INTO holds AS h (client_id, hold, scope, {what})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
            ON CONFLICT (client_id, hold) DO UPDATE SET {what} = least(h.{what}, excluded.{what})""",
        [one.client_id for one in first.values()],
        [f"{service}/{one.hold_id}" for one in first.values()],
        [one.scope if one.scope in products else "ALL" for one in first.values()],
        [one.at for one in first.values()],
    )
    await _resolve(uow, events)


class _OfClient(Protocol):
    @property
    def client_id(self) -> str: ...


async def _resolve(uow: UnitOfWork, events: Sequence[_OfClient]) -> None:
    """What clients may have follows from what was kept."""
    await entitlements.tell(uow, sorted({one.client_id for one in events}))
