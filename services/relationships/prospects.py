"""Prospects (潜在客户): from the first word to the opened account, in one funnel, in the same store as clients [CI12, B16].

A prospect is known under an id of their own (`prospect:ID`, of a booking `booking:ID`), whose key what is personal lies under:
the information set, contacts and visits are theirs as they are a client's. Who opens an account takes all of it along; with
whom nobody talked for the months of the policy is erased.
"""

import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from pydantic import BaseModel, Field
from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.acts import Act, Aggregate, Doing, Step, Who, acts, begin, perform_each
from chassis.acts.table import IF_MATCH, PLATFORM_ITSELF
from chassis.clock import business_date, end_of, start_of
from chassis.errors import Conflict, FieldError
from chassis.errors import Text as Words
from chassis.http import may_see, object_scope
from chassis.personal import normalised
from chassis.personal.keys import Value as PersonalValue
from chassis.rows import Column, Row, columns, fetch, table
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.broker import OpeningBooked, Profile
from contracts.fields import BusinessDate, Code, Identifier
from contracts.relationships import ProspectErased
from services.relationships import acting, assignments, viewing
from services.relationships.errors import WrongValue
from services.relationships.information import keep
from services.relationships.ownership import PRIMARY
from services.relationships.tables import AssignmentFact, Value, metadata

STAFF = "staff"
NAME, NUMBER, ID_NUMBER = "CI-P01", "CI-P08", "CI-P05"
FIELDS = {NAME: "name", NUMBER: "phone", ID_NUMBER: "id_number"}
FOUND_BY = (NUMBER, ID_NUMBER)
"""What a prospect and the client they became have in common."""
INDEX = "index:prospects"
"""The owner of the key behind the tokens: who has the table alone can try no number."""
STAGES = ("new", "contacted", "interested", "booked", "converted")
OPEN = STAGES[:-1]
LIVE = (*OPEN, "dropped")
CARRIED = ("contacts", "visits", "questions", "receptions", "advices", "spot_checks")
"""Tables whose rows of a prospect are the client's from the opening on, beside the information."""
Source = Literal["booking", "walk_in", "call", "referral", "event", "online", "other"]


class ProspectKnown(Conflict):
    """The branch has a prospect of this number already: `prospect_id`."""

    title = Words("The prospect is known already", "该潜在客户已登记")


class Prospect(Row, frozen=True):
    """Somebody who may open an account: where they come from, whose they are, how far they are."""

    prospect_id: Annotated[str, Column(primary_key=True, comment="as information, contacts and visits name them")]
    branch_id: str
    owner: Annotated[str | None, Column(comment="who looks after them; none: who leads the branch")]
    source: str
    interests: Annotated[list[str], Column(ARRAY(Text))]
    state: str
    heard_at: Annotated[datetime, Column(comment="the first word")]
    entered_by: str
    opening_on: Annotated[date | None, Column(comment="when they want to open the account")]
    reason: Annotated[str | None, Column(comment="why they were given up")]
    converted_to: Annotated[str | None, Column(comment="the client they became", index=True)]
    ended_at: Annotated[datetime | None, Column(comment="when the account was opened, or they were erased")]
    tokens: Annotated[list[bytes], Column(ARRAY(LargeBinary), comment="keyed hashes of their numbers, until the end")]
    revision: Annotated[int, Column(server_default="0")]


prospects = table(
    "prospects",
    metadata,
    Prospect,
    CheckConstraint(
        "state IN ('new', 'contacted', 'interested', 'booked', 'dropped', 'converted', 'erased')", name="state"
    ),
    Index(None, "branch_id", "prospect_id"),
    Index(
        "ix_prospects_tokens", "tokens", postgresql_using="gin",
        postgresql_where=text("state NOT IN ('converted', 'erased')"),
    ),
)  # fmt: skip
SHOWN = columns(Prospect, "p")
LAST = """greatest(p.heard_at, (SELECT max(k.at) FROM contacts k WHERE k.client_id = p.prospect_id AND k.two_way))"""
"""SQL: when a prospect `p` was last talked to."""


def is_prospect(client_id: str) -> bool:
    """Whether an id is a prospect's: a client's holds no colon."""
    return ":" in client_id


class Interest(BaseModel, extra="forbid"):
    """What they are interested in."""

    interests: Annotated[list[Code], Field(min_length=1, max_length=20)]


