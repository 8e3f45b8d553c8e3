"""Loyalty (忠诚度) [P3]: points on each anniversary of an account, posted at the close of that day."""

from collections.abc import Mapping, Sequence
from datetime import date

from chassis.uow import UnitOfWork
from services.points import bonuses, histories, rules
from services.points.policy import Policies
from services.points.tables import LIFECYCLES, BonusRow
from services.points.trades import Cause


async def close(day: date, uow: UnitOfWork) -> None:
    """Award every account that has its anniversary on a day."""
    clients = await uow.sql.fetch(
        "SELECT client_id FROM clients WHERE opened_on = ANY($1::date[])", rules.openings_celebrated_on(day)
    )
    names = [row["client_id"] for row in clients]
    await _award(names, day, day, Cause(f"broker.day.closed/{day}", day), uow)


async def again(since: Mapping[str, date], through: date, cause: Cause, uow: UnitOfWork) -> None:
    """Clients of whom something was heard late: every anniversary up to a closed day as it should be."""
    first = await uow.sql.fetchval("SELECT first FROM closed_days")
    await _award(sorted(since), first, through, cause, uow)


async def _award(clients: Sequence[str], first: date, last: date, cause: Cause, uow: UnitOfWork) -> None:
    """Anniversaries of clients in a stretch of closed days: a bonus where the account is open and its lifecycle not LOST."""
    if not clients:
        return
    lifecycle = LIFECYCLES.on("lifecycle", "c.client_id", "a.day")
    found = await uow.sql.fetch(
        f"""SELECT c.client_id, n, a.day, (c.closed_on IS NULL OR c.closed_on > a.day)
                   AND coalesce({lifecycle} <> 'LOST', true) AS earned
            FROM clients c
            CROSS JOIN LATERAL generate_series(1, extract(year FROM $3::date)::int - extract(year FROM c.opened_on)::int) n
            CROSS JOIN LATERAL (SELECT (c.opened_on + make_interval(years => n))::date AS day) a
            WHERE c.client_id = ANY($1::text[]) AND a.day BETWEEN $2 AND $3""",
        clients,
        first,
        last,
    )
    policies = await uow.policies(Policies)
    wanted: dict[tuple[str, str], BonusRow] = {}
    for client, n, day, earned in found:
        version = policies.bonuses.on(day)
        points = version.body.loyalty if earned else 0
        expires_on = rules.lot_end(policies.points, day)
        wanted[client, f"loyalty/{n}"] = BonusRow(client, f"loyalty/{n}", day, points, expires_on, version.name, None)
    if first != last:  # an opening that is another one now has other anniversaries
        for place, one in (await histories.bonuses_of(uow.sql, clients)).items():
            if one.item.startswith("loyalty/") and place not in wanted:
                wanted[place] = BonusRow(*place, one.value_on, 0, one.expires_on, one.policy, None)
    if wanted:
        await bonuses.bring(uow, [wanted[place] for place in sorted(wanted)], dict.fromkeys(clients, cause))
