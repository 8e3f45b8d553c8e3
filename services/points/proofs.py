"""Files that an adjustment rests on (附件): kept with the client, encrypted under the client's own key.

What a file is, its bytes say, not its name or header. When the key is destroyed, so is what the file says.
"""

import re

import asyncpg
import msgspec

from chassis import rows
from chassis.database import Database
from chassis.errors import FieldError, Invalid, NotFound, Text
from chassis.http import Upload
from chassis.http.problems import UnsupportedMediaType
from chassis.personal.keys import Value
from chassis.uow import UnitOfWork
from services.points.tables import ProofRow

LARGEST_BYTES = 5_000_000
HEAD_BYTES = 8
FIELD = "proof"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAGIC = ((b"%PDF-", "application/pdf"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def check(upload: Upload) -> str:
    """The type of a file.

    Raises: UnsupportedMediaType, Invalid when there is nothing in it.
    """
    if not upload.size:
        raise Invalid(errors=(FieldError("", "is empty"),))
    head = upload.head(HEAD_BYTES)
    kind = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if kind is None:
        raise UnsupportedMediaType(Text("PDF, PNG or JPEG, by what its bytes say", "按文件内容须为 PDF、PNG 或 JPEG"))
    return kind


async def keep(uow: UnitOfWork, client_id: str, upload: Upload, kind: str) -> None:
    """Keep a file with a client; the same content twice is kept once."""
    content = b"".join(upload.parts())
    [sealed] = await uow.database.keyring.seal([Value(client_id, FIELD, content)])
    if sealed is None:  # the key is gone: nothing of this client is kept any more
        raise NotFound
    one = ProofRow(client_id, upload.sha256, kind, upload.size, sealed, uow.now, uow.actor.person)
    await uow.sql.execute(
        f"INSERT INTO proofs ({rows.columns(ProofRow)}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        *msgspec.structs.astuple(one),
    )
    uow.audit("points.proof.kept", f"proof/{upload.sha256}", key=client_id, type=kind, size=upload.size)


async def read(database: Database, sql: asyncpg.Connection, client_id: str, sha256: str) -> tuple[str, bytes]:
    """Type and content of a file of a client.

    Raises: NotFound, also when the client's key was destroyed.
    """
    row = await sql.fetchrow("SELECT type, content FROM proofs WHERE client_id = $1 AND sha256 = $2", client_id, sha256)
    [content] = await database.keyring.open_bytes([Value(client_id, FIELD, row["content"] if row else None)])
    if row is None or content is None:
        raise NotFound
    return row["type"], content


async def require_kept(sql: asyncpg.Connection, client_id: str, attachment: str) -> None:
    """What names a file by its SHA-256 names one that is kept with the client; anything else is a number of the firm's archive.

    Raises: Invalid.
    """
    if _SHA256.fullmatch(attachment) and not await sql.fetchval(
        "SELECT EXISTS (SELECT FROM proofs WHERE client_id = $1 AND sha256 = $2)", client_id, attachment
    ):
        raise Invalid(
            Text("no such file is kept with this client", "该客户名下无此文件"),
            errors=(FieldError("/attachment", "no file of this client"),),
        )
