"""Applications for the next tier (申请升级): the price is held until somebody decides [P4]."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import BaseModel
from sqlalchemy import BigInteger, Index, text
from sqlalchemy.dialects import postgresql
from uuid_utils import uuid7

from chassis import rows
from chassis.actor import Role
from chassis.acts import PLATFORM_ITSELF, Act, Aggregate, Doing, Sort, acts, perform_each
from chassis.approvals import by
from chassis.clock import business_date, months_after
from chassis.deadlines import Deadline, Due, arm
from chassis.errors import Conflict, Text
from chassis.http import object_scope
from chassis.rows import Row
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.classification import TIERS, TierCode
from contracts.fields import Text500
from contracts.points import UpgradeApproved
from services.points import holding, rules, tiers
from services.points.accounts import as_amount
from services.points.holding import Ended, InsufficientPoints
from services.points.people import CLIENT, DECIDERS, OWN_CLIENT, STAFF, audiences
from services.points.policy import Policies
from services.points.rules import TierInterval
from services.points.tables import Outcome, metadata
from services.points.trades import VALUE_ON

VOID = "application-void"


class NoNextTier(Conflict):
    """There is no tier above the client's that can be applied for."""

    title = Text("No next tier", "无更高级别可申请")


class AlreadyApplied(Conflict):
    """An application of this client waits for a decision."""

    title = Text("Already applied", "已有待处理的申请")


class ApplicationRow(Row, frozen=True):
    """An application for a tier."""

    application_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    client_id: str
    branch_id: str | None
    tier: Annotated[TierCode, rows.Column(postgresql.TEXT)]
    points: Annotated[int, rows.Column(BigInteger, comment="held; in mode QUALIFY what had to be earned")]
    mode: Annotated[Literal["SPEND", "QUALIFY"], rows.Column(postgresql.TEXT)]
    months: int
    two_persons: Annotated[bool, rows.Column(comment="whether its approval takes a second person")]
    state: str
    applied_at: datetime
    revision: Annotated[int, rows.Column(server_default="0")]


applications = rows.table(
    "applications",
    metadata,
    ApplicationRow,
    Index("uq_applications_applied", "client_id", unique=True, postgresql_where=text("state = 'applied'")),
    Index(None, "client_id", "application_id"),
)

TWO_PERSONS = Sort[ApplicationRow]("two-persons", Text("by two persons", "须双人审批"), lambda one: one.two_persons)

APPLICATION = Aggregate[ApplicationRow](
    name="application",
    table="applications",
    id="application_id",
    row=lambda record: msgspec.convert(dict(record), ApplicationRow),
    states=("applied", "approved", "refused", "withdrawn", "void"),
    begins=("applied",),
    final=("approved", "refused", "withdrawn", "void"),
    sight=object_scope,
    audiences=audiences,
    parse=UUID,
)


class Refusal(BaseModel, extra="forbid"):
    """Why it is refused."""

    reason: Text500


async def _grant(uow: UnitOfWork, doings: Sequence[Doing[ApplicationRow]]) -> None:
    await _end(uow, doings, "spent")
    for one in doings:
        since = business_date(one.at)
        uow.emit(
            UpgradeApproved(
                application_id=one.id, client_id=one.row.client_id, tier=one.row.tier, since=since,
                until=months_after(since, one.row.months), mode=one.row.mode,
            ),
            at=one.at,
        )  # fmt: skip


async def _refuse(uow: UnitOfWork, doings: Sequence[Doing[ApplicationRow]]) -> None:
    await _end(uow, doings, "refused")


async def _withdraw(uow: UnitOfWork, doings: Sequence[Doing[ApplicationRow]]) -> None:
    await _end(uow, doings, "withdrawn")


async def _end(uow: UnitOfWork, doings: Sequence[Doing[ApplicationRow]], outcome: Outcome) -> None:
    held = [one for one in doings if one.row.mode == "SPEND"]
    if held:
        await holding.end(uow, [Ended(one.row.client_id, f"upgrade/{one.id}", outcome, one.at) for one in held])


