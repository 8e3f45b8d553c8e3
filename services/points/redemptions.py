"""Redemptions (兑换): points held for a reward of the white list until products says that it is delivered [P5, P9]."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import BigInteger, Index
from sqlalchemy.dialects import postgresql
from uuid_utils import uuid7

from chassis import rows
from chassis.acts import PLATFORM_ITSELF, Act, Aggregate, Doing, acts, perform_each
from chassis.clock import business_date, year_before
from chassis.deadlines import Deadline, Due, arm
from chassis.errors import Conflict, NotFound, Text
from chassis.http import object_scope
from chassis.rows import Row
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.base import Quantity
from contracts.points import RedemptionCancelled, RedemptionRequested, RedemptionSettled
from contracts.products import RedemptionConfirmed, RedemptionRefused
from services.points import holding, trades
from services.points.accounts import as_amount
from services.points.holding import Ended
from services.points.people import BRANCH_STAFF, CLIENT, OWN_CLIENT, STAFF, audiences
from services.points.policy import Policies
from services.points.tables import metadata

UNANSWERED = "redemption-unanswered"


class NotOffered(NotFound):
    """This reward is not offered: it is not on the white list, or nobody delivers it."""

    title = Text("Not offered", "未提供该项兑换")


class OverYearlyShare(Conflict):
    """More than the policy's share of the commission of the last 12 months would be redeemed in a year [P5]."""

    title = Text("Over the yearly limit", "超过年度兑换上限")


class RedemptionRow(Row, frozen=True):
    """A redemption."""

    redemption_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    client_id: str
    branch_id: str | None
    reward: str
    quantity: int
    points: Annotated[int, rows.Column(BigInteger)]
    state: str
    requested_at: datetime
    revision: Annotated[int, rows.Column(server_default="0")]
    reason: Annotated[str | None, rows.Column(comment="why it was refused")]
    asked_at: Annotated[datetime, rows.Column(comment="when products was first asked for its present answer")]


redemptions = rows.table("redemptions", metadata, RedemptionRow, Index(None, "client_id", "redemption_id"))

REDEMPTION = Aggregate[RedemptionRow](
    name="redemption",
    table="redemptions",
    id="redemption_id",
    row=lambda record: msgspec.convert(dict(record), RedemptionRow),
    states=("requested", "cancelling", "settled", "refused", "cancelled"),
    begins=("requested",),
    final=("settled", "refused", "cancelled"),
    sight=object_scope,
    audiences=audiences,
    parse=UUID,
)


def _event(one: RedemptionRow, at: datetime) -> dict[str, Any]:
    return {
        "redemption_id": one.redemption_id, "client_id": one.client_id, "reward": one.reward,
        "quantity": one.quantity, "points": Quantity(as_amount(one.points)), "at": at,
    }  # fmt: skip


async def _spend(uow: UnitOfWork, doings: Sequence[Doing[RedemptionRow]]) -> None:
    await _end(uow, doings, "spent")
    for one in doings:
        uow.emit(RedemptionSettled(**_event(one.row, one.at)), at=one.at)


async def _refuse(uow: UnitOfWork, doings: Sequence[Doing[RedemptionRow]]) -> None:
    await _end(uow, doings, "refused")


async def _give_back(uow: UnitOfWork, doings: Sequence[Doing[RedemptionRow]]) -> None:
    await _end(uow, doings, "withdrawn")


async def _end(uow: UnitOfWork, doings: Sequence[Doing[RedemptionRow]], outcome: Any) -> None:
    await holding.end(uow, [Ended(one.row.client_id, f"redemption/{one.id}", outcome, one.at) for one in doings])


async def _ask_anew(_: UnitOfWork, doings: Sequence[Doing[RedemptionRow]]) -> None:
    for one in doings:
        one.columns["asked_at"] = one.at


async def _take_back(uow: UnitOfWork, doings: Sequence[Doing[RedemptionRow]]) -> None:
    for one in doings:
        uow.emit(RedemptionCancelled(**_event(one.row, one.at)), at=one.at)
        await _await_answer(uow, one.row, one.at, one.at)


async def _keep_reason(_: UnitOfWork, doings: Sequence[Doing[RedemptionRow]]) -> None:
    for one in doings:
        one.columns["reason"] = one.detail["reason"] = one.body


ACTS = acts(
    REDEMPTION,
    Act("settle", Text("Delivered", "已交付"), on=("requested", "cancelling"), to="settled", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), then=_spend),
    Act("refuse", Text("Cannot be delivered", "无法交付"), on=("requested",), to="refused", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_keep_reason, then=_refuse),
    Act("cancel", Text("Take it back", "取消兑换"), on=("requested",), to="cancelling", who=(OWN_CLIENT, BRANCH_STAFF),
        tells=(CLIENT, STAFF), prepare=_ask_anew, then=_take_back),
    Act("end", Text("Taken back", "已取消"), on=("cancelling",), to="cancelled", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), then=_give_back),
)  # fmt: skip


