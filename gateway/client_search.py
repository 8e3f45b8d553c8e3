"""Finding a client by number or name without keeping either: keyed hashes of the normalised values, gone with the key.

A name is found whole, or by pairs of neighbouring characters; initials find too many and need the end of the number.
"""

import hmac
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated

from fastapi import Request
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, model_validator

from chassis.actor import CALL_CENTRE, Actor, Role
from chassis.clock import business_date
from chassis.http import Work, permits, router
from chassis.http.reads import note_read
from chassis.personal import normalised
from chassis.staff import HQ
from chassis.uow import UnitOfWork
from contracts.base import Event
from contracts.broker import CallMissed, ClientOpened, Profile
from contracts.fields import Phone, form_of, text_of
from gateway.client_keys import store_of

routes = router("/v1/clients", "clients")
MOST = 20
ENDING = 4
Finder = Annotated[
    Actor,
    permits("clients:search", Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE),
]


def token(key: bytes, kind: str, text: str) -> bytes:
    """What equal values have in common."""
    return hmac.digest(key, f"{kind}\n{text}".encode(), "sha256")[:16]


def name_parts(name: str) -> tuple[str, list[str], str]:
    """A name normalised: whole, its pairs of neighbouring characters, its initials (of Chinese: the family name)."""
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    words = re.split(r"[\s·•.\-]+", plain)
    whole = "".join(words)
    initials = whole[:1] if re.match(r"[\u3400-\u9fff]", whole) else "".join(word[:1] for word in words)
    return whole, ["".join(pair) for pair in pairwise(whole)], initials


def tokens_of(key: bytes, name: str | None, phone: str | None) -> dict[str, list[bytes]]:
    """Tokens by kind of what a profile says."""
    found: dict[str, list[bytes]] = {}
    if phone and (number := normalised(phone)):
        found["phone"] = [token(key, "phone", number), token(key, "ending", number[-ENDING:])]
    if name and (whole := name_parts(name)[0]):
        _, pairs, initials = name_parts(name)
        found["name"] = [token(key, "name", whole), *(token(key, "pair", pair) for pair in sorted(set(pairs)))]
        found["initials"] = [token(key, "initials", initials)]
    return found


async def renew(uow: UnitOfWork, events: Iterable[Event]) -> None:
    """Who opens an account after their key was destroyed gets a new one, of the next generation."""
    opened = {event.client_id: event.opened_on for event in events if isinstance(event, ClientOpened)}
    if not opened:
        return
    rows = await uow.sql.fetch(
        "SELECT owner, destroyed_at FROM client_keys WHERE owner = ANY($1::text[]) AND destroyed_at IS NOT NULL",
        list(opened),
    )
    again = [row["owner"] for row in rows if opened[row["owner"]] > business_date(row["destroyed_at"])]
    if again:
        await store_of(uow.database).renew(again)


async def find_callers(uow: UnitOfWork, events: Sequence[Event]) -> list[Event]:
    """The events, missed calls with their client where exactly one has the number; with several or none they stay open [C24]."""
    asked = [e for e in events if isinstance(e, CallMissed) and e.client_id is None and e.phone]
    if not asked:
        return list(events)
    key = await store_of(uow.database).search_key()
    tokens = {e.call_id: token(key, "phone", number) for e in asked if (number := normalised(e.phone or ""))}
    rows = await uow.sql.fetch(
        """SELECT n.token, min(k.owner) AS owner FROM unnest($1::bytea[]) AS n(token)
           JOIN client_tokens t ON t.kind = 'phone' AND t.tokens @> ARRAY[n.token]
           JOIN client_keys k ON k.owner = t.owner AND k.generation = t.generation
           WHERE k.blocked_at IS NULL AND k.destroyed_at IS NULL GROUP BY n.token HAVING count(DISTINCT k.owner) = 1""",
        sorted(set(tokens.values())),
    )
    owners = {row["token"]: row["owner"] for row in rows}
    return [
        replace(e, client_id=owners.get(tokens.get(e.call_id, b"")))
        if isinstance(e, CallMissed) and e.client_id is None
        else e
        for e in events
    ]


