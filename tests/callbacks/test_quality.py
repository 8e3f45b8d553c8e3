"""Evidence, quality review and statistics: no completion without proof, nobody judges themselves, numbers that repeat."""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from chassis.actor import Actor, Role
from chassis.clock import at
from chassis.errors import Unavailable
from contracts import broker
from services.callbacks import proof
from services.callbacks.evidence import LARGEST_BYTES, EvidenceSettings, Folder, store_of
from services.callbacks.evidence_s3 import S3, signed_headers
from tests.callbacks.desk import COMPLIANCE, FIRST, LEADER, TRAINED, Desk, agent, ten

MONDAY = date(2022, 7, 4)
ANNA = agent("anna")


async def trained(desk: Desk, outcome: str = "completed", **others: object) -> dict[str, object]:
    """A new client, called once."""
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY, manager_id="mia")
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    [task] = (await desk.next(ANNA))["tasks"]
    await desk.call(ANNA, task, outcome, ten(MONDAY), TRAINED, **others)  # type: ignore[arg-type]
    found: dict[str, object] = task
    return found


async def test_evidence_is_kept_by_its_content_and_an_altered_blob_is_refused(desk: Desk) -> None:
    await desk.open("c-1", MONDAY)
    await desk.world.settle()
    async with desk.http(ANNA) as http:
        large = await http.put("/v1/callbacks/clients/c-1/evidence", content=bytes(LARGEST_BYTES + 1))
    assert (large.status_code, large.json()["limit_bytes"]) == (413, LARGEST_BYTES)
    content = b"RIFF recording" + bytes(5_000_000)
    for _ in range(2):
        async with desk.http(ANNA) as http:
            kept = await http.put("/v1/callbacks/clients/c-1/evidence", content=content)
        assert kept.json() == {"evidence_id": sha256(content).hexdigest()}
    path = f"/v1/callbacks/clients/c-1/evidence/{sha256(content).hexdigest()}"
    async with desk.http(LEADER) as http:
        assert (await http.get(path)).content == content
        assert (await http.get(path.replace("c-1", "c-2"))).status_code == 404
    [blob] = [file for file in (desk.world.settings.home / "evidence").rglob("*") if file.is_file()]
    assert blob.stat().st_mode & 0o777 == 0o400
    blob.chmod(0o600)
    blob.write_bytes(b"something else")
    async with desk.http(LEADER) as http:
        altered = await http.get(path)
    assert (altered.status_code, altered.json()["type"]) == (409, "/problems/evidence-damaged")


