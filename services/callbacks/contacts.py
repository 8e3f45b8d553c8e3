"""What is kept of a client: profile facts merged field by field, contact data encrypted, standings day by day."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils import uuid7

from chassis.bus.record import Record
from chassis.clients import Words, take_along
from chassis.clock import business_date
from chassis.erasure import Judgement
from chassis.personal import mask_text
from chassis.personal.keys import Value
from chassis.uow import UnitOfWork
from contracts.broker import CallMissed, ClientOpened, OpeningBooked
from contracts.callbacks import ContactDataChanged
from services.callbacks.rules import OPEN, Ties

PLAIN = (
    "branch_id", "manager_id", "opener_id", "referrer_id", "kind", "account_status", "experience_years", "birth_date",
    "opened_on",
)  # fmt: skip
PERSONAL = ("name", "phone", "email", "address")
STANDING = ("branch_id", "manager_id", "account_status")
FOLLOW = {
    "tasks": "t.state <> ALL('{completed,cancelled}') AND t.rule <> ALL('{satisfaction,missed_call,booking,enquiry}')",
    "moments": "t.done_on IS NULL",
    "approvals": "t.state = 'waiting'",
}
"""What goes with a client to another branch: all that is open, but what is about a case of its branch, or was asked of the branch first [C8]."""


async def keep(uow: UnitOfWork, events: Sequence[Words], records: Sequence[Record]) -> dict[str, date]:
    """Merge profiles: of each field the word with the highest (ce_time, ce_id) is in force.

    Returns the clients concerned and the day from which their standing may have changed.
    """
    offered: dict[str, dict[str, tuple[list[str], Any]]] = {}
    since: dict[str, date] = {}
    for event, record in zip(events, records, strict=True):
        stamp = [record.time.astimezone(UTC).isoformat(), record.id]
        day = event.opened_on if isinstance(event, ClientOpened) else business_date(record.time)
        fields = offered.setdefault(event.client_id, {})
        for name in (*PLAIN, *PERSONAL):
            value = event.sealed.get(name, "").encode() or None if name in PERSONAL else getattr(event, name, None)
            if value is not None and (name not in fields or fields[name][0] < stamp):
                fields[name] = (stamp, value)
        since[event.client_id] = min(day, since.get(event.client_id, day))
    await _merge(uow, offered)
    await _note_standings(uow, events, records)
    return since


async def _merge(uow: UnitOfWork, offered: dict[str, dict[str, tuple[list[str], Any]]]) -> None:
    clients = sorted(offered)
    known = {
        row["client_id"]: dict(row)
        for row in await uow.sql.fetch(
            "SELECT * FROM clients WHERE client_id = ANY($1::text[]) ORDER BY client_id FOR UPDATE", clients
        )
    }
    branches, rows = {client_id: row["branch_id"] for client_id, row in known.items()}, []
    for client_id in clients:
        row = known.get(client_id) or {"client_id": client_id, "stamps": {}}
        stamps = dict(row["stamps"])
        for name, (stamp, value) in offered[client_id].items():
            if name not in stamps or stamps[name] < stamp:
                stamps[name] = stamp
                row[name] = value
        rows.append([row.get(name) for name in ("client_id", *PLAIN, *PERSONAL)] + [stamps])
    moved = [one for one, row in zip(clients, rows, strict=True) if row[1] != branches.get(one)]
    columns = ("client_id", *PLAIN, *PERSONAL, "stamps")
    sets = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    await uow.sql.execute(
        f"""INSERT INTO clients ({", ".join(columns)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                                 $8::int[], $9::date[], $10::date[], $11::bytea[], $12::bytea[], $13::bytea[],
                                 $14::bytea[], $15::jsonb[])
            ON CONFLICT (client_id) DO UPDATE SET {sets}""",
        *(list(column) for column in zip(*rows, strict=True)),
    )
    await take_along(uow, FOLLOW, moved)
    # Whose alone a task was is theirs no more, unless they were named with the move or after it: the branch's, then.
    await uow.sql.execute(
        """UPDATE tasks t SET owner = n.manager, passes_on_at = CASE WHEN n.manager IS NOT NULL THEN passes_on_at END
           FROM (SELECT client_id, CASE WHEN stamps->'manager_id'->>0 >= stamps->'branch_id'->>0 THEN manager_id END AS manager
                 FROM clients WHERE client_id = ANY($1::text[])) n
           WHERE t.client_id = n.client_id AND t.state = ANY($2::text[]) AND t.owner IS NOT NULL
             AND t.owner IS DISTINCT FROM n.manager AND t.rule <> ALL('{satisfaction,missed_call,booking,enquiry}')""",
        [client_id for client_id in moved if client_id in known],
        list(OPEN),
    )


async def _note_standings(uow: UnitOfWork, events: Sequence[Words], records: Sequence[Record]) -> None:
    """A row for each day on which branch, manager or status were said; of a field not said the row before speaks."""
    said: dict[tuple[str, date], dict[str, Any]] = {}
    for event, record in sorted(zip(events, records, strict=True), key=lambda pair: (pair[1].time, pair[1].id)):
        day = event.opened_on if isinstance(event, ClientOpened) else business_date(record.time)
        words = {name: value for name in STANDING if (value := getattr(event, name, None)) is not None}
        if words:
            said.setdefault((event.client_id, day), {}).update(words)
    keys = sorted(said)
    await uow.sql.execute(
        """INSERT INTO standings AS s (client_id, since, branch_id, manager_id, account_status)
           SELECT * FROM unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::text[])
           ON CONFLICT (client_id, since) DO UPDATE SET branch_id = coalesce(excluded.branch_id, s.branch_id),
               manager_id = coalesce(excluded.manager_id, s.manager_id),
               account_status = coalesce(excluded.account_status, s.account_status)""",
        [client for client, _ in keys],
        [day for _, day in keys],
        *([said[key].get(name) for key in keys] for name in STANDING),
    )


async def ties_of(
    sql: asyncpg.Connection, clients: Sequence[str], concerned: dict[str, Sequence[str]] | None = None
) -> dict[str, Ties]:
    """Who has had to do with each of these clients, for avoidance [B10]; `concerned` comes from the task."""
    rows = await sql.fetch(
        """SELECT c.client_id, c.opener_id, c.referrer_id, c.manager_id,
                  array(SELECT DISTINCT s.manager_id FROM standings s
                        WHERE s.client_id = c.client_id AND s.manager_id IS NOT NULL) AS managers
           FROM clients c WHERE c.client_id = ANY($1::text[])""",
        list(clients),
    )
    found = {
        row["client_id"]: Ties(
            opener=row["opener_id"],
            referrer=row["referrer_id"],
            manager=row["manager_id"],
            former_managers=frozenset(row["managers"]) - {row["manager_id"]},
            concerned=frozenset((concerned or {}).get(row["client_id"], ())),
        )
        for row in rows
    }
    return {c: found.get(c) or Ties(concerned=frozenset((concerned or {}).get(c, ()))) for c in clients}


async def keep_caller_data(
    uow: UnitOfWork, events: Sequence[CallMissed | OpeningBooked], served_by: Mapping[str, UUID] | None = None,
    numbers: Mapping[str, bytes] | None = None,
) -> None:  # fmt: skip
    """Name and number of who called or booked, as the event has them sealed [B16, C24]: with the task, because a client
    may call from any phone; and in the place of a client's where they are none yet."""
    if not events:
        return
    places = [event.key for event in events]
    names, phones = ([event.sealed.get(name, "").encode() or None for event in events] for name in ("name", "phone"))
    await uow.sql.execute(
        """INSERT INTO callers (subject, owner, name, phone, task_id, number)
           SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::uuid[], $6::bytea[])
           ON CONFLICT (subject) DO NOTHING""",
        [event.identity for event in events],
        places,
        names,
        phones,
        [(served_by or {}).get(event.identity) for event in events],
        [(numbers or {}).get(event.identity) for event in events],
    )
    unknown = {event.key: n for n, event in enumerate(events) if getattr(event, "client_id", None) is None}
    await uow.sql.execute(
        """INSERT INTO clients (client_id, name, phone) SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[])
           ON CONFLICT (client_id) DO UPDATE SET name = coalesce(excluded.name, clients.name),
               phone = coalesce(excluded.phone, clients.phone)""",
        list(unknown),
        [names[n] for n in unknown.values()],
        [phones[n] for n in unknown.values()],
    )