async def note_clients(uow: UnitOfWork, facts: Sequence[tuple[Event, datetime, str]]) -> None:
    """Keep what finds the clients of profiles and who may; of several the highest (time, id) is in force."""
    key = await store_of(uow.database).search_key()
    tokens: dict[tuple[str, str], tuple[datetime, str, list[bytes]]] = {}
    branches: dict[str, tuple[datetime, str, str]] = {}
    for event, at, event_id in facts:
        if not isinstance(event, Profile):
            continue
        for kind, found in tokens_of(key, event.name, event.phone).items():
            place = (event.client_id, kind)
            tokens[place] = max(tokens.get(place, (at, event_id, found)), (at, event_id, found))
        if event.branch_id:
            said = (at, event_id, event.branch_id)
            branches[event.client_id] = max(branches.get(event.client_id, said), said)
    for (owner, kind), (at, event_id, found) in sorted(tokens.items()):
        await uow.sql.execute(
            """INSERT INTO client_tokens AS t (owner, kind, generation, stamp, event_id, tokens)
               SELECT owner, $2, generation, $3, $4, $5::bytea[] FROM client_keys
               WHERE owner = $1 AND destroyed_at IS NULL
               ON CONFLICT (owner, kind) DO UPDATE SET generation = excluded.generation, stamp = excluded.stamp,
                   event_id = excluded.event_id, tokens = excluded.tokens
               WHERE (excluded.stamp, excluded.event_id) >= (t.stamp, t.event_id)""",
            owner, kind, at, event_id, found,
        )  # fmt: skip
    if branches:
        clients = sorted(branches)
        await uow.sql.execute(
            """UPDATE client_keys k SET branch_id = n.branch, branch_stamp = n.stamp, branch_event = n.event
               FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]) AS n(owner, stamp, event, branch)
               WHERE k.owner = n.owner
                 AND (k.branch_stamp IS NULL OR (n.stamp, n.event) >= (k.branch_stamp, k.branch_event))""",
            clients,
            *([branches[client][n] for client in clients] for n in range(3)),
        )


class Wanted(BaseModel):
    """By number, by name, or by initials together with the number's last four digits."""

    model_config = ConfigDict(extra="forbid")

    phone: Phone | None = None
    name: Annotated[str, text_of(200, 2, "a whole name, or a part of two characters at least", "王芳")] | None = None
    initials: Annotated[str, text_of(8, 1, "initials of a name", "wf")] | None = None
    phone_ending: Annotated[str, form_of("[0-9]{4}", 4, "the last four digits of a number", "8000")] | None = None

    @model_validator(mode="after")
    def _enough(self) -> "Wanted":
        if not (self.phone or self.name or (self.initials and self.phone_ending)):
            raise ValueError("give a phone, a name, or initials with the number's last four digits")
        return self


class FoundClient(BaseModel):
    """A client who fits; `exact`: by the whole number or name."""

    client_id: str
    branch_id: str | None
    exact: bool


class FoundClients(BaseModel):
    """Clients the caller may see, those who fit exactly first; `more` when there are others."""

    clients: list[FoundClient]
    more: bool


@routes.post("/search")
async def search_clients(request: Request, actor: Finder, uow: Work, wanted: Wanted) -> FoundClients:
    """Clients by number or name, of the caller's branch. A search is a read: it carries a purpose and is recorded."""
    key = await store_of(uow.database).search_key()
    exact: list[bytes] = []
    near: list[bytes] = []
    if wanted.phone:
        exact.append(token(key, "phone", normalised(wanted.phone)))
    if wanted.phone_ending:
        near.append(token(key, "ending", wanted.phone_ending))
    if wanted.name:
        whole, pairs, _ = name_parts(wanted.name)
        near += [token(key, "pair", pair) for pair in pairs] or [token(key, "name", whole)]
        exact_name = token(key, "name", whole)
    else:
        exact_name = exact[0] if exact else b""
    if wanted.initials:
        near.append(token(key, "initials", name_parts(wanted.initials)[2]))
    everywhere = actor.sees_all_branches or (HQ, CALL_CENTRE) in actor.seats
    rows = await uow.sql.fetch(
        f"""SELECT k.owner, k.branch_id, $2 = ANY(array_agg(token)) AS exact
            FROM client_keys k JOIN client_tokens t ON t.owner = k.owner AND t.generation = k.generation,
                 unnest(t.tokens) AS token
            WHERE t.owner IN (SELECT owner FROM client_tokens WHERE tokens && $1::bytea[])
              AND k.blocked_at IS NULL AND k.destroyed_at IS NULL AND ($3::bool OR k.branch_id = $4)
            GROUP BY k.owner, k.branch_id HAVING array_agg(token) @> $1::bytea[]
            ORDER BY 3 DESC, 1 LIMIT {MOST + 1}""",
        exact + near,
        exact_name,
        everywhere,
        actor.branch_id,
    )
    found = [FoundClient(client_id=row["owner"], branch_id=row["branch_id"], exact=row["exact"]) for row in rows[:MOST]]
    criteria = sorted(wanted.model_dump(exclude_none=True))
    note_read(request, uow, actor, "clients:search", [one.client_id for one in found], criteria=criteria)
    return FoundClients(clients=found, more=len(rows) > MOST)
