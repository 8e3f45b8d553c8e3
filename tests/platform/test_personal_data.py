"""Personal data given everywhere is in clear nowhere, is read through one door, and is gone with its key."""

import base64
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from careline.asgi import apps_of
from careline.services import SERVICES
from chassis.actor import Actor, Role
from chassis.personal.keys import Keyring, KeysUnavailable, Value
from chassis.personal.remote import RemoteKeys
from chassis.staff import HQ
from contracts import broker
from contracts.asyncapi import publishers
from contracts.base import encode
from contracts.fields import schema_custom
from contracts.personal import PersonalEvent, free_text_members, personal_members
from gateway.app import gateway_app
from gateway.settings import GatewaySettings
from gateway.tokens import issue_token
from tests.world import World

NAME, PHONE, OTHER_PHONE, ID_NUMBER = "欧阳明月", "13712345671", "13712345672", "110105194912310021"
EMAIL, ADDRESS = "mingyue@secret.example", "北京市朝阳区建国路88号院3号楼501室"
WORDS = f"我叫{NAME}，身份证{ID_NUMBER}，电话{PHONE}，住{ADDRESS}，净值下跌"
MARKERS = (NAME, PHONE, OTHER_PHONE, ID_NUMBER, EMAIL, ADDRESS, "建国路88号")
MANY = "application/cloudevents-batch+json"
LONGEST_PLAIN = 64


@pytest.fixture
def app(world: World) -> FastAPI:
    return gateway_app(world.settings, world.database("gateway"), apps_of(world.platform), own=GatewaySettings())


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://careline.test") as client:
        yield client


