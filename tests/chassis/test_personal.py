"""Personal data: unreadable at rest, found when equal, masked by role, cut out of free text."""

import base64
from collections.abc import Sequence

import pytest

from chassis.actor import Actor, Role
from chassis.personal import FieldCipher, Undecipherable, normalised, shown_to
from chassis.personal.keys import ClientKey, Keyring, Value
from chassis.settings import Settings


def _cipher(n: int = 1) -> FieldCipher:
    return FieldCipher(Settings(field_key=base64.b64encode(bytes([n]) * 32).decode()))


def test_a_value_is_readable_in_its_own_place_only() -> None:
    stored = _cipher().encrypt("phone", "c-1", "13800138000")
    assert b"138" not in stored
    assert stored != _cipher().encrypt("phone", "c-1", "13800138000")
    assert _cipher().decrypt("phone", "c-1", stored) == "13800138000"
    for cipher, field, owner, value in (
        (_cipher(), "phone", "c-2", stored),
        (_cipher(), "name", "c-1", stored),
        (_cipher(2), "phone", "c-1", stored),
        (_cipher(), "phone", "c-1", stored[:-1] + bytes([stored[-1] ^ 1])),
    ):
        with pytest.raises(Undecipherable):
            cipher.decrypt(field, owner, value)


def test_equal_numbers_are_equal_however_written() -> None:
    written = ("13800138000", "138 0013 8000", "+86 138-0013-8000", "１３８００１３８０００")
    assert {normalised(text) for text in written} == {"13800138000"}
    assert normalised("11010519491231002x") == normalised("11010519491231002X")


async def test_a_key_seals_for_its_owner_and_field_alone_and_is_kept_a_while() -> None:
    asked: list[tuple[str, ...]] = []

    class Source:
        async def fetch(self, owners: Sequence[str], *, make: bool) -> list[ClientKey]:
            asked.append(tuple(sorted(owners)))
            return [ClientKey(owner, 1, owner.encode() * 8) for owner in owners if make or owner != "c-3"]

    ring = Keyring(Source())
    sealed = await ring.seal([Value("c-1", "name", "王芳"), Value("c-2", "name", "王芳"), Value("c-2", "phone", None)])
    again = await ring.seal([Value("c-1", "name", "王芳")])
    assert asked == [("c-1", "c-2")]
    assert (sealed[2], sealed[0] == again[0], sealed[0] == sealed[1]) == (None, True, False)
    moved = [Value("c-1", "name", sealed[0]), Value("c-2", "name", sealed[0]), Value("c-1", "phone", sealed[0])]
    assert await ring.open(moved) == ["王芳", None, None]
    ring.forget(["c-1"])
    assert await ring.open([Value("c-1", "name", sealed[0])]) == ["王芳"]
    assert asked[1:] == [("c-1",)]
    assert await ring.open([Value("c-3", "name", sealed[0])]) == [None]
    at_once = Keyring(Source(), kept_seconds=0)
    await at_once.keys(["c-1"])
    await at_once.keys(["c-1"])
    assert asked[-2:] == [("c-1",), ("c-1",)]
    blocked = ClientKey("c-1", 1, b"c-1" * 8, blocked=True)
    assert blocked.open("name", sealed[0] or "") == "王芳".encode()


@pytest.mark.parametrize(
    ("role", "name", "phone", "number"),
    [
        (Role.CLIENT, "王小明", "13800138000", "11010519491231002X"),
        (Role.COMPLIANCE, "王小明", "13800138000", "11010519491231002X"),
        (Role.AGENT, "王小明", "13800138000", "110*************2X"),
        (Role.HQ, "王**", "138****8000", "110*************2X"),
        (Role.OPERATIONS, "王**", "138****8000", "110*************2X"),
    ],
)
def test_masks_by_role(role: Role, name: str, phone: str, number: str) -> None:
    actor = Actor("x", role)
    assert shown_to(actor, "name", "王小明") == name
    assert shown_to(actor, "phone", "13800138000") == phone
    assert shown_to(actor, "id_number", "11010519491231002X") == number


def test_other_masks() -> None:
    hq = Actor("x", Role.HQ)
    assert shown_to(hq, "email", "anna@example.com") == "a***@example.com"
    assert shown_to(hq, "address", "上海市浦东新区世纪大道1号") == "上海市浦东新******"
    assert shown_to(hq, "name", None) is None
