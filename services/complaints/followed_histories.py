"""Tier and core of clients, as classification tells them: for the priority queue, grumbles and the KPI [C18, C20, A33]."""

from collections.abc import Sequence
from datetime import date

import asyncpg

from chassis.uow import UnitOfWork
from contracts.classification import CoreChanged, TierChanged
from services.complaints.tables import CORES, TIERS

PRIORITY_TIERS = ("GOLD", "PLATINUM", "DIAMOND")
GRUMBLE_TIERS = ("PLATINUM", "DIAMOND")


async def tier_on(sql: asyncpg.Connection, client_id: str, day: date) -> str | None:
    """The client's tier on a day, where it is known."""
    found: str | None = await sql.fetchval(f"SELECT {TIERS.on('tier', '$1', '$2::date')}", client_id, day)
    return found


async def keep_tiers(changes: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Tiers as they are told."""
    await TIERS.keep(uow, changes)


async def keep_core(changes: Sequence[CoreChanged], uow: UnitOfWork) -> None:
    """Who is core, as it is told."""
    await CORES.keep(uow, changes)
