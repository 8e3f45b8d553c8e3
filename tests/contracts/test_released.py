"""An event that looks another way than it was told first has another version."""

import pytest

from contracts import released
from contracts.released import Member, Released

TEXT, COUNT = '{"type": "string"}', '{"type": "integer"}'
WAS: Released = {
    ("tally.entry.made", 1): {
        "client_id": Member(True, TEXT), "note": Member(False, TEXT), "lines": Member(True, '{"type": "array"}'),
        "lines[].state": Member(True, '{"type": "string", "enum": ["open"]}'),
    }
}  # fmt: skip


def test_no_event_has_changed_its_shape_without_a_version() -> None:
    assert released.changed(released.before(), released.now()) == []
    assert released.before().keys() >= released.now().keys()


@pytest.mark.parametrize(
    ("member", "said", "wrong"),
    [
        ("note", None, ["note is gone"]),
        ("lines[].state", None, ["lines[].state is gone"]),
        ("note", Member(True, TEXT), ["note is another"]),
        ("client_id", Member(False, TEXT), ["client_id is another"]),
        ("client_id", Member(True, COUNT), ["client_id is another"]),
        ("lines[].state", Member(True, '{"type": "string", "enum": ["done", "open"]}'), ["lines[].state is another"]),
        ("more", Member(True, TEXT), ["more has to be there"]),
        ("lines[].more", Member(True, TEXT), ["lines[].more has to be there"]),
        ("more", Member(False, TEXT), []),
        ("lines[].more", Member(False, TEXT), []),
    ],
)
def test_what_takes_another_version(member: str, said: Member | None, wrong: list[str]) -> None:
    [(event, members)] = WAS.items()
    found = {event: {name: one for name, one in (members | {member: said}).items() if one is not None}}
    assert released.changed(WAS, found) == [f"tally.entry.made 1: {one}" for one in wrong]
    # Under its next version it is another event; but records of before have no member that was not told then.
    added = [f"tally.entry.made 2: {one}" for one in wrong if "has to be there" in one]
    assert released.changed(WAS, {(event[0], 2): found[event]}) == added


def test_a_new_part_brings_its_own_members() -> None:
    [(event, members)] = WAS.items()
    part = {
        "by": Member(False, '{"type": "object"}'),
        "by.person": Member(True, TEXT),
        "by.at.zone": Member(True, TEXT),
    }
    assert released.changed(WAS, {event: members | part | {"by.at": Member(False, '{"type": "object"}')}}) == []


def test_writing_the_file_again_takes_no_member_in_that_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever writes it would have their change accepted; and an event that is told no more stays."""
    [(event, members)] = WAS.items()
    more = {"more": Member(True, TEXT), "note_2": Member(False, TEXT)}
    monkeypatch.setattr(released, "before", lambda: WAS | {("tally.gone", 1): {"a": Member(True, TEXT)}})
    monkeypatch.setattr(released, "now", lambda: {event: members | more})
    rows = [line.split(",")[0:3] for line in released.written().splitlines()[1:]]
    assert [event[0], "1", "more"] not in rows
    assert [event[0], "1", "note_2"] in rows
    assert ["tally.gone", "1", "a"] in rows
