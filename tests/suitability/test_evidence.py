"""Evidence bundles: whole, chained, signed, checked without the platform [go-beyond 8]."""

import json
from datetime import date
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.suitability.evidence import canonical, sign, verify
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    LOW,
    MEDIUM,
    Desk,
    assessed,
    client,
    opened,
    professional,
    today,
)
from tests.world import World

KEY = Ed25519PrivateKey.generate()


async def exported(world: World, desk: Desk) -> bytes:
    await world.publish(opened("c-1"))
    await world.settle()
    await desk.keep("FUND", kind="fund:equity", name_zh="成长基金")
    await desk.submit("c-1", LOW)
    asked = await desk.decide(client("c-1"), "c-1", "FUND")
    path = f"/decisions/{asked['decision_id']}"
    await desk.post(client("c-1"), f"{path}/confirmation", {"warning_version": "W1", "signature": "sig-9"})
    return (await desk.call(COMPLIANCE, "GET", f"{path}/evidence")).content


async def test_a_bundle_holds_everything_and_stands_alone(world: World, desk: Desk) -> None:
    content = await exported(world, desk)
    file = json.loads(content)
    assert [entry["kind"] for entry in file["entries"]] == [
        "template",
        "submission",
        "assessment",
        "decision",
        "confirmation",
    ]
    assert file["retention"]["class"] == "suitability-20-years"
    day = await today(world)
    assert file["retention"]["keep_until"][:4] == str(day.year + 20)
    assert "成长基金" in json.loads(content)["entries"][3]["content"]["warning"]["zh"]
    checked = verify(content)
    assert checked.problems == ()
    other = verify(content, KEY.public_key())
    assert other.problems == ("signed with a key that is not trusted",)

    altered = json.loads(content)
    altered["entries"][1]["content"]["answers"]["1"] = ["E"]
    assert "entry 1 (submission) was altered" in verify(canonical(altered)).problems
    shortened = json.loads(content)
    del shortened["entries"][4]
    assert verify(canonical(shortened)).problems
    # Signed anew by somebody with a key of their own, a false conclusion still shows.
    entries = [(entry["kind"], entry["content"]) for entry in json.loads(content)["entries"]]
    entries[1][1]["total"] = 60
    entries[3][1]["outcome"] = "PASS"
    forged = verify(canonical(sign(entries, date(2046, 1, 1), KEY)))
    assert len(forged.problems) == 2


def small_bundle() -> dict[str, Any]:
    from datetime import date

    decision = {
        "decision_id": "d-1",
        "decided_at": "2026-01-01T00:00:00+00:00",
        "outcome": "PASS",
        "reasons": ["suitable"],
        "side": "buy",
        "initiator": "client",
        "warning": None,
        "facts": {
            "holder": {"held": 2, "assessed_before": True},
            "target": {"known": True, "on_shelf": True, "needed": 2},
            "confirmed": False,
            "held_level": "LOW",
        },
    }
    return sign([("assessment", {"level": "LOW"}), ("decision", decision)], date(2046, 1, 1), KEY)


SMALL = canonical(small_bundle())


def test_the_small_bundle_is_right() -> None:
    assert verify(SMALL).problems == ()


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(place: int, change: int) -> None:
    altered = bytearray(SMALL)
    altered[place] ^= change
    try:
        checked = verify(bytes(altered))
    except ValueError:
        return
    if json.loads(bytes(altered)) != json.loads(SMALL):
        assert checked.problems


@pytest.mark.parametrize("member", sorted(json.loads(SMALL)))
def test_a_bundle_without_one_of_its_members_is_none(member: str) -> None:
    left = {name: value for name, value in json.loads(SMALL).items() if name != member}
    with pytest.raises(ValueError, match="no evidence bundle"):
        verify(json.dumps(left).encode())


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"null", b'{"format":"x","entries":[],"retention":{},"head":""}']
)
def test_other_files_are_no_bundles(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"bundle"):
        verify(content)


async def test_a_bundle_holds_what_made_a_professional_and_what_let_a_rise_pass(world: World, desk: Desk) -> None:
    """And without it the file proves nothing."""
    day = await today(world)
    await world.publish(opened("c-1"), opened("c-2"), assessed("c-1", "LOW", day - DAY * 50))
    await world.settle()
    await desk.keep("FUND", kind="fund:equity")
    await desk.submit("c-1", MEDIUM)
    assert (await desk.decide(client("c-1"), "c-1", "FUND"))["outcome"] == "BLOCK"
    [review] = await desk.listed(COMPLIANCE, "/reviews")
    await desk.post(COMPLIANCE, f"/reviews/{review['review_id']}/decision", {"approve": True, "note": "seen"}, 200)
    await professional(desk, "c-2")
    for of, kind in (("c-1", "review"), ("c-2", "professional")):
        asked = await desk.decide(client(of), of, "FUND")
        assert asked["outcome"] == "PASS"
        file = json.loads((await desk.call(COMPLIANCE, "GET", f"/decisions/{asked['decision_id']}/evidence")).content)
        assert verify(canonical(file)).problems == ()
        entries = [(entry["kind"], entry["content"]) for entry in file["entries"]]
        assert kind in dict(entries)
        left = [entry for entry in entries if entry[0] != kind]
        assert verify(canonical(sign(left, date(2046, 1, 1), KEY))).problems == (
            f"it rests on a {kind} that is not there",
        )
