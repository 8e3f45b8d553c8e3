"""What the ledger knows of single trades: their content, cancellations, their lot, and what was posted for them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Literal, NamedTuple

import asyncpg

from chassis.bus.record import Record
from chassis.clock import business_date
from chassis.rows import columns, fetch, lists
from contracts.base import Event
from contracts.broker import TradeSettled
from contracts.fields import BusinessDate, Identifier, Quantity
from services.points.rules import Rate
from services.points.tables import AmendmentRow, CancellationRow

Key = tuple[str, str]
"""Client id and trade id: the identity of a trade."""
Part = tuple[Literal["gained", "reversed"], date]
"""What a trade's entries are of: what it earns, or what a cancellation takes back; and the day that counts from."""

VALUE_ON = "coalesce(e.value_on, CASE e.kind WHEN 'reversed' THEN e.posted_on ELSE e.trade_date END)"
"""SQL: the day an entry counts from."""


class SettledTrade(Event, frozen=True, kw_only=True, gc=False):
    """What points need of a `broker.trade.settled`; whether the rest of it holds is for those who need that."""

    type: ClassVar[str] = TradeSettled.type
    topic: ClassVar[str] = TradeSettled.topic

    trade_id: Identifier
    client_id: Identifier
    trade_date: BusinessDate
    commission: Quantity

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.trade_id}"


class Cancellation(NamedTuple):
    """What an event said at an instant stays of a trade's commission [P1]."""

    at: datetime
    remaining: Decimal
    cause: str


class Cause(NamedTuple):
    """The event that something is posted because of, and its business date."""

    id: str
    day: date

    @classmethod
    def of(cls, record: Record) -> "Cause":
        """The event a record carries."""
        return cls(record.id, business_date(record.time))


@dataclass(slots=True)
class Trade:
    """A trade of the ledger: `posted` is what the client has for it by part, in hundredths; `steps` how many entries.

    `free` and `expired` are of its lot, which ends on `ends_on`; it is `whole` while its entry says all of it.
    """

    client_id: str
    trade_id: str
    commission: Decimal
    trade_date: date
    contents: set[tuple[Decimal, date]]
    cancellations: list[Cancellation] = field(default_factory=list)
    posted: defaultdict[Part, int] = field(default_factory=lambda: defaultdict(int))
    steps: int = 0
    original: str | None = None
    ends_on: date | None = None
    free: int = 0
    held: int = 0
    expired: int = 0
    whole: bool = False
    cause: Cause | None = None

    @property
    def total(self) -> int:
        """What the client has for it."""
        return sum(self.posted.values())

    @property
    def base(self) -> Decimal:
        """The commission that counts: the trade's own, or what a cancellation left of it [P1]."""
        return min([self.commission, *(one.remaining for one in self.cancellations)])

    def falls(self) -> list[tuple[Cancellation, Decimal]]:
        """The cancellations that lowered what counts, each with what counted before: the lowest said so far does [P1]."""
        left, found = self.commission, []
        for one in sorted(self.cancellations):
            if one.remaining < left:
                found.append((one, left))
                left = one.remaining
        return found

    def targets(self, rate: Rate) -> dict[Part, int]:
        """What should be posted for it at a rate: what it earns, and what each cancellation takes back, pro rata."""
        wanted: defaultdict[Part, int] = defaultdict(int, {("gained", self.trade_date): rate.points[self.commission]})
        for one, before in self.falls():
            day = max(self.trade_date, business_date(one.at))
            wanted["reversed", day] -= rate.points[before] - rate.points[one.remaining]
        return wanted


async def known(sql: asyncpg.Connection, keys: Iterable[Key]) -> dict[Key, Trade]:
    """Those of the trades that the ledger has entries for."""
    wanted = sorted(set(keys))
    return await _read(
        sql,
        "JOIN unnest($1::text[], $2::text[]) AS k(client_id, trade_id) USING (client_id, trade_id)",
        [client for client, _ in wanted],
        [trade for _, trade in wanted],
    )


async def of_clients(sql: asyncpg.Connection, clients: Collection[str]) -> dict[Key, Trade]:
    """Every trade of these clients that the ledger has entries for."""
    return await _read(sql, "JOIN unnest($1::text[]) AS k(client_id) USING (client_id)", sorted(clients))


