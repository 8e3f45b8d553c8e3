"""Shadow run: what the trades of the last thirty days would earn, the clients first referred in them, and the anniversaries of
the next thirty."""

from datetime import date, timedelta

from chassis.shadow import Outcome
from chassis.uow import UnitOfWork
from services.points import referrals, rules, tiers, trades
from services.points.accounts import as_amount
from services.points.policy import Policies
from services.points.tables import LIFECYCLES

DAYS = 30


async def shadow(uow: UnitOfWork, first: date) -> Outcome:
    """Bring every trade of the days before `first` to its target by the rule of the ledger, under the policy of `first`.

    Nothing is written, so that nobody waits for a balance. Points, bonus points, points for referrals and the end of the
    last lot by client; points, bonus points and points for referrals in all: what it costs.
    """
    day = first - timedelta(days=DAYS)
    rows = await uow.sql.fetch(
        """SELECT client_id FROM entries WHERE step = 0 AND trade_date >= $1
           UNION SELECT client_id FROM amendments WHERE trade_date >= $1""",
        day,
    )
    since = {row["client_id"]: day for row in rows}
    ranks = await tiers.of(uow, since, (await uow.policies(Policies)).points.only(first))
    points: dict[str, int] = {}
    ends: dict[str, date] = {}
    for trade in (await trades.from_dates(uow.sql, since)).values():
        client = trade.client_id
        rate = ranks.rate(client, trade.trade_date)
        points[client] = points.get(client, 0) + sum(trade.targets(rate).values())
        ends[client] = max(rate.expires_on, ends.get(client, date.min))
    loyalty = await _loyalty(uow, first)
    referred = await _referred(uow, day, first)
    states = {
        "referral": {client: str(as_amount(found)) for client, found in referred.items()},
        "bonus": {client: str(as_amount(found)) for client, found in loyalty.items()},
        "points": {client: str(as_amount(found)) for client, found in points.items()},
        "last_lot_expires_on": {client: end.isoformat() for client, end in ends.items()},
    }
    totals = {
        "points": as_amount(sum(points.values())), "bonus": as_amount(sum(loyalty.values())),
        "referral": as_amount(sum(referred.values())),
    }  # fmt: skip
    return Outcome(states, totals)


async def _loyalty(uow: UnitOfWork, first: date) -> dict[str, int]:
    """What accounts that are open and not LOST now earn on their anniversaries in the days from `first` on [P3]."""
    terms = (await uow.policies(Policies)).bonuses.only(first)
    days = [first + timedelta(days=n) for n in range(DAYS)]
    earned = {opened: terms.on(day).body.loyalty for day in days for opened in rules.openings_celebrated_on(day)}
    lifecycle = LIFECYCLES.on("lifecycle", "c.client_id", "$2")
    rows = await uow.sql.fetch(
        f"""SELECT client_id, opened_on FROM clients c WHERE opened_on = ANY($1::date[]) AND closed_on IS NULL
              AND coalesce({lifecycle} <> 'LOST', true)""",
        list(earned),
        first,
    )
    return {client: earned[opened] for client, opened in rows}


async def _referred(uow: UnitOfWork, since: date, first: date) -> dict[str, int]:
    """What clients would earn for those they referred who first traded in the days before `first` [P3]."""
    rewarded = (await uow.policies(Policies)).bonuses.only(first).on(first).body
    earned: dict[str, int] = {}
    for one in await referrals.decide(uow, since, first - timedelta(days=1), rewarded):
        earned[one.referrer] = earned.get(one.referrer, 0) + rewarded.referral
    return earned
