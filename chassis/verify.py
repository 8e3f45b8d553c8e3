"""Finding what was altered: rows against seals, seals against keys and witness, what may have no row at all, and what must hold
in the rows (see `chassis.invariants`).

After a clean run only what is new is looked at. Where the server itself counts a changed or deleted row in a sealed table
since then (nothing ever changes one), or the table was written anew, the whole table is looked at again.
"""

import asyncio
import hmac
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.audit import NOTHING, rows_problem, signature_problem
from chassis.database import Database
from chassis.invariants import Invariant, problem
from chassis.key_history import KeyHistory
from chassis.secrets import key_ring, name_of
from chassis.service import Service
from chassis.settings import Settings
from chassis.witness import Head, Position, Witness, WitnessDamaged, folder_of

AT_ONCE = 4
CHANGES = """
    SELECT s.n_tup_ins, s.n_tup_upd, s.n_tup_del, pg_relation_filenode(s.relid)::bigint,
           coalesce(extract(epoch FROM d.stats_reset), 0)::bigint
    FROM pg_stat_user_tables s, pg_stat_database d
    WHERE s.relid = $1::regclass AND d.datname = current_database()"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something `careline verify` found wrong; partition -1 where it concerns none or all."""

    service: str
    table: str
    partition: int
    detail: str


class Clean(msgspec.Struct):
    """How a service was when nothing was wrong: the witness's position, the last seal of each `table/partition`, and the
    server's counters of each table."""

    witness: Position = Position()
    sealed: dict[str, tuple[int, int, str]] = {}
    changes: dict[str, tuple[int, int, int, int, int]] = {}


class CleanRuns:
    """The state of the last clean run of each service, kept beside the witness and authenticated with the seal key."""

    def __init__(self, settings: Settings) -> None:
        self.path = folder_of(settings) / "verified.json"
        self._keys = [hmac.digest(key, b"careline verified", "sha256") for key in key_ring(settings, "seal")]
        self._kept = self._read()

    def of(self, service: str) -> Clean:
        """A service's; one never verified has an empty one."""
        return self._kept.get(service, Clean())

    def keep(self, found: Mapping[str, Clean]) -> None:
        """Remember clean runs."""
        self._kept |= found
        body = msgspec.json.encode(self._kept)
        fresh = self.path.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(hmac.digest(self._keys[0], body, "sha256").hex().encode() + b"\n" + body)
        fresh.rename(self.path)

    def _read(self) -> dict[str, Clean]:
        with suppress(FileNotFoundError, msgspec.MsgspecError, ValueError):
            mac, _, body = self.path.read_bytes().partition(b"\n")
            if any(hmac.compare_digest(hmac.digest(key, body, "sha256").hex().encode(), mac) for key in self._keys):
                return msgspec.json.decode(body, type=dict[str, Clean])
        return {}


async def verify(
    settings: Settings, services: Iterable[Service], databases: Mapping[str, Database], *, full: bool = False
) -> list[Finding]:
    """Everything altered, missing, inserted, swapped or renumbered in the sealed tables, the seals, the witness and the keys.

    Without `full` only what is new since the last clean run of a service.
    """
    services, turns = list(services), asyncio.Semaphore(AT_ONCE)
    history = KeyHistory(settings)
    findings: list[Finding] = []
    try:
        history.read()
        findings += [Finding("keys", "history", -1, problem) for problem in history.problems()]
    except WitnessDamaged as damaged:
        findings.append(Finding("keys", "history", -1, str(damaged)))
    runs = CleanRuns(settings)
    looks = [
        _Look(settings, service, databases[service.name], history, Clean() if full else runs.of(service.name), turns)
        for service in services
    ]
    for found in await asyncio.gather(*(look.findings() for look in looks)):
        findings += found
    if not findings:
        runs.keep({look.service.name: look.clean for look in looks})
    return findings


