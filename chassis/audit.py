"""The sealed chain over immutable rows.

Rows of a sealed table carry gapless numbers per partition. A seal covers a range of them: the SHA-256 of the rows'
text, column by column as named in the seal, the digest of the seal before it, and an Ed25519 signature made with a
key that is not in the database. Each new head goes to the witness, outside the database. The service's own role can
change none of it: sealing works as the schema's owner.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.database import Database, connect, owner_of, owner_url_of
from chassis.key_history import KeyHistory, KeyReplaced
from chassis.secrets import name_of, signing_key
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry import SEALING_STOPPED
from chassis.witness import Head, Witness, WitnessDamaged

log = structlog.get_logger()

ROWS_PER_SEAL = 10_000
NOTHING = bytes(32)


def signed_digest(
    name: str, partition: int, first: int, last: int, columns: str, digest: bytes, previous: bytes
) -> bytes:
    head = f"{name}\n{partition}\n{first}\n{last}\n{columns}\n".encode()
    return hashlib.sha256(head + digest + previous).digest()


async def digest_of(
    sql: asyncpg.Connection, table: str, columns: str, partition: int, first: int, last: int
) -> tuple[bytes, int]:
    """The digest of rows `first` to `last`, and how many there are. Text forms are fixed by the connection's settings."""
    row = await sql.fetchrow(
        f"""SELECT sha256(convert_to(coalesce(string_agg(ROW({columns})::text, E'\\n' ORDER BY number), ''), 'UTF8')),
                   count(*)
            FROM {table} WHERE partition = $1 AND number BETWEEN $2 AND $3""",
        partition,
        first,
        last,
    )
    assert row is not None
    return row[0], row[1]


class HistoryAltered(Exception):
    """What was sealed is not what is there now: nothing more may be signed on top of it."""


@dataclass(frozen=True, slots=True)
class _Range:
    """A partition as the database has it: its newest seal, and up to where rows are numbered."""

    sealed: Head | None
    following: int

    @property
    def unsealed(self) -> int:
        return self.following - (self.sealed.last + 1 if self.sealed else 0)