class Booking(BaseModel, extra="forbid"):
    """When they come to open the account (预约开户)."""

    opening_on: BusinessDate


class Dropping(BaseModel, extra="forbid"):
    """Why they are given up."""

    reason: Literal["no_need", "elsewhere", "unreachable", "not_suitable", "other"]


class Handing(BaseModel, extra="forbid"):
    """Who looks after them from now on."""

    person: Identifier


class Converting(BaseModel, extra="forbid"):
    """The client they became."""

    client_id: Identifier


def sight(actor: Actor, next_argument: int) -> tuple[str, Sequence[Any]]:
    """Staff see their branch's, the centre every branch's."""
    if actor.role is Role.CLIENT:
        return "false", []
    return object_scope(actor, next_argument, centre=True)


OWNER = Who[Prospect]("owner", Words("who looks after them", "负责人"), lambda actor, one: actor.person == one.owner)
LEADER = Who[Prospect](
    "leader",
    Words("who leads the branch", "营业部负责人"),
    lambda actor, one: actor.role is Role.BRANCH_MANAGER and actor.branch_id == one.branch_id,
)
PROSPECT = Aggregate[Prospect](
    name="prospect",
    table="prospects",
    id="prospect_id",
    row=lambda record: msgspec.convert(dict(record), Prospect),
    states=(*STAGES, "dropped", "erased"),
    begins=("new", "booked"),
    final=("converted", "erased"),
    sight=sight,
    audiences=lambda actor, _: frozenset() if actor.role is Role.CLIENT else frozenset({STAFF}),
    client=None,
)


