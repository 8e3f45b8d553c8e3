"""What others tell that subscriptions are judged by: tiers, decisions, levels, agreements. Kept, in whatever order it comes."""

from collections.abc import Sequence

from chassis.uow import UnitOfWork
from contracts.broker import AgreementEnded, AgreementSigned
from contracts.classification import TierChanged
from contracts.suitability import AssessmentCompleted, DecisionConfirmed, DecisionMade
from services.products.tables import TIERS


async def keep_tiers(changes: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Take over tiers; what they end is found when the day closes [S5]."""
    await TIERS.keep(uow, changes)


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
    await uow.sql.execute(
        """INSERT INTO levels (client_id, assessment_id, level, valid_from, valid_until)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::date[]) ON CONFLICT DO NOTHING""",
        [one.client_id for one in completed],
        [one.assessment_id for one in completed],
        [one.level for one in completed],
        [one.valid_from for one in completed],
        [one.valid_until for one in completed],
    )


async def keep_agreements(signed: Sequence[AgreementSigned], uow: UnitOfWork) -> None:
    """Keep agreements signed; the first word on one stays."""
    await uow.sql.execute(
        """INSERT INTO agreements AS a (client_id, agreement_id, kind, ref, signed_on)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[])
           ON CONFLICT (client_id, agreement_id) DO UPDATE
           SET kind = excluded.kind, ref = excluded.ref, signed_on = excluded.signed_on WHERE a.signed_on IS NULL""",
        *_columns(signed),
    )


async def end_agreements(ended: Sequence[AgreementEnded], uow: UnitOfWork) -> None:
    """Keep ends, also those of agreements not heard of yet; the earliest counts."""
    first: dict[tuple[str, str], AgreementEnded] = {}
    for one in sorted(ended, key=lambda one: one.on):
        first.setdefault((one.client_id, one.agreement_id), one)
    await uow.sql.execute(
        """INSERT INTO agreements AS a (client_id, agreement_id, kind, ref, ended_on)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[])
           ON CONFLICT (client_id, agreement_id) DO UPDATE SET ended_on = least(a.ended_on, excluded.ended_on)""",
        *_columns(list(first.values())),
    )


def _columns(events: Sequence[AgreementSigned]) -> list[list[object]]:
    unique = {(one.client_id, one.agreement_id): one for one in reversed(events)}
    return [
        [getattr(one, name) for one in unique.values()] for name in ("client_id", "agreement_id", "kind", "ref", "on")
    ]
