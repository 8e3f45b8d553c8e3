"""Odd input anywhere is refused or answered, never a fault of ours."""

import json
from datetime import date
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from careline.asgi import apps_of
from chassis.actor import Role
from chassis.clock import utc_now
from chassis.errors import Invalid, TooLarge
from chassis.http import permission_of, routes_of
from chassis.http.problems import Malformed
from contracts.broker import EVENTS
from gateway import ingest
from tests.gateway.conftest import event, opened, trade
from tests.world import World

pytestmark = pytest.mark.services()

BEGINS = date(2009, 1, 1)
ODD = ["%00", "%F0%9F%92%A9", "x" * 3000, "-1", "99999999999999999999999", "%2e%2e%2f", "'%22;--", "0001-01-01", "%ff"]


async def test_odd_paths_and_queries_are_no_fault_of_ours(world: World, http: httpx.AsyncClient, bearer) -> None:
    faults = []
    for app in apps_of(world.platform).values():
        for route in routes_of(app):  # type: ignore[arg-type]
            permission = permission_of(getattr(route, "dependant", None) or type("None", (), {"dependencies": ()}))
            if permission is None or not route.path or "GET" not in (route.methods or set()):
                continue
            role = Role.OPERATIONS if Role.OPERATIONS in permission.roles else next(iter(permission.roles))
            headers = bearer(role, client_id="7c", branch_id="B7")
            queries = [p.alias for p in route.dependant.query_params]
            for odd in ODD:
                path = route.path
                for name in route.param_convertors:
                    path = path.replace("{" + name + "}", odd)
                answer = await http.get(path, headers=headers)
                if answer.status_code >= 500:
                    faults.append((path[:100], answer.text))
                for query in queries:
                    answer = await http.get(
                        f"{route.path.format(**dict.fromkeys(route.param_convertors, '1'))}?{query}={odd}",
                        headers=headers,
                    )
                    if answer.status_code >= 500:
                        faults.append((route.path, query, odd[:40], answer.text))
    assert faults == []


@pytest.mark.parametrize("field", ["client_id", "name"])
async def test_a_nul_in_a_text_is_pointed_at(http: httpx.AsyncClient, bearer, field: str) -> None:
    body = [event("broker.client.opened", opened(**{field: "a\0b"}))]
    media = {"content-type": ingest.BATCH}
    answer = await http.post("/v1/events", content=json.dumps(body), headers=bearer(Role.SYSTEM) | media)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/0/data/{field}")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted({*opened(), *trade(), "business_date", "as_of", "total_assets", "moved_at", "direction"})
DATA = st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(["2024-03-04", "1", "CNY", "buy"]), max_size=12)
ENVELOPES = st.fixed_dictionaries(
    {"specversion": st.just("1.0") | JSON, "id": st.just("e") | JSON, "source": st.just("s") | JSON,
     "type": st.sampled_from([kind.type for kind in EVENTS]) | JSON, "data": DATA | JSON},
    optional={"time": st.just("2024-03-04T00:00:00Z") | JSON, "extension": JSON},
)  # fmt: skip


@given(
    body=st.lists(ENVELOPES | JSON, max_size=3) | JSON | ENVELOPES,
    media=st.sampled_from([ingest.BATCH, ingest.STRUCTURED]),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_sent_is_an_event_or_a_refusal(body: Any, media: str) -> None:
    try:
        envelopes, _ = ingest._envelopes({"content-type": media}, json.dumps(body).encode())
        found = [ingest._check(envelope, "CNY", utc_now(), BEGINS) for envelope in envelopes]
    except (Invalid, Malformed, TooLarge):
        return
    for one in found:
        if isinstance(one, list):
            assert all(error.pointer.startswith("/") and error.detail for error in one)
