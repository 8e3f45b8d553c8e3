"""Audit rows are listed newest first; those about a client are found by index, however far back they lie."""

from datetime import timedelta
from typing import Any

from chassis.actor import Actor, Role
from chassis.operations.audit_rows import AuditWanted, query_of
from tests.chassis.audit.conftest import superuser
from tests.world import World

COMPLIANCE = Actor("compliance-1", Role.COMPLIANCE, purpose="review")
OTHERS = 20_000
ROWS = """
    INSERT INTO audit (partition, number, at, actor, role, action, object, inputs)
    SELECT 11, 100000 + n, clock_timestamp() - n * interval '10 minutes', 'agent-1', 'AGENT', 'read', 'client/o-' || n % 500,
           CASE WHEN n % 10 = 0 THEN jsonb_build_object('client_id', jsonb_build_array('o-' || n % 500, 'o-' || n % 499))
                ELSE jsonb_build_object('purpose', 'service') END
    FROM generate_series(1, $1::int) n"""
OURS = """
    INSERT INTO audit (partition, number, at, actor, role, action, object, inputs)
    VALUES (11, 1, clock_timestamp() - interval '800 days', 'agent-1', 'AGENT', 'read-1', 'client/c-77', '{}'),
           (11, 2, clock_timestamp() - interval '400 days', 'agent-2', 'AGENT', 'read-2', 'clients', '{"client_id": ["c-76", "c-77"]}'),
           (11, 3, clock_timestamp() - interval '100 days', 'agent-1', 'AGENT', 'read-3', 'client/c-7', '{"client_id": ["c-7"]}'),
           (11, 4, clock_timestamp() - interval '1 day', 'agent-1', 'AGENT', 'act-4', 'client/c-77', '{"client_id": "c-77"}')"""


async def test_a_clients_rows_of_all_time_are_found_by_index(sealed: World) -> None:
    async with superuser(sealed, "points") as sql:
        await sql.execute(ROWS, OTHERS)
        await sql.execute(OURS)
        await sql.execute("ANALYZE audit")

    async def found(**query: Any) -> list[str]:
        async with sealed.client("points", COMPLIANCE) as http:
            answer = await http.get("/v1/points/operations/audit", params=query)
        return [one["action"] for one in answer.raise_for_status().json()["items"]]

    assert await found(client="c-77") == ["act-4", "read-2", "read-1"]
    assert await found(client="c-77", person="agent-1") == ["act-4", "read-1"]
    assert await found(client="c-77", action="act") == ["act-4"]
    now = await sealed.value("points", "SELECT clock_timestamp()")
    assert await found(client="c-77", since=(now - timedelta(days=500)).isoformat()) == ["act-4", "read-2"]
    assert await found(client="c-77", until=(now - timedelta(days=2)).isoformat()) == ["read-2", "read-1"]
    # Of nobody in particular those of the last 92 days, as ever.
    assert await found(action="read-") == []
    assert await found(action="read-", since=(now - timedelta(days=500)).isoformat()) == ["read-3", "read-2"]
    wanted = AuditWanted(None, now, client="c-77")
    async with sealed.sql("points") as sql:
        query, arguments = query_of(wanted, None, 101)
        plan = "\n".join(line for (line,) in await sql.fetch(f"EXPLAIN {query}", *arguments))
    assert "Seq Scan" not in plan, plan
    assert {"ix_audit_client_id", "ix_audit_object"} <= set(plan.replace("(", " ").split()), plan