async def _note_interest(_: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    for one in doings:
        one.columns["interests"] = sorted({*one.row.interests, *one.body.interests})


async def _book(_: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    for one in doings:
        if one.body.opening_on < business_date(one.at):
            raise WrongValue(errors=(FieldError("/opening_on", "lies in the past"),))
        one.columns["opening_on"] = one.body.opening_on


async def _drop(_: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    for one in doings:
        one.columns["reason"] = one.body.reason


async def _take_up(_: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    for one in doings:
        one.columns["reason"] = None


async def _hand(uow: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    for one in doings:
        await acting.require_here(uow, one.body.person, one.at)
        one.columns["owner"] = one.body.person
        one.detail |= {"from": one.row.owner, "to": one.body.person}


async def _convert(uow: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    for one in doings:
        client_id = one.body.client_id
        found = await uow.sql.fetchrow(
            "SELECT branch_id, opened_on FROM clients WHERE client_id = $1 AND opened_on IS NOT NULL", client_id
        )
        if (
            found is None
            or found["opened_on"] < business_date(one.row.heard_at)
            or not may_see(uow.actor, client_id, found["branch_id"], centre=True)
        ):
            raise WrongValue(errors=(FieldError("/client_id", "opened no account since the first word"),))
        one.columns |= {"converted_to": client_id, "ended_at": one.at, "tokens": []}
        if (
            found["branch_id"] == one.row.branch_id
        ):  # another branch's client is not named where everybody here reads it
            one.detail["client_id"] = client_id


async def _carry_over(uow: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    """What was known of the prospect is the client's from now on: personal values under the client's key."""
    became = {one.id: one.body.client_id for one in doings}
    values = await fetch(
        uow.sql,
        Value,
        f"SELECT {columns(Value)} FROM information_values WHERE client_id = ANY($1::text[])",
        list(became),
    )
    sealed = [(n, one.sealed, FIELDS.get(one.code, one.code)) for n, one in enumerate(values) if one.sealed]
    opened = await uow.database.keyring.open(
        [PersonalValue(values[n].client_id, field, stored) for n, stored, field in sealed]
    )
    again = await uow.database.keyring.seal(
        [
            PersonalValue(became[values[n].client_id], field, word)
            for (n, _, field), word in zip(sealed, opened, strict=True)
        ]
    )
    under = {n: word for (n, *_), word in zip(sealed, again, strict=True)}
    carried = [
        msgspec.structs.replace(
            one, client_id=became[one.client_id], sealed=word.encode() if (word := under.get(n)) else None
        )
        for n, one in enumerate(values)
        if one.sealed is None or under.get(n)
    ]
    await keep(uow, carried)
    for client_id in sorted(set(became.values())):
        await viewing.tell(uow, client_id)  # the prospect's objection is the client's [A16]
    for name in CARRIED:
        await uow.sql.execute(
            f"""UPDATE {name} t SET client_id = n.became FROM unnest($1::text[], $2::text[]) AS n(prospect, became)
                WHERE t.client_id = n.prospect""",
            list(became),
            list(became.values()),
        )
    await _forget(uow, list(became))
    await _name_owners(uow, doings)


async def _name_owners(uow: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    """Who looked after the prospect is the client's manager from the opening on, unless the broker names one then [RE1]; of a
    client who was given to somebody meanwhile they become none: that takes a second person."""
    rows = await uow.sql.fetch(
        """SELECT client_id, opened_on FROM clients c WHERE client_id = ANY($1::text[])
             AND NOT EXISTS (SELECT FROM assignment_facts f WHERE f.client_id = c.client_id AND f.role = 'primary'
                             AND f.reason NOT IN ('account_system', 'prospect'))""",
        [one.body.client_id for one in doings],
    )
    opened = {client_id: opened_on for client_id, opened_on in rows}  # noqa: C416 - rows are records, not pairs
    facts = [
        AssignmentFact(
            client_id=one.body.client_id, fact_id=assignments.fact_id("prospect", one.id), role=PRIMARY,
            person=one.row.owner, since=start_of(opened[one.body.client_id]),
            said_at=min(one.row.heard_at, start_of(opened[one.body.client_id])), begins=True, reason="prospect", run=None,
            said_by=uow.actor.person, recorded_at=uow.now,
        )
        for one in doings
        if one.row.owner is not None and one.body.client_id in opened
    ]  # fmt: skip
    await assignments.keep(uow, facts)
    await assignments.project(uow, [one.client_id for one in facts])


async def _forget(uow: UnitOfWork, ids: Sequence[str]) -> None:
    for name in ("information_values", "completeness", "clients"):
        await uow.sql.execute(f"DELETE FROM {name} WHERE client_id = ANY($1::text[])", ids)


async def _mark_erased(_: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    for one in doings:
        one.columns |= {"ended_at": one.at, "tokens": []}


async def _erase(uow: UnitOfWork, doings: Sequence[Doing[Prospect]]) -> None:
    """That there was one stays; what was known and said goes, and the key with it."""
    ids = [one.id for one in doings]
    await uow.sql.execute("DELETE FROM contacts WHERE client_id = ANY($1::text[])", ids)
    await uow.sql.execute("UPDATE visits SET record = NULL WHERE client_id = ANY($1::text[])", ids)
    await uow.sql.execute(
        """DELETE FROM advice_follow_ups f USING advices a
           WHERE a.advice_id = f.advice_id AND a.client_id = ANY($1::text[])""",
        ids,
    )
    for name in ("advices", "questions", "receptions"):
        await uow.sql.execute(f"DELETE FROM {name} WHERE client_id = ANY($1::text[])", ids)
    await uow.sql.execute(
        "UPDATE spot_checks SET findings = NULL, answer = NULL, closing = NULL WHERE client_id = ANY($1::text[])", ids
    )
    await _forget(uow, ids)
    for one in doings:
        uow.emit(ProspectErased(prospect_id=one.id, branch_id=one.row.branch_id, erased_at=one.at), at=one.at)


BY_PEOPLE = (OWNER, LEADER)
ACTS = acts(
    PROSPECT,
    Act("contact", Words("Talked to", "已联系"), on=("new",), to="contacted", who=(PLATFORM_ITSELF,), tells=(STAFF,)),
    Act("interest", Words("Is interested", "有意向"), on=("new", "contacted"), to="interested", who=BY_PEOPLE,
        takes=Interest, needs=("interests",), tells=(STAFF,), prepare=_note_interest),
    Act("book", Words("Books the opening", "预约开户"), on=("new", "contacted", "interested"), to="booked", who=BY_PEOPLE,
        takes=Booking, needs=("opening_on",), tells=(STAFF,), prepare=_book),
    Act("drop", Words("Give up", "放弃"), on=OPEN, to="dropped", who=BY_PEOPLE, takes=Dropping, needs=("reason",),
        tells=(STAFF,), prepare=_drop),
    Act("take_up", Words("Take up again", "重新跟进"), on=("dropped",), to="contacted", who=BY_PEOPLE, tells=(STAFF,),
        prepare=_take_up),
    Act("hand", Words("Give to somebody", "移交"), on=OPEN, who=(LEADER,), takes=Handing, needs=("person", IF_MATCH),
        tells=(STAFF,), prepare=_hand),
    Act("convert", Words("Opened an account", "已开户"), on=LIVE, to="converted", who=(*BY_PEOPLE, PLATFORM_ITSELF),
        takes=Converting, needs=("client_id",), tells=(STAFF,), prepare=_convert, then=_carry_over),
    Act("erase", Words("Erase", "清除"), on=LIVE, to="erased", who=(PLATFORM_ITSELF,), tells=(STAFF,),
        prepare=_mark_erased, then=_erase),
)  # fmt: skip


async def add(
    uow: UnitOfWork, branch_id: str, owner: str | None, source: str, heard_at: datetime, interests: Sequence[str],
    letter: str, given: Mapping[str, str],
) -> Prospect:  # fmt: skip
    """Keep a prospect whom somebody of the staff met; `given` are name and numbers by indicator, `letter` who enters them.

    Raises: ProspectKnown for a number the branch has a prospect of; WrongValue.
    """
    now = await effective_now(uow.sql, uow.now)
    if heard_at > now:
        raise WrongValue(errors=(FieldError("/heard_at", "lies in the future"),))
    tokens = [token for token in await _tokens(uow, [(code, given.get(code)) for code in FOUND_BY]) if token]
    known = await uow.sql.fetchval(
        "SELECT prospect_id FROM prospects WHERE tokens && $1::bytea[] AND state = ANY($2::text[]) AND branch_id = $3 LIMIT 1",
        tokens,
        list(LIVE),
        branch_id,
    )
    if known is not None:
        raise ProspectKnown(prospect_id=known)
    if owner is not None:
        await acting.require_here(uow, owner, now, "/owner")
    one = Prospect(
        f"prospect:{uuid7()}", branch_id, owner, source, sorted(set(interests)), "new", heard_at, uow.actor.person,
        None, None, None, None, tokens, 0,
    )  # fmt: skip
    await _insert(uow, [one])
    values = [PersonalValue(one.prospect_id, FIELDS[code], word) for code, word in given.items()]
    sealed = await uow.database.keyring.seal(values)
    await keep(
        uow,
        [
            _value(one, code, word, str(uuid7()), letter, uow.actor.person, now, uow.now)
            for code, word in zip(given, sealed, strict=True)
            if word
        ],
    )
    uow.audit("add prospect", PROSPECT.named(one.prospect_id), key=one.prospect_id, source=source, owner=owner)
    return one


def _value(
    one: Prospect, code: str, sealed: str, fact_id: str, source: str, person: str, at: datetime, recorded_at: datetime
) -> Value:
    return Value(
        client_id=one.prospect_id, code=code, day=business_date(at), own=False, at=at, fact_id=fact_id, state="stated",
        source=source, person=person, value=None, sealed=sealed.encode(), evidence=None, until=None, passed=None,
        recorded_at=recorded_at,
    )  # fmt: skip


async def _insert(uow: UnitOfWork, ones: Sequence[Prospect]) -> list[Prospect]:
    """Keep prospects not known yet; returns them."""
    made = []
    for one in ones:
        row = msgspec.structs.astuple(one)
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        if await uow.sql.fetchval(
            f"""INSERT INTO prospects ({columns(Prospect)}) VALUES ({places}) ON CONFLICT DO NOTHING
                RETURNING prospect_id""",
            *row,
        ):
            made.append(one)
    await uow.sql.execute(
        """INSERT INTO clients (client_id, branch_id) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING""",
        [one.prospect_id for one in made],
        [one.branch_id for one in made],
    )
    await begin(
        uow, [Step(PROSPECT.named(one.prospect_id), "add", "", one.state, one.heard_at, (STAFF,)) for one in made]
    )
    return made


async def keep_bookings(events: Sequence[OpeningBooked], uow: UnitOfWork) -> None:
    """Who booked an account opening is a prospect; who has opened one meanwhile is not any more [B16]."""
    first = {event.key: event for event in reversed(events)}
    numbers = await uow.database.keyring.open(
        [PersonalValue(key, "phone", event.sealed.get("phone")) for key, event in first.items()]
    )
    tokens = await _tokens(uow, [(NUMBER, number) for number in numbers])
    ones = [
        Prospect(
            key, event.branch_id, event.owner, "booking", [], "booked", event.at, "broker", None, None, None, None,
            [token] if token else [], 0,
        )
        for (key, event), token in zip(first.items(), tokens, strict=True)
    ]  # fmt: skip
    made = await _insert(uow, ones)
    await keep(
        uow,
        [
            _value(one, code, word, one.prospect_id, "S", "broker", one.heard_at, uow.now)
            for one in made
            for code in (NAME, NUMBER)
            if (word := first[one.prospect_id].sealed.get(FIELDS[code]))
        ],
    )
    if wanted := [one for one in made if one.tokens]:
        rows = await uow.sql.fetch(
            """SELECT c.client_id, c.opened_on, v.code, v.sealed FROM clients c JOIN information_values v USING (client_id)
               WHERE c.opened_on >= $1 AND v.code = ANY($2::text[]) AND v.sealed IS NOT NULL""",
            min(business_date(one.heard_at) for one in wanted),
            list(FOUND_BY),
        )
        await _match(uow, [(client_id, opened, code, sealed) for client_id, opened, code, sealed in rows], wanted)


async def convert_opened(uow: UnitOfWork, events: Sequence[Profile]) -> None:
    """Prospects whose number or identity an opened client has."""
    given = [
        (event.client_id, code, word)
        for event in events
        for code in FOUND_BY
        if (word := event.sealed.get(FIELDS[code]))
    ]
    if not given or not await uow.sql.fetchval("SELECT EXISTS (SELECT FROM prospects WHERE tokens <> '{}')"):
        return
    rows = await uow.sql.fetch(
        "SELECT client_id, opened_on FROM clients WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL",
        list({client_id for client_id, *_ in given}),
    )
    opened = {client_id: opened_on for client_id, opened_on in rows}  # noqa: C416 - rows are records, not pairs
    await _match(uow, [(one, opened[one], code, word.encode()) for one, code, word in given if one in opened], None)


async def _match(
    uow: UnitOfWork, given: Sequence[tuple[str, date, str, bytes]], among: Sequence[Prospect] | None
) -> None:
    """Prospects who opened an account on or after the day of the first word: the first to open of those who have the number."""
    words = await uow.database.keyring.open(
        [PersonalValue(one, FIELDS[code], sealed) for one, _, code, sealed in given]
    )
    tokens = await _tokens(uow, [(code, word) for (_, _, code, _), word in zip(given, words, strict=True)])
    clients: defaultdict[bytes, list[tuple[date, str]]] = defaultdict(list)
    for (client_id, opened_on, *_), token in zip(given, tokens, strict=True):
        if token:
            clients[token].append((opened_on, client_id))
    if among is None:
        among = await fetch(
            uow.sql,
            Prospect,
            f"SELECT {SHOWN} FROM prospects p WHERE p.tokens && $1::bytea[] AND p.state = ANY($2::text[])",
            list(clients),
            list(LIVE),
        )
    todo: dict[str, Converting] = {}
    at: dict[str, datetime] = {}
    for one in among:
        since = business_date(one.heard_at)
        fits = [found for token in one.tokens for found in clients.get(token, ()) if found[0] >= since]
        if fits:
            opened_on, client_id = min(fits)
            todo[one.prospect_id] = Converting(client_id=client_id)
            at[one.prospect_id] = max(one.heard_at, start_of(opened_on))
    await perform_each(uow, ACTS.convert, todo, at)


async def _tokens(uow: UnitOfWork, given: Sequence[tuple[str, str | None]]) -> list[bytes | None]:
    """What equal numbers have in common, by the key of the index; None of none."""
    if not any(word for _, word in given):
        return [None] * len(given)
    key = (await uow.database.keyring.keys([INDEX], make=True))[INDEX].secret
    return [
        hmac.digest(key, f"{code}\n{normalised(word)}".encode(), "sha256")[:16] if word else None
        for code, word in given
    ]


async def note_numbers(uow: UnitOfWork, prospect_id: str, given: Mapping[str, str]) -> None:
    """A prospect's number was entered anew: they are found by that one as well."""
    found = [token for token in await _tokens(uow, [(code, given.get(code)) for code in FOUND_BY]) if token]
    if found:
        await uow.sql.execute(
            """UPDATE prospects SET tokens = tokens || $2::bytea[] WHERE prospect_id = $1
               AND state NOT IN ('converted', 'erased') AND NOT tokens @> $2::bytea[]""",
            prospect_id,
            found,
        )


async def note_contacts(uow: UnitOfWork, made: Iterable[tuple[str, datetime, bool]]) -> None:
    """Contacts with prospects (whose, when, whether they talked): the first word is answered, and what is heard after the opening
    is the client's."""
    own = [one for one in made if is_prospect(one[0])]
    if not own:
        return
    await uow.sql.execute(
        """UPDATE contacts c SET client_id = p.converted_to FROM prospects p
           WHERE p.prospect_id = ANY($1::text[]) AND c.client_id = p.prospect_id AND p.converted_to IS NOT NULL""",
        [one for one, *_ in own],
    )
    talked = {prospect_id: at for prospect_id, at, two_way in sorted(own, reverse=True) if two_way}
    await perform_each(uow, ACTS.contact, dict.fromkeys(talked), talked)


async def erase_forgotten(uow: UnitOfWork, day: date, months: int) -> int:
    """Erase prospects with whom nobody talked for so many months by the end of a day; returns how many [CI12]."""
    rows = await uow.sql.fetch(
        f"""SELECT p.prospect_id FROM prospects p WHERE p.state = ANY($1::text[])
              AND ({LAST} AT TIME ZONE 'Asia/Shanghai')::date + make_interval(months => $3) <= $2::date""",
        list(LIVE),
        day,
        months,
    )
    ids = [prospect_id for (prospect_id,) in rows]
    return len(await perform_each(uow, ACTS.erase, dict.fromkeys(ids), end_of(day)))


async def is_owner(sql: asyncpg.Connection, prospect_id: str, person: str) -> bool:
    """Whether somebody looks after a prospect."""
    return bool(
        await sql.fetchval(
            "SELECT EXISTS (SELECT FROM prospects WHERE prospect_id = $1 AND owner = $2)", prospect_id, person
        )
    )


class Listed(Row, frozen=True):
    """A prospect as listed: with the day they were last talked to."""

    prospect_id: str
    branch_id: str
    owner: str | None
    source: str
    interests: list[str]
    state: str
    heard_at: datetime
    opening_on: date | None
    reason: str | None
    converted_to: str | None
    ended_at: datetime | None
    revision: int
    last_on: date
    converted_branch: str | None


LISTED = f"""SELECT p.prospect_id, p.branch_id, p.owner, p.source, p.interests, p.state, p.heard_at, p.opening_on, p.reason,
        p.converted_to, p.ended_at, p.revision, ({LAST} AT TIME ZONE 'Asia/Shanghai')::date,
        (SELECT c.branch_id FROM clients c WHERE c.client_id = p.converted_to)
    FROM prospects p"""


class Stage(Row, frozen=True):
    """Prospects of a branch and source who were first heard of in a time: how many there were, how many came how far."""

    branch_id: str
    source: str
    prospects: int
    contacted: int
    interested: int
    booked: int
    converted: int
    dropped: int
    erased: int
    days: int | None


_RANK = " ".join(f"WHEN '{name}' THEN {n}" for n, name in enumerate(STAGES))
FUNNEL = f"""
    SELECT f.branch_id, f.source, count(*), count(*) FILTER (WHERE f.far >= 1 OR f.talked), count(*) FILTER (WHERE f.far >= 2),
           count(*) FILTER (WHERE f.far >= 3), count(*) FILTER (WHERE f.state = 'converted'),
           count(*) FILTER (WHERE f.state = 'dropped'), count(*) FILTER (WHERE f.state = 'erased'),
           (percentile_disc(0.5) WITHIN GROUP (ORDER BY f.days) FILTER (WHERE f.state = 'converted'))
    FROM (SELECT p.branch_id, p.source, p.state, extract(day FROM p.ended_at - p.heard_at)::int AS days,
                 (SELECT max(CASE s.after {_RANK} ELSE 0 END) FROM act_steps s WHERE s.object = 'prospect/' || p.prospect_id) AS far,
                 EXISTS (SELECT FROM contacts k WHERE k.client_id = p.prospect_id AND k.two_way) AS talked
          FROM prospects p WHERE p.heard_at >= $1 AND p.heard_at < $2) f
    WHERE {{scope}} GROUP BY f.branch_id, f.source ORDER BY f.branch_id, f.source"""
"""$1 and $2: heard of between."""