async def judge_erasure(uow: UnitOfWork, clients: Sequence[str]) -> dict[str, Judgement]:
    """An open account and a callback that is owed keep a client; nothing else here does."""
    rows = await uow.sql.fetch(
        """SELECT c.client_id, c.opened_on IS NOT NULL AND c.closed_on IS NULL AS account,
                  EXISTS (SELECT FROM tasks t WHERE t.client_id = c.client_id AND t.state = ANY($2::text[])) AS owed
           FROM clients c WHERE c.client_id = ANY($1::text[])""",
        list(clients),
        list(OPEN),
    )
    return {
        row["client_id"]: Judgement("account open" if row["account"] else "callbacks owed")
        for row in rows
        if row["account"] or row["owed"]
    }


async def hold(uow: UnitOfWork, client_id: str) -> None:
    """Lock a client before any of their tasks: whoever enters a call marks the client last, a closing account first."""
    await uow.sql.execute("SELECT FROM clients WHERE client_id = $1 FOR NO KEY UPDATE", client_id)


CHANGEABLE = {
    "phone": re.compile(r"[0-9+() -]{5,40}"),
    "email": re.compile(r"[^@\s]{1,100}@[^@\s]{1,99}"),
    "address": re.compile(r".{2,400}"),
}
"""Contact data a client may change in a contact; anything else of `profile` is only written down with it."""


