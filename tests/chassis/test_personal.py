"""Personal data: unreadable at rest, found when equal, masked by role, cut out of free text."""

import base64

import pytest

from chassis.actor import Actor, Role
from chassis.personal import FieldCipher, Undecipherable, shown_to
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


def test_equal_values_are_found_however_written() -> None:
    index = _cipher().blind_index
    same = {
        index("phone", text) for text in ("13800138000", "138 0013 8000", "+86 138-0013-8000", "１３８００１３８０００")
    }
    assert len(same) == 1
    assert index("id_number", "11010519491231002x") == index("id_number", "11010519491231002X")
    assert index("phone", "13800138000") != index("name", "13800138000")
    assert index("phone", "13800138000") != _cipher(2).blind_index("phone", "13800138000")


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