@pytest.fixture
def bearer(world: World) -> Callable[..., dict[str, str]]:
    def header(role: Role, **rest: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {issue_token(world.settings, role, **rest)}"}

    return header


NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
FACTS: list[tuple[str, dict[str, Any]]] = [
    ("broker.client.opened", {
        "client_id": "c-1", "branch_id": "B7", "opened_on": "2024-03-01", "kind": "individual", "name": NAME,
        "phone": PHONE, "email": EMAIL, "id_number": ID_NUMBER, "address": ADDRESS, "nickname": NAME,
    }),
    ("broker.client.updated", {"client_id": "c-1", "manager_id": "max", "phone": PHONE}),
    ("broker.call.missed", {"call_id": "k1", "client_id": "c-1", "phone": OTHER_PHONE, "at": NOW.isoformat()}),
    ("broker.call.missed", {"call_id": "k2", "branch_id": "B7", "phone": OTHER_PHONE, "at": NOW.isoformat()}),
    ("broker.opening.booked", {
        "booking_id": "b1", "branch_id": "B7", "owner": "anna", "name": NAME, "phone": OTHER_PHONE,
        "at": NOW.isoformat(),
    }),
    ("broker.enquiry.received", {"enquiry_id": "q1", "client_id": "c-1", "subject": WORDS, "at": NOW.isoformat()}),
    ("broker.complaint.received", {
        "external_ref": "7", "client_id": "c-1", "branch_id": "B7", "received_at": NOW.isoformat(), "channel": "post",
        "words": WORDS, "category": f"投诉人：{NAME}", "product": f"电话{PHONE}", "attributes": {"note": WORDS},
        "owner": "anna",
    }),
]  # fmt: skip


async def send(
    http: httpx.AsyncClient, bearer: Callable[..., dict[str, str]], *facts: tuple[str, Any]
) -> httpx.Response:
    batch = [
        {"specversion": "1.0", "id": f"e{n}", "source": "test", "type": kind, "time": NOW.isoformat(), "data": data}
        for n, (kind, data) in enumerate(facts)
    ]
    return await http.post("/v1/events", json=batch, headers=bearer(Role.SYSTEM) | {"content-type": MANY})


async def everywhere(world: World) -> dict[str, str]:
    """Every table of every schema, and the log, as text; bytes as they are too."""
    found = {}
    for service in SERVICES:
        async with world.sql(service.name) as sql:
            tables = await sql.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", service.name)
            for name in [f"{service.name}.{row['tablename']}" for row in tables] + ["bus.log"]:
                rows = await sql.fetch(f"SELECT * FROM {name}")
                found[name] = "\n".join(
                    value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    for row in rows
                    for value in row
                )
    assert {"complaints.cases", "callbacks.clients", "gateway.client_keys", "points.audit", "bus.log"} <= found.keys()
    assert "净值下跌" in found["complaints.cases"]
    assert "sealed:" in found["bus.log"]
    return found


def in_clear(tables: dict[str, str]) -> list[tuple[str, str]]:
    plain = {marker: base64.b64encode(marker.encode()).decode() for marker in MARKERS}
    return [
        (name, marker)
        for name, text in tables.items()
        for marker, coded in plain.items()
        if marker in text or coded in text or marker.encode().hex() in text
    ]


async def staffed(world: World) -> None:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    await world.publish(
        broker.StaffChanged(staff_id="anna", branch_id="B7", user="u-anna"),
        broker.StaffChanged(staff_id="max", branch_id="B7", user="u-max"),
        broker.StaffChanged(
            staff_id="carl", branch_id=HQ, user="u-carl", seats=(broker.Seat(unit=HQ, seat="call_centre"),)
        ),
        at=since,
    )


async def test_it_is_in_no_column_of_any_table_and_gone_with_the_key(world: World, http, bearer) -> None:
    await staffed(world)
    sent = await send(http, bearer, *FACTS)
    assert sent.status_code == 202, sent.text
    await world.settle()
    told = await http.post(
        "/v1/complaints/cases",
        json={"channel": "hotline", "words": WORDS, "category": f"联系人：{NAME}", "product": f"手机{PHONE}", "name": NAME,
              "phone": OTHER_PHONE, "client_id": "c-1"},
        headers=bearer(Role.AGENT, branch_id="B7", person="anna") | {"idempotency-key": "k"},
    )  # fmt: skip
    assert told.status_code == 201, told.text
    # What cannot be read, or what no handler takes, is buried without a clear word.
    half = encode(broker.ClientUpdated(client_id="c-1", name=NAME, phone=PHONE))[:-1]
    await world.publish_raw(broker.ACCOUNTS, "c-1", "broker.client.updated", half + b"!")
    # A system of the broker's that wrote to a topic of ours itself, past the door.
    written = encode(broker.ClientUpdated(client_id="c-1", email=EMAIL))
    await world.publish_raw("careline.broker.accounts", "c-1", "broker.client.updated", written, id="past-the-door")
    await world.settle()
    tables = await everywhere(world)
    past = {(name, EMAIL) for name in tables if name.startswith("bus.log")}  # that topic itself holds what was written
    past |= {(name, marker) for name in tables if name.startswith("bus.log") for marker in (NAME, PHONE)}
    assert set(in_clear(tables)) - past == set()
    letters = await world.rows("callbacks", "SELECT id, value FROM dead_letters")
    assert [letter["value"][:7] for letter in letters] == [b"sealed:"]
    async with world.client("callbacks", Actor("op", Role.OPERATIONS, purpose="test")) as operator:
        letter = await operator.get(f"/v1/callbacks/operations/dead-letters/{letters[0]['id']}")
        assert NAME in letter.text
    # Everything that was sealed for the client can be read, until the key is destroyed.
    keyring = world.database("gateway").keyring
    [stored] = await world.rows("callbacks", "SELECT name, phone, email FROM clients WHERE client_id = 'c-1'")
    values = [Value("c-1", name, sealed) for name, sealed in stored.items()]
    assert await keyring.open(values) == [NAME, PHONE, EMAIL]
    backup = await world.rows("gateway", "SELECT value FROM bus.log WHERE value LIKE '%sealed:%'::bytea")
    assert backup
    await _erase(world, http, bearer)
    assert await keyring.open(values) == [None, None, None]
    assert await Keyring(keyring.source).open(values) == [None, None, None]
    assert await world.value("gateway", "SELECT count(*) FROM client_tokens WHERE owner = 'c-1'") == 0
    case = await world.value("complaints", "SELECT case_id FROM cases WHERE system = 'broker'")
    kept = await world.value("gateway", "SELECT wrapped FROM client_keys WHERE owner = $1", f"case:{case}")
    assert kept is None
    async with world.client("callbacks", Actor("op", Role.OPERATIONS, purpose="test")) as operator:
        letter = await operator.get(f"/v1/callbacks/operations/dead-letters/{letters[0]['id']}")
        assert (letter.status_code, NAME in letter.text) == (200, False)
    # A resend does not bring anybody back.
    assert (await send(http, bearer, *FACTS)).status_code == 202
    await world.settle()
    assert await keyring.open(values) == [None, None, None]
    assert set(in_clear(await everywhere(world))) - past == set()


async def _erase(world: World, http: httpx.AsyncClient, bearer: Callable[..., dict[str, str]]) -> None:
    """Two persons decide; every service answers; what keeps the client has to end first."""
    one, two = (bearer(Role.COMPLIANCE, person=name) for name in ("first", "second"))
    asked = await http.post("/v1/clients/c-1/erasures", json={"reason": "at their request"}, headers=one)
    assert asked.status_code == 202, asked.text
    decision = f"/v1/gateway/approvals/{asked.json()['approval_id']}/approve"
    assert (await http.post(decision, json={"because": "checked"}, headers=one)).status_code == 403
    assert (await http.post(decision, json={"because": "checked"}, headers=two)).status_code == 200
    await world.settle()
    [under_way] = (await http.get("/v1/clients/c-1/erasures", headers=one)).json()
    assert under_way["state"] == "waiting"
    answers = {answer["service"]: answer for answer in under_way["answers"]}
    assert set(answers) == {
        "classification", "points", "suitability", "callbacks", "complaints", "products", "relationships", "messaging",
    }  # fmt: skip
    assert {name for name, answer in answers.items() if not answer["over"]} >= {
        "callbacks",
        "complaints",
        "relationships",
        "suitability",
    }
    # Blocked: kept, but read by nobody.
    [stored] = await world.rows("callbacks", "SELECT name FROM clients WHERE client_id = 'c-1'")
    keyring = world.database("callbacks").keyring
    assert await keyring.open([Value("c-1", "name", stored["name"])]) == [None]
    for service, statement in (
        ("callbacks", "UPDATE clients SET closed_on = '2024-03-02' WHERE client_id = 'c-1'"),
        ("messaging", "UPDATE clients SET closed_on = '2024-03-02' WHERE client_id = 'c-1'"),
        ("callbacks", "UPDATE tasks SET state = 'cancelled', ended_on = '2024-03-02' WHERE client_id = 'c-1'"),
        ("complaints", "UPDATE cases SET state = 'closed', closed_at = '2001-01-01' WHERE client_id = 'c-1'"),
        ("suitability", "UPDATE clients SET closed_on = '2001-01-01' WHERE client_id = 'c-1'"),
        ("relationships", "UPDATE clients SET closed_on = '2024-03-02' WHERE client_id = 'c-1'"),
        ("gateway", "UPDATE erasures SET round_at = round_at - interval '25 hours'"),
    ):
        async with world.database(service).unit_of_work() as uow:
            await uow.sql.execute(statement)
    ask_again = next(service for service in SERVICES if service.name == "gateway").loops["erasures"]
    await ask_again(world.database("gateway"))
    await world.settle()
    [done] = (await http.get("/v1/clients/c-1/erasures", headers=one)).json()
    assert done["state"] == "done", done


async def test_the_holder_of_a_task_and_the_owner_of_a_case_read_what_they_need_and_nobody_else(
    world: World, http, bearer
) -> None:
    await staffed(world)
    assert (await send(http, bearer, *FACTS)).status_code == 202
    await world.settle()
    tasks = {
        row["subject"]: row["task_id"]
        for row in await world.rows("callbacks", "SELECT subject, task_id FROM tasks WHERE subject IS NOT NULL")
    }
    async with world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("UPDATE tasks SET holder = 'anna', state = 'assigned' WHERE subject IN ('k1', 'b1')")
    anna = bearer(Role.AGENT, branch_id="B7", person="anna")
    hq = bearer(Role.HQ, person="hq-1")
    max_ = bearer(Role.CLIENT_MANAGER, branch_id="B7", person="max")

    async def contact(headers: dict[str, str], subject: str) -> dict[str, Any]:
        answer = await http.get(f"/v1/callbacks/tasks/{tasks[subject]}/contact", headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    held = await contact(anna, "k1")
    assert (held["in_full"], held["name"], held["phone"], held["caller_phone"]) == (True, NAME, PHONE, OTHER_PHONE)
    booked = await contact(anna, "b1")
    assert (booked["caller_name"], booked["caller_phone"]) == (NAME, OTHER_PHONE)
    masked = await contact(hq, "k1")
    assert (masked["in_full"], masked["name"], masked["phone"]) == (False, "欧***", "137****5671")
    assert (await contact(max_, "k1"))["phone"] == PHONE
    async with world.client("callbacks", Actor("u-hq", Role.HQ)) as nobody:
        refused = await nobody.get(f"/v1/callbacks/tasks/{tasks['k1']}/contact")
        assert (refused.status_code, refused.json()["type"]) == (400, "/problems/purpose-required")
    rows = await world.rows("callbacks", "SELECT actor, object, inputs FROM audit WHERE action = 'reveal'")
    assert len(rows) == 4
    assert [row["inputs"]["in_full"] for row in sorted(rows, key=lambda row: str(row["actor"]))].count(True) == 3
    assert all(row["inputs"]["purpose"] for row in rows)
    case = await world.value("complaints", "SELECT case_id FROM cases")
    owned = (await http.get(f"/v1/complaints/cases/{case}/contact", headers=anna)).json()
    assert (owned["in_full"], owned["words"], owned["client_phone"]) == (True, WORDS, PHONE)
    other = (await http.get(f"/v1/complaints/cases/{case}/contact", headers=hq)).json()
    assert not other["in_full"]
    assert not any(marker in str(other) for marker in MARKERS)


async def test_lists_and_single_objects_read_by_staff_leave_a_row_with_their_ids(world: World, http, bearer) -> None:
    await staffed(world)
    assert (await send(http, bearer, *FACTS)).status_code == 202
    await world.settle()
    case = str(await world.value("complaints", "SELECT case_id FROM cases"))
    agent = bearer(Role.AGENT, branch_id="B7", person="anna")
    for path in ("/v1/complaints/cases", f"/v1/complaints/cases/{case}", "/v1/callbacks/tasks"):
        answer = await http.get(path, headers=agent | {"purpose": "my%20day"})
        assert answer.status_code == 200, answer.text
    [listed, single] = await world.rows(
        "complaints", "SELECT actor, object, inputs FROM audit WHERE action = 'read' ORDER BY at"
    )
    assert (listed["inputs"]["case_id"], listed["inputs"]["count"], listed["inputs"]["purpose"]) == (
        [case],
        1,
        "my day",
    )
    assert (single["object"], "anna" in single["actor"]) == (f"case/{case}", True)
    [tasks] = await world.rows("callbacks", "SELECT inputs FROM audit WHERE action = 'read'")
    assert tasks["inputs"]["count"] == len(tasks["inputs"]["task_id"]) > 0
    # Clients read their own without a row.
    assert (await http.get("/v1/complaints/cases", headers=bearer(Role.CLIENT, client_id="c-1"))).status_code == 200
    assert await world.value("complaints", "SELECT count(*) FROM audit WHERE action = 'read'") == 2


async def test_a_client_is_found_by_number_and_name_within_ones_branch(world: World, http, bearer) -> None:
    assert (await send(http, bearer, *FACTS)).status_code == 202
    agent = bearer(Role.AGENT, branch_id="B7", person="anna")

    async def found(headers: dict[str, str], **by: str) -> list[str]:
        answer = await http.post("/v1/clients/search", json=by, headers=headers)
        assert answer.status_code == 200, answer.text
        return [one["client_id"] for one in answer.json()["clients"]]

    for by in (
        {"phone": "+86 137-1234-5671"}, {"name": NAME}, {"name": "欧阳"}, {"name": "阳明"},
        {"initials": "欧", "phone_ending": "5671"},
    ):  # fmt: skip
        assert await found(agent, **by) == ["c-1"], by
        assert await found(bearer(Role.AGENT, branch_id="B8", person="x"), **by) == []
    for by in ({"phone": "13900000000"}, {"name": "阳月"}, {"initials": "欧", "phone_ending": "0000"}):
        assert await found(agent, **by) == []
    assert (await http.post("/v1/clients/search", json={"initials": "欧"}, headers=agent)).status_code == 422
    reads = await world.rows("gateway", "SELECT inputs FROM audit WHERE action = 'read'")
    assert len(reads) == 13
    assert not any(marker in str(reads) for marker in MARKERS)
    # An older word does not undo a newer one.
    batch = [
        {"specversion": "1.0", "id": "old", "source": "t", "type": "broker.client.updated",
         "time": (NOW - timedelta(days=1)).isoformat(), "data": {"client_id": "c-1", "name": "王芳", "branch_id": "B8"}}
    ]  # fmt: skip
    await http.post("/v1/events", json=batch, headers=bearer(Role.SYSTEM) | {"content-type": MANY})
    assert await found(agent, name="王芳") == []
    assert await found(agent, name=NAME) == ["c-1"]


async def test_sealed_members_are_not_sent_in(http, bearer) -> None:
    forged = {"client_id": "c-1", "sealed": {"name": "sealed:1:AAAA"}}
    answer = await send(http, bearer, ("broker.client.updated", forged))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/0/data/sealed"


async def test_keys_are_given_to_services_alone(world: World, app: FastAPI, http, bearer, monkeypatch) -> None:
    asked = {"owners": ["c-1"], "make": True}
    for role in Role:
        headers = bearer(role, branch_id="B7", client_id="c-1")
        assert (await http.post("/v1/client-keys", json=asked, headers=headers)).status_code == 401
    assert (await http.post("/v1/client-keys", json=asked)).status_code == 401
    monkeypatch.setattr(httpx.AsyncClient, "_transport_for_url", lambda *_: httpx.ASGITransport(app))
    remote = RemoteKeys(world.settings.model_copy(update={"gateway_url": "http://careline.test"}), "callbacks")
    [key] = await remote.fetch(["c-1"], make=True)
    sealed = key.seal("name", NAME.encode())
    assert await world.database("callbacks").keyring.open([Value("c-1", "name", sealed)]) == [NAME]
    assert await remote.fetch(["c-2"], make=False) == []
    with pytest.raises(KeysUnavailable, match="CARELINE_GATEWAY_URL"):
        await RemoteKeys(world.settings, "callbacks").fetch(["c-1"], make=True)


def test_every_text_of_every_event_says_what_it_is() -> None:
    """A member that takes long text is personal, masked, or one of our own words; personal ones lie at the top."""
    own_words = {
        "platform.calendar.published", "broker.staff.changed", "broker.branch.changed", "callbacks.task.completed",
    }  # fmt: skip
    undeclared = []
    for kinds in publishers().values():
        for kind in kinds:
            declared = {*personal_members(kind), *free_text_members(kind)}
            assert bool(personal_members(kind)) == issubclass(kind, PersonalEvent), kind
            for field in msgspec.structs.fields(kind):
                longest = _longest_text(field.type)
                if longest > LONGEST_PLAIN and field.name not in declared | {"sealed"} and kind.type not in own_words:
                    undeclared.append((kind.type, field.name))
    assert [one for one in undeclared if one[0].startswith("broker.")] == []


def _longest_text(kind: Any) -> int:
    text = str(msgspec.json.schema(kind, schema_hook=schema_custom))
    return max((int(found) for found in re.findall(r"'maxLength': (\d+)", text)), default=0)


def test_every_encrypted_column_has_a_reader() -> None:
    """What nobody can read is not kept: each column is named by a reading door's route or by what sends to it."""
    readers = {
        ("callbacks", "clients", "name"), ("callbacks", "clients", "phone"), ("callbacks", "clients", "email"),
        ("callbacks", "clients", "address"), ("callbacks", "callers", "name"), ("callbacks", "callers", "phone"),
        ("complaints", "clients", "name"), ("complaints", "clients", "phone"), ("complaints", "cases", "original"),
        ("complaints", "cases", "contact_name"), ("complaints", "cases", "contact_phone"),
        ("complaints", "reception_visits", "visitor"),
        ("points", "clients", "phone"), ("points", "clients", "id_number"), ("points", "clients", "address"),
        ("messaging", "clients", "name"), ("messaging", "clients", "phone"), ("messaging", "clients", "email"),
        ("messaging", "messages", "fields"), ("messaging", "messages", "address"),
        ("messaging", "messages", "words"), ("messaging", "inbound", "words"),
        ("messaging", "registrations", "address"), ("messaging", "wecom_contacts", "external_id"),
    }  # fmt: skip
    encrypted = {
        (service.name, table.name, column.name)
        for service in SERVICES
        for table in service.tables.tables.values()
        for column in table.columns
        if column.comment == "encrypted"
    }
    assert encrypted == readers