def wrong_changes(changes: Mapping[str, str]) -> list[str]:
    """The names of contact data that cannot be what they are said to be."""
    return [name for name, form in CHANGEABLE.items() if name in changes and not form.fullmatch(changes[name])]


def without_values(changes: Mapping[str, str]) -> dict[str, str]:
    """What an attempt keeps of a client's changes: of contact data that they changed, of the rest masked words."""
    return {name: "changed" if name in CHANGEABLE else mask_text(value) for name, value in changes.items()}


async def change(
    uow: UnitOfWork, client_id: str, changes: Mapping[str, str], at: datetime, evidence_id: str | None
) -> None:
    """Take over contact data a client changed in a contact, with its evidence [B11, B13], and tell it.

    As with the broker's own word, the latest in force is the one with the highest (time, id).
    """
    given = {name: changes[name] for name in CHANGEABLE if name in changes}
    row = given and await uow.sql.fetchrow("SELECT stamps FROM clients WHERE client_id = $1 FOR UPDATE", client_id)
    if not row:
        return
    stamps = dict(row["stamps"])
    stamp = [at.astimezone(UTC).isoformat(), f"contact/{evidence_id}"]
    newer = {name: value for name, value in given.items() if name not in stamps or stamps[name] < stamp}
    if not newer:
        return
    sealed = await uow.database.keyring.seal([Value(client_id, name, value) for name, value in newer.items()])
    sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(newer, 3))
    await uow.sql.execute(
        f"UPDATE clients SET stamps = $2, {sets} WHERE client_id = $1",
        client_id,
        stamps | dict.fromkeys(newer, stamp),
        *(text.encode() if text else None for text in sealed),
    )
    if ":" not in client_id:
        told: dict[str, Any] = dict(newer)
        uow.emit(
            ContactDataChanged(
                client_id=client_id, change_id=UUID(bytes=uuid7().bytes), agent=uow.actor.person, evidence=evidence_id or "",
                changed_at=at, **told,
            ),
            at=at,
        )  # fmt: skip
    uow.audit(
        "profile_updated", f"client/{client_id}", key=client_id, fields=sorted(newer), evidence=evidence_id, at=at
    )