async def request(uow: UnitOfWork, client_id: str, branch_id: str | None, code: str, quantity: int) -> RedemptionRow:
    """Hold the points for a reward and ask for its delivery.

    Raises: NotOffered, OverYearlyShare, InDebt, InsufficientPoints.
    """
    at = await effective_now(uow.sql, uow.now)
    terms = (await uow.policies(Policies)).rewards.on(business_date(at)).body
    reward = terms.offered.get(code)
    if reward is None:
        raise NotOffered
    points = reward.points * quantity
    one = RedemptionRow(
        UUID(bytes=uuid7().bytes), client_id, branch_id, code, quantity, points, REDEMPTION.begins[0], at, 0, None, at
    )
    await holding.hold(uow, client_id, f"redemption/{one.redemption_id}", code, points, at)
    await _require_share(uow, client_id, business_date(at), terms.share_percent)
    await uow.sql.execute(
        f"""INSERT INTO redemptions ({rows.columns(RedemptionRow)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
        *msgspec.structs.astuple(one),
    )
    uow.audit("redeem", REDEMPTION.named(one.redemption_id), key=client_id, reward=code, quantity=quantity)
    uow.emit(RedemptionRequested(**_event(one, at)), at=at)
    await _await_answer(uow, one, at, at)
    return one


async def _await_answer(uow: UnitOfWork, one: RedemptionRow, since: datetime, at: datetime) -> None:
    """Ask again after as long as was waited since then, so that a long silence is not filled with questions."""
    terms = (await uow.policies(Policies)).rewards.on(business_date(at)).body
    due = at + terms.again_after(at - since)
    await arm(uow, [Deadline(UNANSWERED, REDEMPTION.named(one.redemption_id), one.client_id, due)])


async def _require_share(uow: UnitOfWork, client_id: str, day: date, percent: int) -> None:
    """What was held and spent for rewards in the year to `day` is within its share of the year's commission [P5]."""
    first = year_before(day)
    redeemed = await uow.sql.fetchval(
        """SELECT coalesce(sum(points), 0)::bigint FROM holds
           WHERE client_id = $1 AND hold LIKE 'redemption/%' AND (held_at AT TIME ZONE 'Asia/Shanghai')::date > $2
             AND (outcome IS NULL OR outcome = 'spent')""",
        client_id,
        first,
    )
    known = await trades.from_dates(uow.sql, {client_id: first + timedelta(days=1)})
    commission = sum((trade.base for trade in known.values() if trade.trade_date <= day), start=Quantity(0))
    if redeemed > commission * percent:  # points in hundredths against percent of CNY
        raise OverYearlyShare(
            Text(
                f"at most {percent}% of the commission of the last 12 months",
                f"最多为最近十二个月佣金的 {percent}%",
            )
        )


async def settle(confirmed: Sequence[RedemptionConfirmed], uow: UnitOfWork) -> None:
    """Products delivered: the points are spent."""
    await perform_each(
        uow, ACTS.settle, {e.redemption_id: None for e in confirmed}, {e.redemption_id: e.at for e in confirmed}
    )


async def refuse(refused: Sequence[RedemptionRefused], uow: UnitOfWork) -> None:
    """Products cannot deliver, or confirms that the client took it back: the points return."""
    at = {event.redemption_id: event.at for event in refused}
    await perform_each(uow, ACTS.refuse, {event.redemption_id: event.reason for event in refused}, at)
    await perform_each(uow, ACTS.end, dict.fromkeys(at), at)


async def ask_again(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Nobody answered in time: the request is told again; `/readyz` and doctor show it until there is an answer."""
    for row in await rows.fetch(
        uow.sql,
        RedemptionRow,
        f"SELECT {rows.columns(RedemptionRow)} FROM redemptions WHERE redemption_id = ANY($1::uuid[]) FOR UPDATE",
        [UUID(one.object.removeprefix("redemption/")) for one in due],
    ):
        at = next(one.at for one in due if one.object == REDEMPTION.named(row.redemption_id))
        told = RedemptionRequested if row.state == "requested" else RedemptionCancelled
        uow.emit(told(**_event(row, at)), at=at)
        await _await_answer(uow, row, row.asked_at, at)


async def check(sql: asyncpg.Connection) -> dict[str, Any]:
    """Redemptions that products has not answered in time."""
    count = await sql.fetchval(
        """SELECT count(*) FROM redemptions r WHERE state IN ('requested', 'cancelling') AND EXISTS (
               SELECT FROM fired_deadlines f WHERE f.object = 'redemption/' || r.redemption_id AND f.kind = $1)""",
        UNANSWERED,
    )
    if not count:
        return {"status": "pass", "output": ""}
    return {"status": "warn", "output": f"{count} redemptions wait for products", "fix": "see whether products runs"}
