"""A client goes to another branch: what becomes of every row of every service that names client and branch, said once here.

What is open goes along, by the service's own declaration; what is a record of a branch's stays; nothing is left out.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Boolean, Date, DateTime, Integer, LargeBinary, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from careline.services import SERVICES
from chassis.actor import Actor, Role
from chassis.clock import utc_now
from chassis.service import Service
from chassis.tables import chassis
from contracts.broker import ClientOpened, ClientUpdated
from services.callbacks import contacts
from tests.world import World

WITH_CLIENT = {
    "callbacks": {"tasks", "moments", "approvals"},
    "classification": {"approvals"},
    "points": {"redemptions", "applications", "approvals"},
    "products": {"subscriptions", "club_memberships", "club_registrations", "approvals"},
    "relationships": {"visits", "manager_changes", "questions", "advices", "approvals"},
    "suitability": {"reviews", "professionals", "drifts", "findings", "approvals"},
}
OF_THEN = {
    "callbacks": {
        "attempts": "who called whom, with what result",
        "findings": "what was found of the work of people of that branch [C14]",
        "alarms": "whom they went to",
        "standings": "by day",
    },
    "classification": {"client_intervals": "by day", "month_values": "by month end", "month_cores": "by month end"},
    "complaints": {
        "client_intervals": "by day",
        "cases": "about the branch: its group holds the order and answers, wherever the client is [C3, C5, C10]",
        "pre_complaints": "where it was heard [A33]",
        "approvals": "about a case, and so of its branch",
    },
    "messaging": {
        "messages": "who had the client when it was asked for; what it says of the branch is made when it goes",
        "feedback": "counted by branch and day",
    },
    "points": {"adjustments": "statistics by maker and branch", "feedback": "counted by branch and day"},
    "products": {"hospitality": "what the branch gave"},
    "relationships": {
        "client_intervals": "by day",
        "completeness": "by month end",
        "spot_checks": "of the people of that branch [A14]",
        "receptions": "where they came to",
    },
    "suitability": {
        "client_intervals": "by day",
        "trades": "as settled",
        "mismatches": "as settled; of products taken, by day",
        "submissions": "where they were answered",
        "life_changes": "where it was stated; not read by it",
        "vulnerabilities": "where it was stated; not read by it",
        "decisions": "where it was decided; read by who has the client",
    },
}


def follows() -> dict[str, Mapping[str, str]]:
    """What goes along, by service and table with its condition, as the services declare it."""
    found: dict[str, Mapping[str, str]] = {"callbacks": contacts.FOLLOW}
    for service in SERVICES:
        if service.name not in ("gateway", "callbacks"):
            found[service.name] = import_module(f"services.{service.name}.tables").CLIENTS.follow
    return found


@pytest.mark.parametrize("service", [one for one in SERVICES if one.name != "gateway"], ids=lambda one: one.name)
def test_every_row_of_a_client_and_a_branch_goes_along_or_stays(service: Service) -> None:
    assert service.tables is not None
    name, tables = service.name, service.tables.tables.values()
    found = {one.name for one in tables if {"client_id", "branch_id"} <= set(one.columns.keys())}
    goes, stays = WITH_CLIENT.get(name, set()), set(OF_THEN.get(name, {}))
    assert found - {"clients"} | {"approvals"} == goes | stays | ({"approvals"} if name == "messaging" else set())
    assert not goes & stays
    assert set(follows()[name]) == goes


OPEN_AND_OVER = {
    "tasks": ("planned", "completed"),
    "redemptions": ("requested", "settled"),
    "applications": ("applied", "refused"),
    "subscriptions": ("active", "ended"),
    "club_memberships": ("member", "lapsed"),
    "club_registrations": ("registered", "attended"),
    "visits": ("planned", "recorded"),
    "manager_changes": ("waiting", "granted"),
    "questions": ("open", "answered"),
    "advices": ("given", "done"),
    "reviews": ("open", "approved"),
    "professionals": ("approved", "ended"),
    "drifts": ("open", "handled"),
    "findings": ("open", "upheld"),
    "approvals": ("waiting", "refused"),
}
SAID = {"rule": "new", "client_id": "c-1", "branch_id": "B1", "two_persons": False, "mode": "SPEND"}
FILLED: dict[type, Any] = {
    Text: "x", Integer: 1, Boolean: False, DateTime: utc_now(), Date: date(2024, 1, 2), JSONB: {}, ARRAY: [], Numeric: Decimal(1),
    LargeBinary: b"x",
}  # fmt: skip
MOMENT_DONE = {"done_on": date(2024, 1, 3), "done_by": "mia"}


def filled(table: Table, client: str, place: int) -> dict[str, Any]:
    """A row of a client, open (0) or over (1), with something in every column that wants it."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.name in SAID:
            row[column.name] = SAID[column.name]
        elif not column.nullable and column.server_default is None and column.identity is None:
            kind = next((one for one in FILLED if isinstance(column.type, one)), None)
            row[column.name] = uuid4() if kind is None else FILLED[kind]
            if kind is Text and (column.primary_key or column.unique):
                row[column.name] = f"{client}/{place}"
    if table.name == "moments":
        row |= MOMENT_DONE if place else {}
    else:
        row["state"] = OPEN_AND_OVER[table.name][place]
    return row | {"client_id": client}


async def test_what_is_open_goes_with_a_client_and_what_is_over_stays(world: World) -> None:
    """A row of each, open and over, of a client who goes to another branch, and of one who does not."""
    await world.publish(
        *(ClientOpened(client_id=name, branch_id="B1", opened_on=date(2020, 1, 2)) for name in ("c-1", "c-2"))
    )
    await world.settle()
    tables = {one.name: {**chassis.tables, **one.tables.tables} for one in SERVICES if one.tables is not None}
    for service, follow in follows().items():
        for name in follow:
            table = tables[service][name]
            for place in (0, 1):
                for client in ("c-1", "c-2"):
                    row = filled(table, client, place)
                    places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
                    async with world.database(service).unit_of_work() as uow:
                        await uow.sql.execute(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({places})", *row.values())
    await world.publish(ClientUpdated(client_id="c-1", branch_id="B9"), at=utc_now())
    await world.settle()
    for service, follow in follows().items():
        for name, condition in follow.items():
            rows = await world.rows(
                service, f"SELECT t.client_id, ({condition}) AS open, t.branch_id FROM {name} t ORDER BY 1, 2"
            )
            found = [(row["client_id"], row["open"], row["branch_id"]) for row in rows]
            assert found == [("c-1", False, "B1"), ("c-1", True, "B9"), ("c-2", False, "B1"), ("c-2", True, "B1")], (
                service,
                name,
                found,
            )
    for branch, status in (("B1", 404), ("B9", 200)):  # what it did for them is no reason to look at who is another's
        head = Actor(f"head-{branch}", Role.BRANCH_MANAGER, branch_id=branch, purpose="walk")
        async with world.client("callbacks", head) as http:
            assert (await http.get("/v1/callbacks/tasks?client_id=c-1")).status_code == status
