"""Manual adjustments (手工调整): asked for by one person with a reason and a document, agreed to by another."""

from datetime import date
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils import uuid7

from chassis import approvals, rows
from chassis.actor import Actor, Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.clock import business_date
from chassis.errors import FieldError, Forbidden, Invalid, Text
from chassis.rows import Row
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from services.points import balances, holding, lots, proofs, rules, tiers
from services.points.accounts import ADJUSTED, as_amount, available
from services.points.balances import Balance
from services.points.holding import InsufficientPoints
from services.points.ledger import Posting
from services.points.policy import Policies
from services.points.tables import AdjustmentRow
from services.points.trades import Cause


class OverLimit(Forbidden):
    """More points than the caller's role may adjust, or agree to, at once."""

    title = Text("Over the limit of your role", "超出岗位权限额度")


async def ask(
    uow: UnitOfWork, client_id: str, branch_id: str | None, points: int, reason: str, why: str, attachment: str
) -> Approval:
    """Ask for a client's points (hundredths) to be raised, or lowered where they are below zero.

    Raises: Invalid, OverLimit.
    """
    terms = (await uow.policies(Policies)).adjustments.on(await today(uow.sql)).body
    if not points:
        raise Invalid(Text("nothing to adjust", "调整数额为零"), errors=(FieldError("/points", "not zero"),))
    if reason not in terms.reasons:
        raise Invalid(
            Text(f"{reason} is no reason of the policy", f"政策中无此原因 {reason}"),
            errors=(FieldError("/reason", f"one of {', '.join(sorted(terms.reasons))}"),),
        )
    await _require_limit(uow, points)
    await proofs.require_kept(uow.sql, client_id, attachment)
    body = {"points": points, "reason": reason, "attachment": attachment}
    after = {"points": str(as_amount(points)), "reason": reason, "attachment": attachment}
    name = f"adjustment/{UUID(bytes=uuid7().bytes)}"
    return await approvals.ask(
        uow, ADJUSTMENT, name, body=body, why=why, after=after, client_id=client_id, branch_id=branch_id
    )


async def _require_limit(uow: UnitOfWork, points: int) -> None:
    limit = (await uow.policies(Policies)).adjustments.on(await today(uow.sql)).body.limits.get(uow.actor.role, 0)
    if abs(points) > limit:
        raise OverLimit(Text(f"at most {as_amount(limit)} points", f"最多 {as_amount(limit)} 积分"))


async def _post(uow: UnitOfWork, approval: Approval) -> None:
    """Post it, in the name of whoever agreed: a negative one takes what is available at most.

    Raises: OverLimit, InsufficientPoints.
    """
    client, points = approval.client_id, int(approval.body["points"])
    assert client is not None
    await _require_limit(uow, points)
    locked = await balances.lock(uow.sql, [client])
    at = await effective_now(uow.sql, uow.now)
    day = business_date(at)
    taken = points if points > 0 else -await usable(uow.sql, client, day, min(-points, locked[client].available))
    if not taken:
        raise InsufficientPoints(Text("nothing is available", "无可用积分"))
    ends_on = rules.lot_end((await uow.policies(Policies)).points, day) if taken > 0 else None
    one = AdjustmentRow(
        client, approval.object, approval.branch_id, approval.body["reason"], points, taken, at, ends_on,
        approval.body["attachment"], approval.asked_by, uow.actor.person,
    )  # fmt: skip
    await uow.sql.execute(
        f"INSERT INTO adjustments ({rows.columns(AdjustmentRow)}) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
        *msgspec.structs.astuple(one),
    )
    await post(uow, locked, one)


async def usable(sql: asyncpg.Connection, client: str, day: date, wanted: int) -> int:
    """So much of what is wanted lies in lots that can be used on a day: one that ended is none of them, closed or not."""
    return sum(one.points for one in await lots.in_order(sql, client, day, wanted))


async def post(uow: UnitOfWork, locked: dict[str, Balance], one: AdjustmentRow) -> None:
    """Post one that is kept, of a client whose balance is locked: of the lots as they are where nothing counts from later, else by
    the fold [4.7a]."""
    client, day = one.client_id, business_date(one.at)
    posting = Posting(uow, locked, await tiers.of(uow, [client]))
    posting.again(client, Cause(one.item, day))
    plain = await (
        _raise_plain(uow.sql, posting, one, day) if one.taken > 0 else _lower_plain(uow.sql, posting, one, day)
    )
    await posting.write(folded=[] if plain else [client])


async def _raise_plain(sql: asyncpg.Connection, posting: Posting, one: AdjustmentRow, day: date) -> bool:
    """A lot of its own, on which nothing hangs yet."""
    balance, client = posting.balances[one.client_id], one.client_id
    through = await sql.fetchval("SELECT through FROM closed_days") or date.min
    if balance.debt or balance.used_on >= day or not one.expires_on or one.expires_on <= through:
        return False
    balance.available += one.taken
    balance.whole += one.taken
    posting.entries.add_for_item(
        client, "adjusted", one.item, 0, ADJUSTED, available(client), one.taken, day, day, one.item, one.expires_on
    )
    return True


async def _lower_plain(sql: asyncpg.Connection, posting: Posting, one: AdjustmentRow, day: date) -> bool:
    """Out of the lots as they are, in spending order."""
    client, points = one.client_id, -one.taken
    taken = await holding.take_plain(sql, posting, client, day, points)
    if not taken:
        return False
    posting.lots += [msgspec.structs.replace(part.lot, free=part.lot.free - part.points) for part in taken]
    posting.entries.add_for_item(
        client, "adjusted", one.item, 0, available(client), ADJUSTED, points, day, day, one.item
    )
    return True


ADJUSTMENT = ApprovalKind(
    "adjustment",
    Text("Adjustment of points", "积分手工调整"),
    decides=by(Role.BRANCH_MANAGER, Role.HQ),
    apply=_post,
)


class Sum(Row, frozen=True):
    """What one person asked for and had posted in one branch, by size: up to 100 points, up to 1,000, above."""

    made_by: str
    branch_id: str | None
    size: str
    count: int
    raised: int
    lowered: int


async def sums(sql: asyncpg.Connection, actor: Actor, since: date, until: date) -> list[Sum]:
    """Adjustments posted from a day to another, by maker, branch and size; of a branch only its own."""
    return await rows.fetch(
        sql,
        Sum,
        """SELECT made_by, branch_id, CASE WHEN abs(taken) <= 10000 THEN 'up to 100' WHEN abs(taken) <= 100000
                  THEN 'up to 1000' ELSE 'above 1000' END AS size, count(*)::int AS count,
                  coalesce(sum(taken) FILTER (WHERE taken > 0), 0)::bigint AS raised,
                  coalesce(sum(taken) FILTER (WHERE taken < 0), 0)::bigint AS lowered
           FROM adjustments
           WHERE (at AT TIME ZONE 'Asia/Shanghai')::date BETWEEN $1 AND $2 AND ($3::text IS NULL OR branch_id = $3)
           GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        since,
        until,
        None if actor.sees_all_branches else actor.branch_id or "",
    )
