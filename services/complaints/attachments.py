"""Attachments and recordings by content hash; what a file is, its bytes say, not its name or header.

The bytes lie in parts: neither keeping nor reading a file needs it in memory as a whole.
"""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg

from chassis.database import Database
from chassis.errors import FieldError, Invalid, Refusal, Text
from chassis.http import Upload
from chassis.uow import UnitOfWork

LARGEST_BYTES = 100_000_000
HEAD_BYTES = 12
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
)


class LyingType(Refusal):
    """The content is not of the type its header claims, or of a type that is not kept."""

    status = 415
    title = Text("The content is of another type", "文件内容与类型不符")


def type_of(content: bytes) -> str | None:
    """What the first bytes are: one of the kept types, or None."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "audio/wav"
    return next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)


def check(upload: Upload, claimed: str) -> str:
    """The type of a file.

    Raises: LyingType, Invalid when there is nothing in it.
    """
    if not upload.size:
        raise Invalid(errors=(FieldError("", "is empty"),))
    kind = type_of(upload.head(HEAD_BYTES))
    if kind is None or kind != claimed.split(";")[0].strip().lower():
        raise LyingType(found=kind, claimed=claimed)
    return kind


async def keep(uow: UnitOfWork, case_id: UUID, upload: Upload, kind: str, name: str, role: str) -> bool:
    """Keep a file with a case; whether the case did not have it yet. The same content twice is kept once."""
    fresh = await uow.sql.fetchval(
        """INSERT INTO attachments (sha256, type, size, stored_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING RETURNING true""",
        upload.sha256,
        kind,
        upload.size,
        uow.now,
    )
    if fresh:
        for number, part in enumerate(upload.parts()):
            await uow.sql.execute(
                "INSERT INTO attachment_parts (sha256, number, content) VALUES ($1, $2, $3)",
                upload.sha256,
                number,
                part,
            )
    added = await uow.sql.fetchval(
        """INSERT INTO case_attachments (case_id, sha256, name, role, at, by) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT DO NOTHING RETURNING true""",
        case_id,
        upload.sha256,
        name,
        role,
        uow.happened_at,
        uow.actor.person,
    )
    return bool(added)


async def parts_of(sql: asyncpg.Connection, sha256: str) -> AsyncIterator[bytes]:
    """A file's bytes, a part at a time, by one connection."""
    number = 0
    while part := await _part(sql, sha256, number):
        yield part
        number += 1


async def _part(sql: asyncpg.Connection, sha256: str, number: int) -> bytes | None:
    found: bytes | None = await sql.fetchval(
        "SELECT content FROM attachment_parts WHERE sha256 = $1 AND number = $2", sha256, number
    )
    return found


async def streamed(database: Database, sha256: str) -> AsyncIterator[bytes]:
    """A file's bytes, a part at a time; no connection is held while a slow line takes one."""
    number = 0
    while True:
        async with database.reading() as sql:
            part = await _part(sql, sha256, number)
        if part is None:
            return
        yield part
        number += 1
