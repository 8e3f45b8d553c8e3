"""Referrals (推荐新客户) [P3]: points for the client who referred another, on the day of that one's first trade [4.7a].

Both accounts are open on that day, and the two share no phone, id number or address as they were then. The row of each
decision is kept, also where nothing was earned: it is looked at again only when something is heard late.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import asyncpg
import msgspec

from chassis.personal.fields import normalised
from chassis.personal.keys import Value
from chassis.rows import columns, fetch
from chassis.uow import UnitOfWork
from services.points import bonuses, rules
from services.points.policy import Bonuses, Policies
from services.points.tables import CLIENTS, HOUSEHOLD, LATE, BonusRow
from services.points.trades import Cause

_HOUSEHOLDS = ", ".join(
    f"{CLIENTS.on(name)} AS referred_{name}, {CLIENTS.on(name, 'r', 'j')} AS referrer_{name}" for name in HOUSEHOLD
)
# The first trade that is not cancelled in full, and who both were on its day.
_REFERRED = f"""
    SELECT c.client_id AS referred, c.referrer_client_id AS referrer, f.day AS traded_on, c.opened_on, c.closed_on,
           r.client_id <> c.client_id AND c.opened_on <= f.day AND r.opened_on <= f.day
           AND coalesce(c.closed_on > f.day, true) AND coalesce(r.closed_on > f.day, true) AS open,
           {_HOUSEHOLDS}
    FROM clients c
    LEFT JOIN clients r ON r.client_id = c.referrer_client_id
    JOIN LATERAL (
        SELECT min(coalesce(a.trade_date, e.trade_date)) AS day
        FROM entries e LEFT JOIN amendments a USING (client_id, trade_id)
        WHERE e.client_id = c.client_id AND e.trade_id IS NOT NULL AND e.step = 0
          AND NOT EXISTS (SELECT FROM cancellations x WHERE x.client_id = e.client_id AND x.trade_id = e.trade_id
                          AND x.remaining = 0)) f ON f.day <= $2
    {CLIENTS.join("f.day")} {CLIENTS.join("f.day", "r", "j")}
    WHERE c.client_id = ANY($1::text[]) ORDER BY c.client_id"""


async def close(day: date, uow: UnitOfWork) -> None:
    """Reward whose referred client first traded by a day, and claw back where that account was closed on it."""
    rewarding = (await uow.policies(Policies)).bonuses.on(day).body.referral > 0
    found = await uow.sql.fetch(
        """SELECT DISTINCT c.client_id FROM clients c LEFT JOIN bonuses b ON b.item = 'referral/' || c.client_id AND b.item LIKE 'referral/%'
           WHERE referrer_client_id IS NOT NULL AND (closed_on = $1
               OR b.item IS NULL AND EXISTS (SELECT FROM entries e WHERE e.client_id = c.client_id AND e.trade_id IS NOT NULL)
               -- Where nothing was earned, a first trade may have been cancelled since, and this be the first.
               OR $2 AND b.points = 0
                  AND EXISTS (SELECT FROM entries e WHERE e.client_id = c.client_id AND e.trade_date = $1))""",
        day,
        rewarding,
    )
    await _reward([row["client_id"] for row in found], day, Cause(f"broker.day.closed/{day}", day), uow)


async def again(since: Mapping[str, date], through: date, cause: Cause, uow: UnitOfWork) -> None:
    """Clients of whom something was heard late, as referred and as referring ones."""
    found = await uow.sql.fetch(
        """SELECT client_id FROM clients
           WHERE referrer_client_id IS NOT NULL AND (client_id = ANY($1::text[]) OR referrer_client_id = ANY($1::text[]))""",
        list(since),
    )
    await _reward([row["client_id"] for row in found], through, cause, uow)


async def note_trades(uow: UnitOfWork, late: Sequence[tuple[str, date]]) -> None:
    """Mark the referred among clients whose trades (or their ends) came late: their first trade may be another one."""
    if late:
        rows = await uow.sql.fetch(
            "SELECT client_id FROM clients WHERE client_id = ANY($1::text[]) AND referrer_client_id IS NOT NULL",
            sorted({client for client, _ in late}),
        )
        referred = {row["client_id"] for row in rows}
        await LATE.mark(uow, [fact for fact in late if fact[0] in referred])


async def _reward(referred: Sequence[str], through: date, cause: Cause, uow: UnitOfWork) -> None:
    if not referred:
        return
    rows = await uow.sql.fetch(_REFERRED, referred, through)
    known = {
        row.item: row
        for row in await fetch(
            uow.sql,
            BonusRow,
            f"SELECT {columns(BonusRow)} FROM bonuses WHERE item = ANY($1::text[]) AND item LIKE 'referral/%'",
            [_item(one) for one in referred],
        )
    }
    policies = await uow.policies(Policies)
    versions = {row["referred"]: policies.bonuses.on(row["traded_on"]) for row in rows}
    shared = await _shared(uow, [row for row in rows if row["open"] and versions[row["referred"]].body.referral])
    wanted = {(one.client_id, one.item): msgspec.structs.replace(one, points=0, back_on=None) for one in known.values()}
    for row in rows:
        item, version = _item(row["referred"]), versions[row["referred"]]
        same, before = shared.get(row["referred"], True), known.get(item)
        if same is None:  # erased: what was decided stays
            same = not (before and before.points and before.client_id == row["referrer"])
        wanted[row["referrer"], item] = BonusRow(
            row["referrer"], item, row["traded_on"], 0 if same else version.body.referral,
            rules.lot_end(policies.points, row["traded_on"]), version.name, _back_on(row, version.body.referral_days),
        )  # fmt: skip
    await bonuses.bring(
        uow, [wanted[place] for place in sorted(wanted)], {client: cause for client, _ in wanted}, decided=True
    )


class Rewarded(NamedTuple):
    """A referral that earns its points."""

    referrer: str
    referred: str


async def decide(uow: UnitOfWork, since: date, through: date, terms: Bonuses) -> list[Rewarded]:
    """Whose first trade lies in these days and would be rewarded by these numbers; nothing is written. For shadow runs."""
    if not terms.referral:
        return []
    found = await uow.sql.fetch(
        """SELECT client_id FROM clients c WHERE referrer_client_id IS NOT NULL
             AND EXISTS (SELECT FROM entries e WHERE e.client_id = c.client_id AND e.trade_date BETWEEN $1 AND $2)""",
        since,
        through,
    )
    rows = await uow.sql.fetch(_REFERRED, [row["client_id"] for row in found], through)
    wanted = [
        row for row in rows
        if row["open"] and row["traded_on"] >= since and _back_on(row, terms.referral_days) is None
    ]  # fmt: skip
    shared = await _shared(uow, wanted)
    return [Rewarded(row["referrer"], row["referred"]) for row in wanted if shared[row["referred"]] is False]


def _item(referred: str) -> str:
    return f"referral/{referred}"


def _back_on(row: asyncpg.Record, days: int) -> date | None:
    """The end of an account that was closed so soon that its referral earns nothing after all."""
    opened_on, closed_on = row["opened_on"], row["closed_on"]
    return closed_on if closed_on and opened_on and closed_on - opened_on < timedelta(days=days) else None


async def _shared(uow: UnitOfWork, rows: Sequence[asyncpg.Record]) -> dict[str, bool | None]:
    """Whether each referred client shares a phone, id number or address with who referred them; None: cannot be read."""
    values = {
        (row["referred"], side, name): Value(row[side], name, row[f"{side}_{name}"])
        for row in rows
        for side in ("referred", "referrer")
        for name in HOUSEHOLD
    }
    opened = dict(zip(values, await uow.database.keyring.open(list(values.values())), strict=True))
    found: dict[str, bool | None] = {}
    for row in rows:
        client = row["referred"]
        if any(
            _plain(name, opened[client, "referred", name]) == _plain(name, opened[client, "referrer", name]) != ""
            for name in HOUSEHOLD
        ):
            found[client] = True
        else:
            own = [place for place in values if place[0] == client]
            found[client] = None if any(values[one].text and not opened[one] for one in own) else False
    return found


def _plain(name: str, value: str | None) -> str:
    """As it is compared: an address without blanks and width of letters, numbers as everywhere."""
    text = value or ""
    return "".join(unicodedata.normalize("NFKC", text).split()) if name == "address" else normalised(text)
