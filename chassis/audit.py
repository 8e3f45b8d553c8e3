"""The sealed chain over immutable rows, and its verification.

Rows of a sealed table carry gapless numbers per partition. A seal covers a range of them: the SHA-256 of the rows'
text, column by column as named in the seal, the digest of the seal before it, and an Ed25519 signature made with a
key that is not in the database.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.database import Database
from chassis.sealed import AUDIT, CLOCK_ENTRIES
from chassis.secrets import signing_key
from chassis.service import Service
from chassis.settings import Settings

ROWS_PER_SEAL = 10_000
NOTHING = bytes(32)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something `careline verify` found wrong."""

    service: str
    table: str
    partition: int
    detail: str


def key_id(public: Ed25519PublicKey) -> str:
    """A short name of a public key, kept with each seal."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def _signed(name: str, partition: int, first: int, last: int, columns: str, digest: bytes, previous: bytes) -> bytes:
    head = f"{name}\n{partition}\n{first}\n{last}\n{columns}\n".encode()
    return hashlib.sha256(head + digest + previous).digest()


async def _digest(
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


class Sealer:
    """Seals what was written since the last seal; one sealer a service works at a time."""

    def __init__(self, service: Service, database: Database, settings: Settings) -> None:
        self.service = service
        self.database = database
        self.key = signing_key(settings, "seal")
        self.tables = {table.name: table for table in (AUDIT, CLOCK_ENTRIES, *service.sealed)}

    async def step(self) -> bool:
        """Seal one range of each partition that has unsealed rows."""
        async with self.database.unit_of_work() as uow:
            if not await uow.sql.fetchval(
                "SELECT pg_try_advisory_xact_lock(hashtext('seal'), hashtext(current_schema()))"
            ):
                return False
            open_ranges = await uow.sql.fetch(
                """SELECT h.name, h.partition, coalesce(s.last + 1, 0) AS first, h.next - 1 AS last, s.head
                   FROM sealed_heads h
                   LEFT JOIN LATERAL (
                       SELECT last, digest AS head FROM seals s WHERE s.name = h.name AND s.partition = h.partition
                       ORDER BY first DESC LIMIT 1) s ON true
                   WHERE h.next > coalesce(s.last + 1, 0)"""
            )
            for name, partition, first, last, head in open_ranges:
                await self._seal(uow.sql, name, partition, first, min(last, first + ROWS_PER_SEAL - 1), head or NOTHING)
        return bool(open_ranges)

    async def _seal(
        self, sql: asyncpg.Connection, name: str, partition: int, first: int, last: int, previous: bytes
    ) -> None:
        columns = ", ".join(f'"{column}"' for column in self.tables[name].columns)
        rows, _ = await _digest(sql, name, columns, partition, first, last)
        digest = _signed(name, partition, first, last, columns, rows, previous)
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
            self.key.sign(digest),
            key_id(self.key.public_key()),
        )

    async def verify(self) -> AsyncIterator[Finding]:
        """Everything altered, missing or inserted in this service's sealed tables."""
        async with self.database.reading() as sql:
            for table in self.tables.values():
                for partition, following in await sql.fetch(
                    "SELECT partition, next FROM sealed_heads WHERE name = $1 ORDER BY partition", table.name
                ):
                    async for detail in self._verify_partition(sql, table.name, partition, following):
                        yield Finding(self.service.name, table.name, partition, detail)
                strays = await sql.fetchval(
                    f"""SELECT count(*) FROM {table.name} t WHERE NOT EXISTS (
                            SELECT FROM sealed_heads h WHERE h.name = $1 AND h.partition = t.partition
                            AND t.number >= 0 AND t.number < h.next)""",
                    table.name,
                )
                if strays:
                    yield Finding(self.service.name, table.name, -1, f"{strays} rows outside every numbered range")

    async def _verify_partition(
        self, sql: asyncpg.Connection, name: str, partition: int, following: int
    ) -> AsyncIterator[str]:
        public, previous, expected = self.key.public_key(), NOTHING, 0
        for seal in await sql.fetch(
            "SELECT * FROM seals WHERE name = $1 AND partition = $2 ORDER BY first", name, partition
        ):
            first, last = seal["first"], seal["last"]
            if first != expected:
                yield f"seals jump from {expected} to {first}"
            rows, count = await _digest(sql, name, seal["columns"], partition, first, last)
            if count != last - first + 1:
                yield f"rows {first} to {last}: {last - first + 1} were sealed, {count} are there"
            elif _signed(name, partition, first, last, seal["columns"], rows, seal["previous"]) != seal["digest"]:
                yield f"rows {first} to {last} were altered"
            if seal["previous"] != previous:
                yield f"the seal of {first} to {last} does not follow the one before it"
            try:
                public.verify(seal["signature"], seal["digest"])
            except InvalidSignature:
                yield f"the seal of {first} to {last} was not signed with this platform's key"
            previous, expected = seal["digest"], last + 1
        tail = await sql.fetchval(
            f"SELECT count(*) FROM {name} WHERE partition = $1 AND number >= $2", partition, expected
        )
        if following < expected or tail != following - expected:
            yield f"from {expected} on {following - expected} rows were numbered, {tail} are there"
