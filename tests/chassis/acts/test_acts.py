"""The worked example of `docs/acts.md`, over HTTP: what a caller sees of acts, second persons, clocks and the history."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.acts import Act, acts, pause, perform_each, promised
from chassis.acts.table import TableOfActsInvalid
from chassis.clock import utc_now
from chassis.errors import Text
from tests.chassis.acts.conftest import PEOPLE
from tests.chassis.acts.service import ACTS, CLAIM, OWNER, RESULT, NewClaim, make
from tests.world import World

CLIENT, AGENT, MANAGER, COMPLIANCE = (PEOPLE[name] for name in ("client", "agent", "manager", "compliance"))


class Claimed:
    """One claim, and calls about it."""

    def __init__(self, world: World, claim_id: str) -> None:
        self.world, self.claim_id = world, claim_id

    async def post(self, actor: Any, act: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        async with self.world.client("desk", actor, **headers) as http:
            return await http.post(f"/v1/desk/claims/{self.claim_id}/{act}", json=body or {})

    async def get(self, actor: Any, rest: str = "") -> Any:
        async with self.world.client("desk", actor, purpose="test") as http:
            return (await http.get(f"/v1/desk/claims/{self.claim_id}{rest}")).json()


@pytest.fixture
async def claim(desk: World, request: pytest.FixtureRequest) -> Claimed:
    """A claim of the client's own, or of a source."""
    async with desk.database("desk").unit_of_work() as uow:
        source = getattr(request, "param", "client")
        id = await make(uow, NewClaim(client_id="c-1", branch_id="B1", source=source, concerned=["E5"]))
    return Claimed(desk, str(id))


async def test_an_object_says_what_the_caller_can_do_and_why_not(claim: Claimed) -> None:
    def told(shown: dict[str, Any]) -> dict[str, Any]:
        return {one["act"]: one["can"] or one["why_not"]["en"] for one in shown["acts"]}

    mine = told(await claim.get(AGENT))
    assert (mine["accept"], mine["note"]) == (True, True)
    assert mine["close"] == "this is for: its owner"
    assert mine["reopen"] == "this is for: its branch's manager"
    assert (await claim.post(AGENT, "accept", if_match='"1"')).json()["state"] == "accepted"
    assert told(await claim.get(AGENT))["accept"].startswith("it is accepted; possible: wait, promise")
    assert told(await claim.get(CLIENT)) == {
        "reply": "it is accepted; possible: withdraw",
        "withdraw": True,
    }


async def test_an_act_says_what_it_needs(claim: Claimed) -> None:
    assert (await claim.post(AGENT, "accept")).json()["type"] == "/problems/precondition-required"
    assert (await claim.post(AGENT, "accept", if_match='"7"')).status_code == 412
    assert (await claim.post(AGENT, "accept", if_match='"1"')).status_code == 200
    missing = (await claim.post(AGENT, "wait", {"reason": "  "})).json()
    assert (missing["type"], missing["errors"][0]["pointer"]) == ("/problems/needs-missing", "/reason")


async def test_a_reply_is_entered_late_within_its_bounds_and_shown_so(claim: Claimed) -> None:
    await claim.post(AGENT, "accept", if_match='"1"')
    before = utc_now()
    assert (await claim.post(AGENT, "wait", {"reason": "papers"})).status_code == 200
    waiting_since = utc_now()

    async def reply(at: Any) -> tuple[int, str]:
        answer = await claim.post(AGENT, "reply", {"at": at.isoformat()})
        return answer.status_code, answer.json().get("errors", [{"detail": ""}])[0]["detail"]

    assert await reply(utc_now() + timedelta(hours=1)) == (422, "lies in the future")
    assert (await reply(utc_now() - timedelta(days=8)))[1].startswith("lies too far back")
    assert (await reply(before))[1].startswith("is before the last step")
    assert (await reply(waiting_since))[0] == 200
    *_, last = await claim.get(AGENT, "/history")
    assert (last["act"], last["late"], last["before"], last["after"]) == ("reply", True, "awaiting_client", "accepted")
    # What happens only now is not entered for another time.
    answer = await claim.post(AGENT, "wait", {"reason": "papers", "at": before.isoformat()})
    assert answer.json()["errors"][0]["detail"] == "is now: this is entered when it is done"


async def test_a_step_is_read_by_its_audience_alone(claim: Claimed) -> None:
    await claim.post(AGENT, "accept", if_match='"1"')
    await claim.post(AGENT, "wait", {"reason": "papers"})
    read = {
        name: [step["act"] for step in await claim.get(who, "/history")]
        for name, who in (("client", CLIENT), ("hq", COMPLIANCE))
    }
    assert read == {"client": ["accept", "wait"], "hq": ["accept", "wait"]}
    async with claim.world.database("desk").unit_of_work() as uow:
        await uow.sql.execute("UPDATE act_steps SET tells = '{}' WHERE act = 'wait'")
    assert [step["act"] for step in await claim.get(COMPLIANCE, "/history")] == ["accept"]