ACTS = acts(
    APPLICATION,
    Act("approve", Text("Approve", "批准"), on=("applied",), to="approved", who=(DECIDERS,),
        approval={TWO_PERSONS: by(Role.HQ, Role.BRANCH_MANAGER)}, tells=(CLIENT, STAFF), then=_grant),
    Act("refuse", Text("Refuse", "拒绝"), on=("applied",), to="refused", who=(DECIDERS,), takes=Refusal,
        needs=("reason",), tells=(CLIENT, STAFF), then=_refuse),
    Act("withdraw", Text("Withdraw", "撤回"), on=("applied",), to="withdrawn", who=(OWN_CLIENT,),
        tells=(CLIENT, STAFF), then=_withdraw),
    Act("lapse", Text("Void", "失效"), on=("applied",), to="void", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), then=_refuse),
)  # fmt: skip


def next_above(
    stretches: Sequence[TierInterval], policies: Policies, day: date
) -> tuple[TierCode, TierCode | None, int]:
    """The tier on a day of a client with these, the next one that can be applied for, and its price in hundredths (0: none)."""
    now = rules.tier_on(stretches, day)
    following = TIERS[TIERS.index(now) + 1 :][:1]
    price = policies.upgrades.on(day).body.price
    if not following or following[0] not in price:
        return now, None, 0
    return now, following[0], price[following[0]]


async def apply_for_next(uow: UnitOfWork, client_id: str, branch_id: str | None) -> ApplicationRow:
    """Apply for the client's next tier: its price is held, or in mode QUALIFY what was earned is looked at.

    Raises: NoNextTier, AlreadyApplied, InDebt, InsufficientPoints.
    """
    at = await effective_now(uow.sql, uow.now)
    day, policies = business_date(at), await uow.policies(Policies)
    terms = policies.upgrades.on(day).body
    _, tier, price = next_above(await tiers.stretches_of(uow.sql, client_id), policies, day)
    if tier is None:
        raise NoNextTier
    await uow.sql.execute("SELECT FROM balances WHERE client_id = $1 FOR UPDATE", client_id)
    if await uow.sql.fetchval(
        "SELECT EXISTS (SELECT FROM applications WHERE client_id = $1 AND state = 'applied')", client_id
    ):
        raise AlreadyApplied
    one = ApplicationRow(
        UUID(bytes=uuid7().bytes), client_id, branch_id, tier, price, terms.mode, terms.months, terms.two_persons,
        APPLICATION.begins[0], at, 0,
    )  # fmt: skip
    if terms.mode == "SPEND":
        await holding.hold(uow, client_id, f"upgrade/{one.application_id}", f"tier:{tier}", price, at)
    else:
        await _require_earned(uow, client_id, day, price)
    await uow.sql.execute(
        f"INSERT INTO applications ({rows.columns(ApplicationRow)}) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
        *msgspec.structs.astuple(one),
    )
    uow.audit("apply", APPLICATION.named(one.application_id), key=client_id, tier=tier, points=str(as_amount(price)))
    name = APPLICATION.named(one.application_id)
    await arm(uow, [Deadline(VOID, name, client_id, at + timedelta(days=terms.void_days))])
    return one


async def _require_earned(uow: UnitOfWork, client_id: str, day: date, price: int) -> None:
    """In mode QUALIFY: accrued, bonus and corrected less reversed by value date in the last 12 months."""
    earned = await uow.sql.fetchval(
        f"""SELECT coalesce(sum(points * (starts_with(credit_account, 'cust:')::int
                                          - starts_with(debit_account, 'cust:')::int)), 0)::bigint
            FROM entries e WHERE client_id = $1 AND kind IN ('accrued', 'bonus', 'corrected', 'reversed')
              AND {VALUE_ON} > $2 AND {VALUE_ON} <= $3""",
        client_id,
        months_after(day, -12),
        day,
    )
    if earned < price:
        raise InsufficientPoints(
            Text(f"{as_amount(earned)} points were earned in 12 months", f"近十二个月获得 {as_amount(earned)} 积分")
        )


async def lapse(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Applications nobody decided in time are void: the points return."""
    at = {UUID(one.object.removeprefix("application/")): one.at for one in due}
    await perform_each(uow, ACTS.lapse, dict.fromkeys(at), at)