class Sealer:
    """Seals what was written since the last seal; one sealer a service works at a time.

    Before it signs, it compares with the witness, and the rows of the last seal with that seal. Where anything differs
    it stops sealing and says so (`alarm`, a metric, readyz, the log) until the history is whole again.
    """

    def __init__(self, service: Service, database: Database, settings: Settings) -> None:
        self.service = service
        self.database = database
        self.settings = settings
        self.tables = {table.name: table for table in service.every_sealed}
        self.witness = Witness(settings, service.name)
        self.keys = KeyHistory(settings)
        self.alarm = ""
        SEALING_STOPPED.labels(service.name).set(0)

    async def step(self) -> bool:
        """Seal one range of each partition that has unsealed rows. Without the owner's login: nothing to do here."""
        url = owner_url_of(self.settings, self.service.name)
        if url is None:
            return False
        with self.witness.held() as alone:
            if not alone:
                return False
            try:
                worked = await self._step(url)
            except (HistoryAltered, WitnessDamaged, KeyReplaced) as altered:
                self._stop(str(altered))
                return False
        if self.alarm:
            log.warning("sealing again", service=self.service.name)
        self.alarm = ""
        SEALING_STOPPED.labels(self.service.name).set(0)
        return worked

    def _stop(self, why: str) -> None:
        SEALING_STOPPED.labels(self.service.name).set(1)
        if why != self.alarm:
            log.error("sealing stopped: the history was altered", service=self.service.name, reason=why)
        self.alarm = why

    async def _step(self, url: str) -> bool:
        with self.keys.held(wait=True):
            key = signing_key(self.settings, "seal")
            self.keys.keep()
        self.witness.read()
        async with self.database.reading() as sql:
            ranges = await self._ranges(sql)
            lines = await sql.fetchval("SELECT lines FROM witnessed")
        if problem := self.witness.shortened(lines):
            raise HistoryAltered(problem)
        adopting = lines is None  # a home made before there was a witness
        ahead = {place for place, found in ranges.items() if self._compared(place, found, adopting=adopting)}
        if not adopting and not ahead and not any(found.unsealed for found in ranges.values()):
            return False
        owner = await connect(url, self.service.name, role=owner_of(self.service.name))
        try:
            return await self._seal_all(owner, key, ahead, adopting=adopting)
        finally:
            await owner.close()

    async def _ranges(self, sql: asyncpg.Connection) -> dict[tuple[str, int], _Range]:
        """Every partition the database numbers, has sealed, or the witness knows."""
        known = list(self.witness.heads)
        rows = await sql.fetch(
            """SELECT h.name, h.partition, h.next, s.first, s.last, s.digest
               FROM (SELECT name, partition, next FROM sealed_heads
                     UNION ALL
                     SELECT name, partition, 0 FROM unnest($1::text[], $2::int[]) w (name, partition)
                     WHERE NOT EXISTS (SELECT FROM sealed_heads o WHERE o.name = w.name AND o.partition = w.partition)) h
               LEFT JOIN LATERAL (
                   SELECT first, last, digest FROM seals s WHERE s.name = h.name AND s.partition = h.partition
                   ORDER BY first DESC LIMIT 1) s ON true""",
            [name for name, _ in known],
            [partition for _, partition in known],
        )
        return {
            (name, partition): _Range(None if digest is None else Head(name, partition, first, last, digest), following)
            for name, partition, following, first, last, digest in rows
        }

    def _compared(self, place: tuple[str, int], found: _Range, *, adopting: bool) -> bool:
        """Whether the database is ahead of the witness, which is so when we ended between the two.

        Raises: HistoryAltered when it is behind, or another.
        """
        name, partition = place
        seen, sealed = self.witness.heads.get(place), found.sealed
        if found.unsealed < 0:
            raise HistoryAltered(f"{name} partition {partition}: numbered up to {found.following}, sealed beyond it")
        if seen == sealed:
            return False
        if sealed is None or (seen and sealed.last <= seen.last):
            assert seen is not None
            there = "no seal is there" if sealed is None else f"the seal there is of {sealed.first} to {sealed.last}"
            raise HistoryAltered(
                f"{name} partition {partition}: rows up to {seen.last} were sealed, and {there}, or another one"
            )
        if not adopting and sealed.first != (seen.last + 1 if seen else 0):
            raise HistoryAltered(
                f"{name} partition {partition}: the witness has rows up to {seen.last if seen else -1} only"
            )
        return True

    async def _seal_all(
        self, sql: asyncpg.Connection, key: Any, ahead: set[tuple[str, int]], *, adopting: bool
    ) -> bool:
        heads = []
        async with sql.transaction():
            if not await sql.fetchval("SELECT pg_try_advisory_xact_lock(hashtext('seal'), hashtext(current_schema()))"):
                return False
            for place in ahead:
                heads += await self._unwitnessed(sql, *place)
            if adopting:
                await sql.execute("INSERT INTO witnessed (since) VALUES (clock_timestamp())")
            self.witness.add(heads)
            heads = []
            for place, found in (await self._ranges(sql)).items():
                self._compared(place, found, adopting=False)
                if found.unsealed and place[0] in self.tables:
                    heads.append(await self._seal(sql, key, place, found))
        await asyncio.to_thread(self.witness.add, heads)
        await sql.execute("UPDATE witnessed SET lines = $1", self.witness.at.lines)
        return bool(heads)

    async def _unwitnessed(self, sql: asyncpg.Connection, name: str, partition: int) -> list[Head]:
        """The seals the witness does not have yet, each signed and chained to the one before it.

        Raises: HistoryAltered.
        """
        seen = self.witness.heads.get((name, partition))
        previous = seen.digest if seen else NOTHING
        heads = []
        for seal in await sql.fetch(
            "SELECT * FROM seals WHERE name = $1 AND partition = $2 AND first > $3 ORDER BY first",
            name,
            partition,
            seen.last if seen else -1,
        ):
            if problem := signature_problem(dict(seal), self.keys.seal_keys):
                raise HistoryAltered(f"{name} partition {partition}: {problem}")
            if seal["previous"] != previous:
                raise HistoryAltered(f"{name} partition {partition}: the seal of {seal['first']} does not follow")
            previous = seal["digest"]
            heads.append(Head(name, partition, seal["first"], seal["last"], seal["digest"]))
        return heads

    async def _seal(self, sql: asyncpg.Connection, key: Any, place: tuple[str, int], found: _Range) -> Head:
        (name, partition), before = place, found.sealed
        if before:
            seal = await sql.fetchrow(
                "SELECT * FROM seals WHERE name = $1 AND partition = $2 AND first = $3", name, partition, before.first
            )
            assert seal is not None
            if problem := await rows_problem(sql, dict(seal)):
                raise HistoryAltered(f"{name} partition {partition}: {problem}")
        first = before.last + 1 if before else 0
        last = min(found.following - 1, first + ROWS_PER_SEAL - 1)
        columns = ", ".join(f'"{column}"' for column in self.tables[name].columns)
        rows, count = await digest_of(sql, name, columns, partition, first, last)
        if count != last - first + 1:
            raise HistoryAltered(
                f"{name} partition {partition}: rows {first} to {last} were numbered, {count} are there"
            )
        previous = before.digest if before else NOTHING
        digest = signed_digest(name, partition, first, last, columns, rows, previous)
        await sql.execute(
            """INSERT INTO seals (name, partition, first, last, columns, digest, previous, signature, key_id, sealed_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())""",
            name,
            partition,
            first,
            last,
            columns,
            digest,
            previous,
            key.sign(digest),
            name_of(key.public_key()),
        )
        return Head(name, partition, first, last, digest)


def signature_problem(seal: Mapping[str, Any], trusted: Mapping[str, Ed25519PublicKey]) -> str:
    """What is wrong with a seal's signature; empty when a key of this home's made it."""
    where = f"the seal of {seal['first']} to {seal['last']}"
    if seal["key_id"] not in trusted:
        return f"{where} was signed with a key that is not this platform's ({seal['key_id']})"
    try:
        trusted[seal["key_id"]].verify(seal["signature"], seal["digest"])
    except InvalidSignature:
        return f"{where} was not signed with this platform's key"
    return ""


async def rows_problem(sql: asyncpg.Connection, seal: Mapping[str, Any]) -> str:
    """What is wrong with the rows under a seal; empty when they are what was sealed."""
    name, partition, first, last = seal["name"], seal["partition"], seal["first"], seal["last"]
    rows, count = await digest_of(sql, name, seal["columns"], partition, first, last)
    if count != last - first + 1:
        missing = await sql.fetch(
            f"""SELECT n FROM generate_series($2::bigint, $3::bigint) n
                WHERE NOT EXISTS (SELECT FROM {name} WHERE partition = $1 AND number = n) LIMIT 6""",
            partition,
            first,
            last,
        )
        numbers = ", ".join(str(n) for (n,) in missing[:5]) + (", ..." if len(missing) > 5 else "")
        return (
            f"rows {first} to {last}: {last - first + 1} were sealed, {count} are there (missing: {numbers or 'none'})"
        )
    if signed_digest(name, partition, first, last, seal["columns"], rows, seal["previous"]) != seal["digest"]:
        return f"rows {first} to {last} were altered, swapped or renumbered"
    return ""
