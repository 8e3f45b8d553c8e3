"""Evidence (留痕, 录音): content by its SHA-256 in a blob store behind one small interface, and what it belongs to [B8]."""

import asyncio
import os
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import asyncpg
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.errors import Conflict, Invalid, NotFound, Text
from chassis.folders import private_folder
from chassis.settings import Settings
from chassis.uow import UnitOfWork

LARGEST_BYTES = 50_000_000
KINDS = ("recording", "letter", "survey", "visit", "screenshot", "e_mail", "approval")


class EvidenceMissing(Invalid):
    """No completion without a recording or its equivalent; a failed recording needs a supervisor's approval [B8]."""

    title = Text("Evidence is missing", "缺少留痕凭证")


class EvidenceDamaged(Conflict):
    """What the blob store gave back is not what was stored: its hash differs."""

    title = Text("The stored evidence was altered", "凭证内容已被更改")


class BlobStore(Protocol):
    """Keeps bytes by their SHA-256. Storing the same content twice is one blob; nothing is ever overwritten."""

    async def put(self, digest: str, content: bytes) -> None:
        """Keep the content; once this returns it survives a crash."""
        ...

    async def get(self, digest: str) -> bytes | None:
        """The content, or None when there is none."""
        ...


class EvidenceSettings(BaseSettings):
    """Where evidence lies (`CARELINE_EVIDENCE_*`): a folder, or an S3-compatible bucket."""

    model_config = SettingsConfigDict(env_prefix="CARELINE_EVIDENCE_", extra="ignore", frozen=True)

    folder: Path | None = None
    s3_url: str = ""
    s3_region: str = "us-east-1"
    s3_access_key: str = ""
    s3_secret_key: str = ""


class Folder:
    """Blobs as files, two levels deep, read-only once written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, digest: str) -> Path:
        return self.root / digest[:2] / digest[2:4] / digest

    async def put(self, digest: str, content: bytes) -> None:
        """Write beside, force to disk, rename: a crash leaves the whole blob or none."""
        await asyncio.to_thread(self._put, self._path(digest), content)

    def _put(self, path: Path, content: bytes) -> None:
        if path.exists():
            return
        private_folder(path.parent)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with fresh.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.chmod(0o400)
            fresh.replace(path)
        except OSError:  # no room: nothing half written keeps the disk full
            fresh.unlink(missing_ok=True)
            raise

    async def get(self, digest: str) -> bytes | None:
        """The file's bytes."""
        path = self._path(digest)
        return await asyncio.to_thread(path.read_bytes) if path.exists() else None


def store_of(settings: Settings, given: EvidenceSettings | None = None) -> BlobStore:
    """The blob store that the settings name; a folder under the home unless told otherwise."""
    chosen = given or EvidenceSettings()
    if chosen.s3_url:
        from services.callbacks.evidence_s3 import S3

        return S3(chosen.s3_url, chosen.s3_region, chosen.s3_access_key, chosen.s3_secret_key)
    return Folder(chosen.folder or settings.home / "evidence")


async def keep(
    uow: UnitOfWork,
    store: BlobStore,
    client_id: str,
    kind: str,
    content: bytes,
    media_type: str,
    recorded_at: datetime | None = None,
) -> str:
    """Store content and note whose it is; returns its id, the SHA-256. The blob is there before the row is."""
    digest = sha256(content).hexdigest()
    await store.put(digest, content)
    await _note(uow, digest, client_id, kind, None, media_type, len(content), recorded_at)
    return digest


async def refer(uow: UnitOfWork, client_id: str, kind: str, reference: str, recorded_at: datetime | None = None) -> str:
    """Note a recording that the phone system keeps, by its reference there; returns the id."""
    digest = sha256(f"reference:{reference}".encode()).hexdigest()
    await _note(uow, digest, client_id, kind, reference, None, None, recorded_at)
    return digest


async def _note(
    uow: UnitOfWork,
    evidence_id: str,
    client_id: str,
    kind: str,
    reference: str | None,
    media_type: str | None,
    size: int | None,
    recorded_at: datetime | None,
) -> None:
    await uow.sql.execute(
        """INSERT INTO evidence (evidence_id, client_id, kind, reference, media_type, size_bytes, stored_at, stored_by,
                                 recorded_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING""",
        evidence_id,
        client_id,
        kind,
        reference,
        media_type,
        size,
        uow.now,
        uow.actor.person,
        recorded_at,
    )
    uow.audit("evidence_stored", f"evidence/{evidence_id}", key=client_id, kind=kind, client=client_id)


async def require(sql: asyncpg.Connection, client_id: str, evidence_id: str) -> None:
    """Refuse what is no evidence of this client.

    Raises: EvidenceMissing.
    """
    if not await sql.fetchval(
        "SELECT EXISTS (SELECT FROM evidence WHERE evidence_id = $1 AND client_id = $2)", evidence_id, client_id
    ):
        raise EvidenceMissing(Text("no such evidence of this client", "该客户名下无此凭证"))


async def content_of(sql: asyncpg.Connection, store: BlobStore, evidence_id: str, client_id: str) -> tuple[bytes, str]:
    """A client's stored evidence and its media type, checked against its hash.

    Raises: NotFound, EvidenceDamaged.
    """
    row = await sql.fetchrow(
        "SELECT media_type, reference FROM evidence WHERE evidence_id = $1 AND client_id = $2", evidence_id, client_id
    )
    if row is None or row["reference"] is not None:
        raise NotFound
    content = await store.get(evidence_id)
    if content is None or sha256(content).hexdigest() != evidence_id:
        raise EvidenceDamaged(evidence_id=evidence_id)
    return content, row["media_type"] or "application/octet-stream"