@pytest.mark.parametrize("claim", ["regulator"], indirect=True)
async def test_an_act_waits_for_its_second_person(claim: Claimed) -> None:
    asked = await claim.post(CLIENT, "withdraw", {"reason": "settled"})
    assert (asked.status_code, asked.json()["state"]) == (202, "received")
    assert (await claim.post(CLIENT, "withdraw", {"reason": "settled"})).json()["type"] == "/problems/already-asked"
    where = asked.headers["location"]
    async with claim.world.client("desk", COMPLIANCE) as http:
        [waiting] = (await http.get("/v1/desk/approvals")).json()["items"]
        assert (waiting["kind"], waiting["before"], waiting["after"]) == (
            "claim.withdraw",
            {"state": "received"},
            {"state": "withdrawn"},
        )
        assert (await http.post(f"{where}/approve", json={})).json()["state"] == "approved"
    shown = await claim.get(CLIENT)
    assert shown["state"] == "withdrawn"
    actions = await claim.world.rows("desk", "SELECT action FROM audit WHERE action LIKE 'claim.%' ORDER BY number")
    assert [row["action"] for row in actions] == ["claim.withdraw.asked", "claim.withdraw.approved"]


async def test_a_second_promise_takes_a_signature(claim: Claimed) -> None:
    await claim.post(AGENT, "accept", if_match='"1"')

    due = (utc_now() + timedelta(days=2)).isoformat()

    async def promise(who: Any, key: str) -> httpx.Response:
        return await claim.post(who, "promise", {"due": due, "reason": "more to read"}, idempotency_key=key)

    assert (await promise(AGENT, "1")).status_code == 200
    assert (await promise(AGENT, "1")).headers["idempotency-replayed"] == "true"
    assert (await promise(AGENT, "2")).json()["type"] == "/problems/signature-needed"
    assert (await promise(MANAGER, "3")).status_code == 200
    assert await claim.world.value("desk", "SELECT count(*) FROM clock_entries WHERE kind = 'promise'") == 2


async def test_the_platform_moves_many_at_once_and_leaves_those_it_cannot(desk: World) -> None:
    at = utc_now()
    async with desk.database("desk").unit_of_work() as uow:
        ids = [await make(uow, NewClaim(client_id=f"c-{n}", branch_id="B1")) for n in range(5)]
        await uow.sql.execute("UPDATE claims SET state = 'accepted' WHERE claim_id = $1", ids[2])
        done = await perform_each(uow, ACTS.lapse, dict.fromkeys(ids), at)
    assert {one.row.claim_id for one in done} == {*ids[:2], *ids[3:]}
    assert await desk.value("desk", "SELECT count(*) FROM claims WHERE state = 'closed' AND told = 1") == 4
    assert await desk.value("desk", "SELECT count(*) FROM act_steps WHERE act = 'lapse' AND at = $1", at) == 4


SURE = Act[Any]("sure", Text("", ""), on=("received", "accepted", "awaiting_client"), to="closed", who=(OWNER,))


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        (replace(SURE, name="x", to="accepted", on=("accepted",)), "leads to its own state"),
        (replace(SURE, name="x", to=None), "can be done twice"),
        (replace(SURE, name="x", to="awaiting_client", on=("accepted",)), "begins to wait, but result is not paused"),
        (replace(SURE, name="x", to="accepted", on=("awaiting_client",)), "ends the wait, but result does not go on"),
        (replace(SURE, name="x", clocks={RESULT: pause()}), "does not begin to wait"),
        (replace(SURE, name="x", to=None, on=("awaiting_client",), needs=("If-Match",), clocks={RESULT: promised("due")}), "goes on waiting"),
        (replace(SURE, name="x", clocks={"other": promised("due")}), "no clock other"),
        (replace(SURE, name="x", on=("lost",)), "no state lost"),
        (replace(SURE, name="sure"), "two acts have one name"),
    ],
)  # fmt: skip
def test_a_table_that_contradicts_itself_is_refused(act: Act[Any], fault: str) -> None:
    with pytest.raises(TableOfActsInvalid, match=fault):
        acts(CLAIM, SURE, act)


def test_an_open_state_without_a_way_out_is_refused() -> None:
    with pytest.raises(TableOfActsInvalid, match="no way out of awaiting_client"):
        acts(CLAIM, replace(SURE, on=("received", "accepted")))


def test_an_act_that_is_not_in_the_table_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no act 'promsie'"):
        _ = ACTS.promsie
