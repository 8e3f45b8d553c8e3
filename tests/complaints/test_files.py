"""Files of a case: large, lying, empty, twice, of cases one may not see; through the gateway too."""

import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from uuid import UUID

import httpx

from careline.asgi import apps_of
from chassis.actor import Actor
from gateway.app import gateway_app
from gateway.settings import GatewaySettings
from gateway.tokens import issue_token
from services.complaints.attachments import LARGEST_BYTES
from tests.complaints.desk import CENTRE, ELSEWHERE, Desk

PDF = b"%PDF-1.7 letter"
MEGABYTE = bytes(1_000_000)


async def sent(head: bytes, size: int) -> AsyncIterator[bytes]:
    """So many bytes with a beginning, as a line sends them."""
    yield head
    left = size - len(head)
    while left > 0:
        yield MEGABYTE[:left]
        left -= len(MEGABYTE)


def hash_of(head: bytes, size: int) -> str:
    digest, left = hashlib.sha256(head), size - len(head)
    while left > 0:
        digest.update(MEGABYTE[:left])
        left -= len(MEGABYTE)
    return digest.hexdigest()


async def attach(
    desk: Desk, case: dict[str, str], content: bytes | AsyncIterator[bytes], kind: str, actor: Actor = CENTRE,
    **headers: str,
) -> httpx.Response:  # fmt: skip
    async with desk.world.client("complaints", actor) as http:
        return await http.post(
            f"/v1/complaints/cases/{case['case_id']}/attachments?name=letter&role=letter",
            content=content,
            headers={"content-type": kind, **headers},
        )


async def test_files_are_what_their_bytes_say(desk: Desk) -> None:
    case = await desk.open()
    kept = await attach(desk, case, PDF, "application/pdf")
    assert kept.json()["id"] == hashlib.sha256(PDF).hexdigest()
    lying = await attach(desk, case, PDF, "image/png")
    assert (lying.status_code, lying.json()["found"], lying.json()["claimed"]) == (415, "application/pdf", "image/png")
    assert (await attach(desk, case, b"MZ virus", "application/pdf")).status_code == 415
    assert (await attach(desk, case, b"", "application/pdf")).status_code == 422
    async with desk.world.client("complaints", CENTRE) as http:
        path = f"/v1/complaints/cases/{case['case_id']}/attachments/{kept.json()['id']}"
        answer = await http.get(path)
    assert (answer.content, answer.headers["content-type"]) == (PDF, "application/pdf")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert await desk.world.value("complaints", "SELECT count(*) FROM attachments") == 1
    assert (await desk.what(case)).count("attached") == 1


async def test_a_recording_of_100_megabytes_is_kept_part_by_part(desk: Desk) -> None:
    """The largest file there may be: nobody holds it in memory as a whole, and every byte comes back."""
    case = await desk.open()
    tracemalloc.start()
    try:
        answer = await attach(desk, case, sent(b"ID3", LARGEST_BYTES), "audio/mpeg")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.status_code, answer.json()["id"]) == (201, hash_of(b"ID3", LARGEST_BYTES))
    assert peak < LARGEST_BYTES / 5
    async with desk.world.client("complaints", CENTRE) as http:
        path = f"/v1/complaints/cases/{case['case_id']}/attachments/{answer.json()['id']}"
        async with http.stream("GET", path) as back:
            digest = hashlib.sha256()
            async for part in back.aiter_bytes():
                digest.update(part)
    assert digest.hexdigest() == answer.json()["id"]


async def test_one_byte_more_is_told_the_limit_and_nothing_is_kept(desk: Desk) -> None:
    """Said beforehand it is refused before a byte is read; sent in chunks at the byte too many."""
    case = await desk.open()
    for headers in ({"content-length": str(LARGEST_BYTES + 1)}, {}):
        answer = await attach(desk, case, sent(b"ID3", LARGEST_BYTES + 1), "audio/mpeg", **headers)
        assert (answer.status_code, answer.json()["limit_bytes"]) == (413, LARGEST_BYTES)
        assert str(LARGEST_BYTES) in answer.json()["detail"]
    assert await desk.world.value("complaints", "SELECT count(*) FROM attachment_parts") == 0
    assert "attached" not in await desk.what(case)


async def test_other_routes_take_no_more_than_before(desk: Desk) -> None:
    answer = await desk.call(CENTRE, "POST", "/cases", {"channel": "post", "words": "x" * 1_000_001})
    assert (answer.status_code, answer.json()["limit_bytes"]) == (413, 1_000_000)


async def test_the_same_file_twice_is_kept_once_whatever_case_it_comes_to(desk: Desk) -> None:
    first, second = await desk.open(), await desk.open(client_id="c-2")
    for case in (first, first, second):
        assert (await attach(desk, case, PDF, "application/pdf")).status_code == 201
    assert await desk.world.value("complaints", "SELECT count(*) FROM attachments") == 1
    assert await desk.world.value("complaints", "SELECT count(*) FROM attachment_parts") == 1
    assert (await desk.what(first)).count("attached") == 1
    assert (await desk.what(second)).count("attached") == 1


async def test_who_may_not_see_the_case_can_neither_attach_nor_read(desk: Desk) -> None:
    case = await desk.open()
    assert (await attach(desk, case, PDF, "application/pdf", ELSEWHERE)).status_code == 404
    kept = (await attach(desk, case, PDF, "application/pdf")).json()["id"]
    await desk.get(ELSEWHERE, f"/cases/{case['case_id']}/attachments/{kept}", 404)
    await desk.get(CENTRE, f"/cases/{UUID(int=1)}/attachments/{kept}", 404)


async def test_through_the_gateway_it_is_the_services_limit_that_counts(desk: Desk) -> None:
    """A recording larger than the gateway's own limit passes; larger than the service's it is refused as there."""
    case, world = await desk.open(), desk.world
    own = GatewaySettings(body_bytes=2_000_000)
    app = gateway_app(world.settings, world.database("gateway"), apps_of(world.platform), own=own)
    token = issue_token(world.settings, CENTRE.role)
    path = f"/v1/complaints/cases/{case['case_id']}/attachments?name=call&role=recording"
    headers = {"authorization": f"Bearer {token}", "content-type": "audio/mpeg"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://careline.test") as http:
        taken = await http.post(path, content=sent(b"ID3", 20_000_000), headers=headers)
        refused = await http.post(path, content=sent(b"ID3", LARGEST_BYTES + 1), headers=headers)
        facts = await http.post("/v1/events", content=bytes(2_000_001), headers=headers)
    assert (taken.status_code, taken.json().get("id")) == (201, hash_of(b"ID3", 20_000_000))
    assert (refused.status_code, refused.json()["limit_bytes"]) == (413, LARGEST_BYTES)
    assert (facts.status_code, facts.json()["limit_bytes"]) == (413, 2_000_000)
