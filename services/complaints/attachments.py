"""Attachments and recordings by content hash; what a file is, its bytes say, not its name or header."""

import hashlib
from uuid import UUID

from chassis.errors import FieldError, Invalid, Refusal, Text, TooLarge
from chassis.uow import UnitOfWork

LARGEST_BYTES = 20_000_000
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
    """What the bytes are: one of the kept types, or None."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "audio/wav"
    return next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)


async def keep(uow: UnitOfWork, case_id: UUID, content: bytes, claimed: str, name: str, role: str) -> str:
    """Keep a file with a case; its SHA-256. The same content twice is kept once.

    Raises: TooLarge, LyingType, Invalid when there is nothing in it.
    """
    if len(content) > LARGEST_BYTES:
        raise TooLarge(Text(f"at most {LARGEST_BYTES} bytes", f"至多 {LARGEST_BYTES} 字节"), limit_bytes=LARGEST_BYTES)
    if not content:
        raise Invalid(errors=(FieldError("", "is empty"),))
    kind = type_of(content)
    if kind is None or kind != claimed.split(";")[0].strip().lower():
        raise LyingType(found=kind, claimed=claimed)
    digest = hashlib.sha256(content).hexdigest()
    await uow.sql.execute(
        """INSERT INTO attachments (sha256, type, size, content, stored_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT DO NOTHING""",
        digest,
        kind,
        len(content),
        content,
        uow.now,
    )
    await uow.sql.execute(
        """INSERT INTO case_attachments (case_id, sha256, name, role, at, by) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT DO NOTHING""",
        case_id,
        digest,
        name,
        role,
        uow.happened_at,
        uow.actor.subject,
    )
    return digest
