"""Shadow run: what the trades of the last thirty days would earn."""

from datetime import date, timedelta

from chassis.shadow import Outcome
from chassis.uow import UnitOfWork
from services.points import tiers, trades
from services.points.accounts import as_amount
from services.points.policy import Policies

DAYS = 30


async def shadow(uow: UnitOfWork, first: date) -> Outcome:
    """Bring every trade of the days before `first` to its target by the rule of the ledger, under the policy of `first`.

    Nothing is written, so that nobody waits for a balance. Points and the end of the last lot by client, points in all.
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
    states = {
        "points": {client: str(as_amount(found)) for client, found in points.items()},
        "last_lot_expires_on": {client: end.isoformat() for client, end in ends.items()},
    }
    return Outcome(states, {"points": as_amount(sum(points.values()))})