async def test_a_failed_recording_needs_a_supervisors_word_not_the_callers(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    [task] = (await desk.next(ANNA))["tasks"]
    refused = {"evidence": False, "status": 422}
    await desk.call(ANNA, task, "completed", ten(MONDAY), TRAINED, **refused)
    recording = await desk.recording(ANNA, "c-1")
    no_approval = {"failed_recording_approval": recording, **refused}
    await desk.call(ANNA, task, "completed", ten(MONDAY), TRAINED, **no_approval)
    await desk.ask(ANNA, "POST", "/clients/c-1/evidence/approvals", {"reason": "recorder was down"}, 403)
    path = "/clients/c-1/evidence/approvals"
    approval = (await desk.ask(LEADER, "POST", path, {"reason": "recorder was down"}, 201))["evidence_id"]
    await desk.call(ANNA, task, "completed", ten(MONDAY), TRAINED, evidence=False, failed_recording_approval=approval)
    [row] = await desk.world.rows("callbacks", "SELECT failed_recording_approved_by FROM attempts")
    assert row["failed_recording_approved_by"] == "B1-director"


async def test_somebody_else_reviews_and_a_contact_turned_down_leaves_coverage(desk: Desk) -> None:
    await trained(desk, notes="我跟她说了,有完没完,电话13800000000")
    [attempt] = await desk.world.rows("callbacks", "SELECT * FROM attempts")
    assert attempt["covers"]
    assert "13800000000" not in attempt["notes"]
    [waiting] = await desk.ask(LEADER, "GET", "/reviews", status=200)
    assert waiting["phrases"] == ["有完没完"]
    assert waiting["risk"][:2] == ["flagged", "first_calls_of_the_agent"]
    for excluded in ("anna", "mia"):  # the caller; the client's manager, where avoidance applies [B10]
        leader = Actor(excluded, Role.BRANCH_MANAGER, branch_id="B1", purpose="test")
        body = {"score": 90, "accepted": True}
        await desk.ask(leader, "POST", f"/reviews/{attempt['attempt_id']}", body, 403)
    # The person counts, not the name they sign in with; other branches see and judge nothing of it.
    for name in ("anna", "mia"):
        leader = Actor(f"user:{name}.sign-in", Role.BRANCH_MANAGER, branch_id="B1", purpose="test", person=name)
        await desk.ask(leader, "POST", f"/reviews/{attempt['attempt_id']}", body, 403)
    anna = Actor("user:anna.sign-in", Role.BRANCH_MANAGER, branch_id="B1", purpose="test", person="anna")
    assert await desk.ask(anna, "GET", "/reviews", status=200) == []
    stranger = Actor("eve", Role.BRANCH_MANAGER, branch_id="B2", purpose="test")
    assert await desk.ask(stranger, "GET", "/reviews", status=200) == []
    await desk.ask(stranger, "POST", f"/reviews/{attempt['attempt_id']}", body, 404)
    word = {"score": 20, "accepted": False, "notes": "rude"}
    await desk.ask(LEADER, "POST", f"/reviews/{attempt['attempt_id']}", word, 200)
    await desk.ask(COMPLIANCE, "POST", f"/reviews/{attempt['attempt_id']}", word, 409)
    [attempt] = await desk.world.rows("callbacks", "SELECT * FROM attempts")
    assert not attempt["covers"]


async def test_statistics_weigh_quality_repeat_for_any_date_and_open_in_excel(desk: Desk) -> None:
    await trained(desk)
    [attempt] = await desk.world.rows("callbacks", "SELECT * FROM attempts")
    await desk.close_through(MONDAY + timedelta(days=1), MONDAY + timedelta(days=4))
    await desk.ask(LEADER, "POST", f"/reviews/{attempt['attempt_id']}", {"score": 60, "accepted": False}, 200)
    span = "from=2022-07-01&to=2022-07-31"
    [before] = await desk.ask(LEADER, "GET", f"/statistics?by=agent&{span}&as_of={MONDAY}", status=200)
    assert (before["key"], before["attempts"], before["valid"], before["reviewed"]) == ("anna", 1, 1, 0)
    assert (before["valid_rate"], before["on_time_rate"], before["quality"], before["figure"]) == (
        "100.0", "100.0", None, "100.0",
    )  # fmt: skip
    [after] = await desk.ask(LEADER, "GET", f"/statistics?by=agent&{span}", status=200)
    # A contact turned down is none: 0.4 x 0 + 0.3 x 60, of the weights that are known.
    assert (after["valid"], after["turned_down"], after["quality"]) == (0, 1, "60.0")
    assert after["figure"] == "25.7"
    async with desk.http(LEADER) as http:
        answer = await http.get(f"/v1/callbacks/statistics/workbook?{span}")
    book = load_workbook(BytesIO(answer.content))
    assert book.sheetnames == ["agent", "branch", "topic", "script"]
    assert [cell.value for cell in book["agent"][3]][:2] == ["anna", 1]
    counts = await desk.ask(LEADER, "GET", "/statistics/tasks", status=200)
    assert counts == [{"rule": "new", "state": "completed", "count": 1}]
    # Not even the number of what is compliance's alone tells anybody else of it [B6]; nor do other branches' numbers.
    alert = broker.SurveillanceAlerted(client_id="c-1", alert_id="a-1", kind="laundering", at=ten(MONDAY))
    await desk.world.publish(alert)
    await desk.world.settle()
    assert await desk.ask(LEADER, "GET", "/statistics/tasks", status=200) == counts
    for as_of in ("", f"?as_of={MONDAY}"):
        officers = await desk.ask(COMPLIANCE, "GET", f"/statistics/tasks{as_of}", status=200)
        assert {one["rule"] for one in officers} == {"new", "suspected_laundering"}
    assert await desk.ask(agent("eve", "B2", Role.BRANCH_MANAGER), "GET", "/statistics/tasks", status=200) == []
    missing = await desk.ask(LEADER, "GET", "/statistics/without-contact-data", status=200)
    assert missing == {"clients": 1, "messages": 0}


async def test_managers_are_measured_by_tier_and_no_task_follows(desk: Desk) -> None:
    await trained(desk)
    await desk.world.publish(broker.ClientOpened(client_id="c-2", branch_id="B1", opened_on=FIRST, manager_id="mia"))
    await desk.world.settle()
    before = len(await desk.tasks())
    found = await desk.ask(LEADER, "GET", f"/statistics/cadence?as_of={MONDAY}", status=200)
    assert found == [{"manager_id": "mia", "tier": "NORMAL", "clients": 2, "overdue": 1}]
    assert len(await desk.tasks()) == before
    # As of a date before the call nobody had been contacted yet; another branch's leader sees none of it.
    earlier = await desk.ask(LEADER, "GET", f"/statistics/cadence?as_of={MONDAY - timedelta(days=1)}", status=200)
    assert earlier == [{"manager_id": "mia", "tier": "NORMAL", "clients": 1, "overdue": 1}]
    assert await desk.ask(agent("eve", "B2", Role.BRANCH_MANAGER), "GET", f"/statistics/cadence?as_of={MONDAY}") == []


async def test_booked_openings_are_counted_daily(desk: Desk) -> None:
    await desk.close(FIRST)
    booked = [
        broker.OpeningBooked(booking_id=name, branch_id="B1", owner=owner, name="王小明", phone="138", at=ten(day))
        for name, owner, day in (
            ("b-1", "anna", MONDAY),
            ("b-2", None, MONDAY),
            ("b-3", "anna", MONDAY + timedelta(days=1)),
        )
    ]
    await desk.close_through(FIRST + timedelta(days=1), MONDAY - timedelta(days=1))
    await desk.world.publish(*booked[:2])
    await desk.world.settle()
    [task] = await desk.tasks("subject = 'b-1'")
    await desk.ask(ANNA, "POST", f"/tasks/{task['task_id']}/claim", status=200)
    async with desk.world.database(
        "callbacks"
    ).unit_of_work() as uow:  # a desk that has not closed Monday cannot call on it
        await uow.sql.execute("UPDATE closed_days SET through = $1", MONDAY)
    await desk.call(ANNA, task, "completed", at(MONDAY, 11), {"appointment": "branch"})
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("UPDATE closed_days SET through = $1", MONDAY - timedelta(days=1))
    await desk.close(MONDAY)
    await desk.world.publish(booked[2])
    await desk.world.settle()
    path = f"/statistics/bookings?from={MONDAY}&to={MONDAY + timedelta(days=1)}"
    assert await desk.ask(LEADER, "GET", path, status=200) == [
        {
            "day": "2022-07-04", "branch_id": "B1", "booked": 2, "followed": 1, "breached": 1, "open": 0,
            "without_owner": 1,
        },
        {
            "day": "2022-07-05", "branch_id": "B1", "booked": 1, "followed": 0, "breached": 0, "open": 1,
            "without_owner": 0,
        },
    ]  # fmt: skip
    assert await desk.ask(agent("eve", "B2", Role.BRANCH_MANAGER), "GET", path, status=200) == []


async def test_stale_publications_of_branches_are_flagged(desk: Desk) -> None:
    await desk.close(FIRST)
    body = {"what": "complaint phone", "value": "010-1", "responsible": "B1-director"}
    await desk.ask(LEADER, "PUT", "/branches/B1/publications", body, 200)
    await desk.ask(LEADER, "PUT", "/branches/B2/publications", body, 404)
    [fresh] = await desk.ask(LEADER, "GET", "/branches/publications", status=200)
    assert fresh["stale"] is False
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("UPDATE publications SET confirmed_on = confirmed_on - 91")
    [old] = await desk.ask(LEADER, "GET", "/branches/publications", status=200)
    assert old["stale"] is True


@pytest.fixture
async def bucket() -> AsyncIterator[tuple[str, dict[str, bytes]]]:
    """A local store that speaks just enough S3 and checks every signature by itself."""
    blobs: dict[str, bytes] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split("\r\n")[0].split(" ")
            headers = {k.lower(): v for k, v in re.findall(r"(?m)^([\w-]+): (.*?)\r$", head)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            when = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            url = f"http://{headers['host']}{path}"
            wanted = signed_headers(method, url, sha256(body).hexdigest(), when, "us-east-1", "key", "secret")
            status, said = "403 Forbidden", b""
            if headers["authorization"] == wanted["authorization"]:
                if method == "PUT":
                    blobs[path], status = body, "200 OK"
                else:
                    status, said = ("200 OK", blobs[path]) if path in blobs else ("404 Not Found", b"")
            writer.write(
                f"HTTP/1.1 {status}\r\ncontent-length: {len(said)}\r\nconnection: close\r\n\r\n".encode() + said
            )
            await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/evidence", blobs
    server.close()
    await server.wait_closed()


async def test_the_s3_store_signs_stores_and_tells_an_outage(
    bucket: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    url, blobs = bucket
    store = S3(url, "us-east-1", "key", "secret")
    await store.put("abc", b"content")
    assert blobs == {"/evidence/abc": b"content"}
    assert await store.get("abc") == b"content"
    assert await store.get("none") is None
    with pytest.raises(Unavailable):
        await S3(url, "us-east-1", "key", "wrong").put("abc", b"content")
    with pytest.raises(Unavailable):
        await S3("http://127.0.0.1:1/evidence", "us-east-1", "key", "secret", seconds=0.5).get("abc")
    from chassis.settings import Settings

    assert isinstance(store_of(Settings(home=tmp_path)), Folder)
    assert isinstance(store_of(Settings(home=tmp_path), EvidenceSettings(s3_url=url)), S3)


async def test_a_script_published_by_two_persons_is_frozen_on_new_tasks_only(desk: Desk) -> None:
    body = {"code": "greeting", "zh": "您好,恭喜。", "en": "Good day.", "questions": []}
    draft = {"effective_on": "2099-01-01", "body": body, "reason": "shorter words"}
    author, checker = Actor("hq-1", Role.HQ, purpose="t"), Actor("hq-2", Role.HQ, purpose="t")
    await desk.ask(ANNA, "POST", "/policies/script-greeting", draft, 403)
    made = await desk.ask(author, "POST", "/policies/script-greeting", draft, 201)
    path = f"/policies/script-greeting/{made['version']}/publication"
    assert (await desk.ask(author, "POST", path, {}))["status"] in (403, 409)
    assert (await desk.ask(checker, "POST", path, {}, 200))["state"] == "published"
    twice = {"code": "a", "zh": "一", "en": "one", "kind": "yes_no"}
    bad = {**draft, "body": {**body, "questions": [twice, twice]}}
    await desk.ask(author, "POST", "/policies/script-greeting", bad, 422)


async def test_at_is_a_wall_clock_in_shanghai_whatever_the_callers_zone(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    [task] = (await desk.next(ANNA))["tasks"]
    from zoneinfo import ZoneInfo

    new_york = at(MONDAY, 10).astimezone(ZoneInfo("America/New_York"))
    assert new_york.date() == date(2022, 7, 3)
    await desk.call(ANNA, task, "completed", new_york, TRAINED)
    assert await desk.world.value("callbacks", "SELECT on_day FROM attempts") == MONDAY


async def test_lists_page_filter_and_keep_to_the_branch(desk: Desk) -> None:
    await desk.close(FIRST)
    for number, branch in enumerate(("B1", "B1", "B2")):
        await desk.open(f"c-{number}", MONDAY, branch)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    first = await desk.ask(LEADER, "GET", "/tasks?limit=1&state=planned", status=200)
    second = await desk.ask(LEADER, "GET", f"/tasks?limit=1&state=planned&cursor={first['next']}", status=200)
    found = {page["items"][0]["client_id"] for page in (first, second)}
    assert (found, second["next"]) == ({"c-0", "c-1"}, None)
    alarmed = await desk.ask(LEADER, "GET", f"/tasks?alarmed_on={MONDAY + timedelta(days=20)}&rule=new", status=200)
    assert len(alarmed["items"]) == 2
    nothing = await desk.ask(LEADER, "GET", f"/tasks?alarmed_on={MONDAY + timedelta(days=19)}", status=200)
    assert nothing["items"] == []
    assert len((await desk.ask(COMPLIANCE, "GET", "/tasks", status=200))["items"]) == 3
    [mine] = (await desk.ask(LEADER, "GET", "/clients/c-0/tasks", status=200))["items"]
    await desk.ask(LEADER, "GET", "/clients/c-2/tasks", status=404)
    assert await desk.ask(LEADER, "GET", "/clients/c-0/messages", status=200) == []
    assert await desk.ask(LEADER, "GET", "/messages/alarms", status=200) == []
    cancelled = {"reason": "merged into another"}
    assert (await desk.ask(LEADER, "POST", f"/tasks/{mine['task_id']}/cancel", cancelled))["status"] == 428
    async with desk.http(LEADER, if_match='"1"') as http:
        done = await http.post(f"/v1/callbacks/tasks/{mine['task_id']}/cancel", json=cancelled)
    assert done.json()["state"] == "cancelled"
    noticed = {"client_id": "c-1", "kind": "gifts", "concerned": ["mia"], "notes": "offered a gift"}
    await desk.ask(ANNA, "POST", "/findings", noticed, 201)
    assert [f["kind"] for f in await desk.ask(COMPLIANCE, "GET", "/findings", status=200)] == ["gifts"]
    assert await desk.ask(COMPLIANCE, "GET", "/policies", status=200) == {"items": [], "next": None}
    explained = await desk.ask(LEADER, "GET", f"/tasks/{mine['task_id']}/explain?as_of={MONDAY}", status=200)
    assert explained["sentence"]["zh-CN"] == "应于 2022-08-04 前回访：账户于 2022-07-04 开立。"


async def test_the_proof_is_ledgers_that_can_be_counted_again_and_the_draw_repeats(desk: Desk, tmp_path: Path) -> None:
    await desk.close(FIRST)
    for number in range(12):
        await desk.open(f"c-{number:02}", date(2021, 5, 2), "B1" if number < 9 else "B-2")
    await desk.open("n-1", MONDAY)
    await desk.open("n-2", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    drawn = await desk.ask(COMPLIANCE, "POST", "/coverage/draws", {"as_of": str(MONDAY)}, 201)
    assert len(drawn["seed"]) == 32
    again = await desk.ask(COMPLIANCE, "GET", f"/coverage/draws/{drawn['draw_id']}/repeat", status=200)
    assert (again["same_population"], again["same_members"], again["members"]) == (True, True, 4)
    [task] = await desk.tasks("client_id = 'n-1'")
    await desk.ask(ANNA, "POST", f"/tasks/{task['task_id']}/claim", status=200)
    await desk.call(ANNA, task, "completed", ten(MONDAY), TRAINED)
    async with desk.world.sql("callbacks") as sql:
        for _ in range(2):  # written again, it is the same
            manifest = await proof.write_proof(sql, MONDAY, tmp_path)
    ledger = (tmp_path / manifest["ledger"]).read_bytes()
    assert sha256(ledger).hexdigest() == manifest["sha256"]
    assert sum(b",counts," in line for line in ledger.splitlines()) == manifest["branches"][0]["counted"] == 12
    # A ledger for each branch as well; together they are the firm's.
    names = [file["name"] for file in manifest["files"]]
    assert names == [
        f"coverage-{MONDAY}.csv", f"new-clients-{MONDAY}.csv", f"coverage-{MONDAY}/B-2.csv", f"coverage-{MONDAY}/B1.csv",
        f"new-clients-{MONDAY}/B1.csv",
    ]  # fmt: skip
    parts = [(tmp_path / name).read_bytes().splitlines() for name in names[2:4]]
    assert sorted(line for part in parts for line in part[1:]) == sorted(ledger.splitlines()[1:])
    assert {tuple(part[:1]) for part in parts} == {tuple(ledger.splitlines()[:1])}
    assert manifest["new_clients"] == [{"branch_id": branch, "open": 1, "trained": 1} for branch in ("", "B1")]
    trained, still_open = (tmp_path / names[-1]).read_text("utf-8").splitlines()[1:]
    assert trained.startswith(f"n-1,B1,trained,{MONDAY},2022-08-04,{MONDAY},")
    assert still_open == f"n-2,B1,open,{MONDAY},2022-08-04,,,"
    # The sums are what anybody's sha256sum reads; the manifest is among them.
    sums = dict(
        reversed(line.split("  ")) for line in (tmp_path / f"coverage-{MONDAY}.sha256").read_text().splitlines()
    )
    assert set(sums) == {*names, f"coverage-{MONDAY}.json"}
    assert all(sha256((tmp_path / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())
    # Over HTTP a branch gets its own, byte for byte.
    for rule, name in (("coverage", names[3]), ("new-clients", names[4])):
        path = f"/v1/callbacks/coverage/ledger?as_of={MONDAY}&branch_id=B1&rule={rule}"
        async with desk.http(LEADER) as http:
            answer = await http.get(path)
        assert answer.content == (tmp_path / name).read_bytes()
        assert answer.headers["repr-digest"] == f"sha-256=:{b64encode(sha256(answer.content).digest()).decode()}:"
    await desk.ask(LEADER, "GET", f"/coverage/ledger?as_of={MONDAY}&branch_id=B-2", status=404)