class _Look:
    """One look at one service."""

    def __init__(
        self,
        settings: Settings,
        service: Service,
        database: Database,
        history: KeyHistory,
        before: Clean,
        turns: asyncio.Semaphore,
    ) -> None:
        self.settings = settings
        self.service = service
        self.database = database
        self.history = history
        self.before = before
        self.turns = turns
        self.tables = {table.name for table in service.every_sealed}
        self.witness = Witness(settings, service.name)
        self.clean = Clean()
        in_use = [Ed25519PrivateKey.from_private_bytes(key).public_key() for key in key_ring(settings, "seal")]
        self.trusted = history.seal_keys if history.there else {name_of(key): key for key in in_use}

    async def findings(self) -> list[Finding]:
        """What is wrong; `clean` is what to remember when nothing is."""
        damaged: list[Finding] = []
        for table in sorted({*self.tables, "seals"}):
            self.clean.changes[table] = await self._changes(table)
        anew = {table for table in self.clean.changes if self._written_anew(table)}
        whole = self.tables if "seals" in anew else anew
        async with self.database.reading() as sql:
            # Nobody seals while heads, seals and witness are read: they belong together.
            with await asyncio.to_thread(_held, self.witness):
                lines = await sql.fetchval("SELECT lines FROM witnessed")
                try:
                    self.witness.check_known(self.before.witness)
                    if whole:
                        self.witness.at = Position()
                    heads = self.witness.read()
                    self.clean.witness = self.witness.at
                except WitnessDamaged as error:
                    damaged.append(self._finding("witness", -1, str(error)))
                    heads = []
                seals = await self._seals(sql, whole)
                following = {(n, p): f for n, p, f in await sql.fetch("SELECT name, partition, next FROM sealed_heads")}
            if not damaged and (problem := self.witness.shortened(lines)):
                damaged.append(self._finding("witness", -1, problem))
            if lines is not None and not self.history.there:
                damaged.append(self._finding("keys", -1, f"the history of keys {self.history.path} is missing"))
            strays = [await self._strays(sql, table) for table in sorted(self.tables)]
        compared = (
            lines is not None or self.witness.there
        ) and not damaged  # a home made before there was a witness has none until it seals
        seen: dict[tuple[str, int], list[Head]] = {}
        for head in heads:
            seen.setdefault(head.place, []).append(head)
        places = {(table, partition) for table in self.tables for partition in range(self.settings.partitions)}
        by_place = await asyncio.gather(
            *(
                self._partition(
                    place, seals.get(place, []), seen.get(place, []) if compared else None, following.get(place), whole
                )
                for place in sorted(places | seals.keys() | seen.keys() | following.keys())
            )
        )
        broken = await asyncio.gather(*(self._broken(one, whole) for one in self.service.invariants))
        return [*damaged, *chain.from_iterable([*strays, *by_place, *broken])]

    async def _broken(self, invariant: Invariant, whole: set[str]) -> list[Finding]:
        """Of clients with rows that were not sealed at the last clean run."""
        table = invariant.table
        before = {} if table in whole else self.before.sealed
        first = {
            partition: before[place][1] + 1 if (place := f"{table}/{partition}") in before else 0
            for partition in range(self.settings.partitions)
        }
        async with self.turns, self.database.reading() as sql:
            found = await problem(sql, invariant, first)
        return [self._finding(table, -1, found)] if found else []

    async def _changes(self, table: str) -> Any:
        async with self.turns, self.database.reading() as sql:
            row = await sql.fetchrow(CHANGES, table)
            assert row is not None
            return tuple(row)

    def _written_anew(self, table: str) -> bool:
        before, now = self.before.changes.get(table), self.clean.changes[table]
        return before is None or now[0] < before[0] or now[1:] != before[1:]

    async def _seals(self, sql: asyncpg.Connection, whole: set[str]) -> dict[tuple[str, int], list[dict[str, Any]]]:
        """The seals to look at, and of a table not looked at whole the last one known, by place."""
        known = [
            (table, partition, self.before.sealed.get(f"{table}/{partition}", (0,))[0])
            for table in sorted(self.tables - whole)
            for partition in range(self.settings.partitions)
        ]
        rows = await sql.fetch(
            """SELECT s.* FROM unnest($1::text[], $2::int[], $3::bigint[]) k (name, partition, first)
               JOIN seals s ON s.name = k.name AND s.partition = k.partition AND s.first >= k.first
               UNION ALL
               SELECT * FROM seals WHERE NOT name = ANY($4::text[])
               ORDER BY name, partition, first""",
            [table for table, _, _ in known],
            [partition for _, partition, _ in known],
            [first for _, _, first in known],
            sorted(self.tables - whole),
        )
        found: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for row in rows:
            found.setdefault((row["name"], row["partition"]), []).append(dict(row))
        return found

    async def _strays(self, sql: asyncpg.Connection, table: str) -> list[Finding]:
        """Rows that no number was given out for."""
        rows = await sql.fetch(
            f"""SELECT t.partition, min(t.number), max(t.number), count(*) FROM (
                    SELECT partition, number FROM {table} WHERE partition < 0 OR partition >= $2
                    UNION ALL
                    SELECT t.partition, t.number FROM sealed_heads h JOIN {table} t ON t.partition = h.partition
                    WHERE h.name = $1 AND t.number < 0
                    UNION ALL
                    SELECT t.partition, t.number FROM sealed_heads h
                    JOIN {table} t ON t.partition = h.partition AND t.number >= h.next WHERE h.name = $1
                ) t GROUP BY 1 ORDER BY 1""",
            table,
            self.settings.partitions,
        )
        return [
            self._finding(
                table, partition, f"{count} rows outside every numbered range were inserted: {first} to {last}"
            )
            for partition, first, last, count in rows
        ]

    async def _partition(
        self,
        place: tuple[str, int],
        seals: Sequence[dict[str, Any]],
        heads: Sequence[Head] | None,
        following: int | None,
        whole: set[str],
    ) -> list[Finding]:
        table, partition = place
        if table not in self.tables:
            return [self._finding(table, partition, "sealed, and no table of this service")]
        known = None if table in whole else self.before.sealed.get(f"{table}/{partition}")
        expected, previous = (known[1] + 1, bytes.fromhex(known[2])) if known else (0, NOTHING)
        begun = known[0] if known else 0
        problems: list[str] = []
        if known:
            if not seals or (seals[0]["last"], seals[0]["digest"]) != (known[1], previous):
                problems.append(f"the seal that ended at {known[1]} at the last clean run is gone, or another one")
            else:
                seals = seals[1:]
        if heads is not None:
            problems += _against_witness(seals, heads, expected)
        for seal in seals:
            first, last = seal["first"], seal["last"]
            if first != expected:
                problems.append(f"seals jump from {expected} to {first}")
            if seal["previous"] != previous:
                problems.append(f"the seal of {first} to {last} does not follow the one before it")
            if wrong := signature_problem(seal, self.trusted):
                problems.append(wrong)
            async with self.turns, self.database.reading() as sql:
                if wrong := await rows_problem(sql, seal):
                    problems.append(wrong)
            begun, previous, expected = first, seal["digest"], last + 1
        problems += await self._tail(table, partition, expected, following)
        if expected:
            self.clean.sealed[f"{table}/{partition}"] = (begun, expected - 1, previous.hex())
        return [self._finding(table, partition, problem) for problem in problems]

    async def _tail(self, table: str, partition: int, expected: int, following: int | None) -> list[str]:
        if following is None and partition < self.settings.partitions:
            return ["its head, which numbers its rows, is gone"]
        async with self.turns, self.database.reading() as sql:
            row = await sql.fetchrow(  # one statement, so that rows and head are of one moment
                f"""SELECT h.next, (SELECT count(*) FROM {table} t
                                   WHERE t.partition = $2 AND t.number >= $3 AND t.number < h.next)
                    FROM sealed_heads h WHERE h.name = $1 AND h.partition = $2""",
                table,
                partition,
                expected,
            )
        if row is None:
            return []
        end, there = row
        if end < expected:
            return [f"sealed up to {expected - 1}, but numbered only up to {end - 1}: numbers were set back"]
        return (
            [f"from {expected} on {end - expected} rows were numbered, {there} are there"]
            if there != end - expected
            else []
        )

    def _finding(self, table: str, partition: int, detail: str) -> Finding:
        return Finding(self.service.name, table, partition, detail)


def _held(witness: Witness) -> Any:
    """The witness, held against sealers until the block ends."""
    from contextlib import ExitStack

    stack = ExitStack()
    stack.enter_context(witness.held(alone=False, wait=True))
    return stack


def _against_witness(seals: Sequence[Mapping[str, Any]], heads: Sequence[Head], expected: int) -> list[str]:
    """Seals that the witness does not have, and the other way round."""
    there = {seal["first"]: seal for seal in seals}
    seen = {head.first: head for head in heads}
    problems = []
    gone = [head for head in heads if head.first not in there and head.last >= expected]
    if gone:
        problems.append(f"{len(gone)} seals that the witness has are gone, of rows {gone[0].first} to {gone[-1].last}")
    for first, seal in there.items():
        if first not in seen:
            problems.append(f"the witness is shorter: it does not have the seal of {first} to {seal['last']}")
        elif (seen[first].last, seen[first].digest) != (seal["last"], seal["digest"]):
            problems.append(f"the seal of {first} to {seal['last']} was made again: the witness has another one")
    return problems