async def _read(sql: asyncpg.Connection, only: str, *arguments: list[str]) -> dict[Key, Trade]:
    trades: dict[Key, Trade] = {}
    for (
        client,
        trade_id,
        step,
        made,
        points,
        commission,
        trade_date,
        kind,
        value_on,
        ends_on,
        free,
        held,
        expired,
        whole,
    ) in await sql.fetch(
        f"""SELECT e.client_id, e.trade_id, e.step, e.entry_id::text,
                       CASE WHEN starts_with(e.credit_account, 'cust:') THEN e.points ELSE -e.points END,
                       e.commission, e.trade_date, e.kind, {VALUE_ON}, coalesce(l.expires_on, e.expires_on),
                       coalesce(l.free, CASE WHEN e.expires_on IS NOT NULL THEN e.points ELSE 0 END),
                       coalesce(l.held, 0), coalesce(l.expired, 0), l.lot IS NULL AND e.expires_on IS NOT NULL
                FROM entries e {only}
                LEFT JOIN lots l ON l.client_id = e.client_id AND e.step = 0 AND l.lot = e.entry_id::text
                WHERE e.trade_id IS NOT NULL ORDER BY e.client_id, e.trade_id, e.step""",
        *arguments,
    ):
        key = (client, trade_id)
        trade = trades.get(key)
        if trade is None:
            content = (Decimal(commission), trade_date)
            trade = trades[key] = Trade(*key, *content, {content}, original=made)
            trade.ends_on, trade.free, trade.held, trade.expired, trade.whole = ends_on, free, held, expired, whole
        trade.posted["reversed" if kind == "reversed" else "gained", value_on] += points
        trade.steps = step + 1
    for accepted in await fetch(
        sql, AmendmentRow, f"SELECT {columns(AmendmentRow, 'e')} FROM amendments e {only}", *arguments
    ):
        trade = trades[accepted.client_id, accepted.trade_id]
        trade.commission, trade.trade_date = accepted.commission, accepted.trade_date
        trade.contents.add((accepted.commission, accepted.trade_date))
    for key, told in (await _cancelled(sql, only, *arguments)).items():
        if key in trades:
            trades[key].cancellations = told
    return trades


async def from_dates(sql: asyncpg.Connection, since: Mapping[str, date]) -> dict[Key, Trade]:
    """Every trade of these clients dated on or after their date."""
    keys = await sql.fetch(
        """WITH since AS (SELECT * FROM unnest($1::text[], $2::date[]) AS s(client_id, day))
           SELECT client_id, trade_id FROM entries JOIN since USING (client_id) WHERE step = 0 AND trade_date >= day
           UNION SELECT client_id, trade_id FROM amendments JOIN since USING (client_id) WHERE trade_date >= day""",
        list(since),
        list(since.values()),
    )
    trades = await known(sql, [(client, trade_id) for client, trade_id in keys])
    return {key: trade for key, trade in trades.items() if trade.trade_date >= since[trade.client_id]}


async def cancelled(sql: asyncpg.Connection, keys: Collection[Key]) -> dict[Key, list[Cancellation]]:
    """What is known of cancellations of these trades, also of trades that have not come yet."""
    return await _cancelled(
        sql,
        "JOIN unnest($1::text[], $2::text[]) AS k(client_id, trade_id) USING (client_id, trade_id)",
        [client for client, _ in keys],
        [trade for _, trade in keys],
    )


async def _cancelled(sql: asyncpg.Connection, only: str, *arguments: list[str]) -> dict[Key, list[Cancellation]]:
    found: defaultdict[Key, list[Cancellation]] = defaultdict(list)
    for row in await fetch(
        sql, CancellationRow, f"SELECT {columns(CancellationRow, 'e')} FROM cancellations e {only}", *arguments
    ):
        found[row.client_id, row.trade_id].append(Cancellation(row.at, row.remaining, row.cause))
    return found


async def cancel(sql: asyncpg.Connection, told: Mapping[Key, Sequence[Cancellation]]) -> None:
    """Remember cancellations; of two words of one instant the lower counts."""
    lowest: dict[tuple[str, str, datetime], CancellationRow] = {}
    for key, words in told.items():
        for word in sorted(words):
            lowest.setdefault((*key, word.at), CancellationRow(*key, word.at, word.remaining, word.cause))
    if lowest:
        await sql.execute(
            f"""INSERT INTO cancellations AS c ({columns(CancellationRow)})
               SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::text[])
               ON CONFLICT (client_id, trade_id, at) DO UPDATE
               SET remaining = excluded.remaining, cause = excluded.cause WHERE excluded.remaining < c.remaining""",
            *lists([lowest[place] for place in sorted(lowest)]),
        )


async def amend(sql: asyncpg.Connection, trade: Trade, accepted_at: datetime) -> None:
    """Remember the content of a trade that an operator accepted in place of the first."""
    await sql.execute(
        """INSERT INTO amendments VALUES ($1, $2, $3, $4, $5) ON CONFLICT (client_id, trade_id) DO UPDATE
           SET commission = excluded.commission, trade_date = excluded.trade_date, accepted_at = excluded.accepted_at""",
        trade.client_id,
        trade.trade_id,
        trade.commission,
        trade.trade_date,
        accepted_at,
    )
