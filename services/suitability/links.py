"""A link of one use by which the client confirms in their own zone: staff ask for it, messaging delivers it [Q4].

The link alone opens nothing: whoever opens it is signed in as the client it is for. It is an id and a signature over what it
is for and how long, so nobody can make one up, and what is kept here is not enough to make it.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.clock import business_date
from chassis.errors import NotFound
from chassis.rows import columns, fetch
from chassis.secrets import key_ring
from chassis.settings import Settings
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.suitability import MessageRequested
from services.suitability.errors import AlreadyConfirmed, ConfirmationLapsed, ConfirmationLinkUsed, NothingToConfirm
from services.suitability.policy import Policies
from services.suitability.tables import ConfirmationLink

MESSAGE = "purchase_confirmation"
_BYTES = 16
"""Of the id, and of the signature."""


def token_of(key: bytes, link: ConfirmationLink) -> str:
    """What stands in the message: the link's id and its signature."""
    said = "\n".join((link.link_id, link.decision_id, link.client_id, link.expires_at.astimezone(UTC).isoformat()))
    signature = hmac.digest(key, b"careline confirmation\n" + said.encode(), "sha256")[:_BYTES]
    return base64.urlsafe_b64encode(UUID(link.link_id).bytes + signature).decode().rstrip("=")


def _id_in(token: str) -> str | None:
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    return content[:_BYTES].hex() if len(content) == 2 * _BYTES else None


async def send(uow: UnitOfWork, decision: Mapping[str, Any]) -> ConfirmationLink:
    """Make a link for a CONFIRM and have it delivered when the cooling time is over; one sent before is good no more.

    Raises: NothingToConfirm, AlreadyConfirmed, ConfirmationLapsed.
    """
    if decision["outcome"] != "CONFIRM":
        raise NothingToConfirm
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", decision["decision_id"])
    if await uow.sql.fetchval("SELECT 1 FROM confirmations WHERE decision_id = $1", decision["decision_id"]):
        raise AlreadyConfirmed
    if uow.now > decision["confirm_by"]:
        raise ConfirmationLapsed(confirm_by=decision["confirm_by"].isoformat())
    policy = (await uow.policies(Policies)).on(await today(uow.sql))
    opens_at = max(uow.now, decision["not_before"])
    link = ConfirmationLink(
        link_id=UUID(str(uuid7())).hex,
        decision_id=decision["decision_id"],
        client_id=decision["client_id"],
        asked_by=uow.actor.person,
        asked_at=uow.now,
        opens_at=opens_at,
        expires_at=min(opens_at + timedelta(hours=policy.link_hours), decision["confirm_by"]),
        ended_at=None,
        used_at=None,
    )
    before = await uow.sql.fetch(
        "UPDATE confirmation_links SET ended_at = $2 WHERE decision_id = $1 AND ended_at IS NULL RETURNING link_id",
        link.decision_id,
        uow.now,
    )
    await uow.sql.copy_records_to_table(
        "confirmation_links", records=[msgspec.structs.astuple(link)], columns=[*ConfirmationLink.__struct_fields__]
    )
    fields = {
        "link": policy.link_address.replace("{link}", token_of(key_ring(uow.database.settings, "field")[0], link)),
        "until": business_date(link.expires_at).isoformat(),
    }
    uow.emit(
        MessageRequested(
            request_id=UUID(link.link_id), client_id=link.client_id, kind=MESSAGE, cause=link.link_id, fields=fields,
            not_before=opens_at, not_after=link.expires_at, required=True, asked_at=uow.now,
        )
    )  # fmt: skip
    uow.audit("send confirmation link", f"decision/{link.decision_id}", key=link.client_id, replaces=len(before))
    return link


async def opened(sql: asyncpg.Connection, settings: Settings, actor: Actor, token: str) -> ConfirmationLink:
    """The link of a message, opened by the client it is for.

    Raises: NotFound for one that was never made, was altered, or is another client's; ConfirmationLinkUsed for one that was used, has
        been replaced, or is over.
    """
    if actor.role is not Role.CLIENT or not token.isascii():
        raise NotFound
    found = await fetch(
        sql,
        ConfirmationLink,
        f"SELECT {columns(ConfirmationLink)} FROM confirmation_links WHERE link_id = $1 AND client_id = $2",
        _id_in(token),
        actor.client_id,
    )
    if not found:
        raise NotFound
    [link] = found
    if not any(hmac.compare_digest(token_of(key, link), token) for key in key_ring(settings, "field")):
        raise NotFound
    # By the same clock as the decision's own times: the database's.
    if link.ended_at is not None or await sql.fetchval("SELECT now() > $1", link.expires_at):
        raise ConfirmationLinkUsed(expires_at=link.expires_at.isoformat())
    return link


async def use(uow: UnitOfWork, link: ConfirmationLink) -> None:
    """It is used, and good no more: what it confirmed commits with this.

    Raises: ConfirmationLinkUsed when somebody was first.
    """
    used = await uow.sql.fetchval(
        """UPDATE confirmation_links SET ended_at = $2, used_at = $2 WHERE link_id = $1 AND ended_at IS NULL
           RETURNING true""",
        link.link_id,
        uow.now,
    )
    if not used:
        raise ConfirmationLinkUsed(expires_at=link.expires_at.isoformat())
