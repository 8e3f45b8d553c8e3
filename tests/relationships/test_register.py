"""The register of annex 4 as of a day, by the first letter of names [CI13]."""

import csv
from datetime import date, timedelta
from io import BytesIO, StringIO
from zipfile import ZipFile

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at
from contracts import broker, classification
from contracts.base import Amount
from contracts.fields import decode_custom
from services.relationships import exports
from services.relationships.initials import initial_of
from tests.relationships.conftest import DIRECTOR, ELSEWHERE, SECOND, Office, opened
from tests.world import World

MAIA = Actor("maia", Role.CLIENT_MANAGER, branch_id="B1", purpose="service")
FIRST = date(2024, 3, 4)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("单雄信", "S"), ("曾国藩", "Z"), ("仇英", "Q"), ("解缙", "X"), ("查良镛", "Z"), ("区丁平", "O"), ("朴树", "P"),
        ("王", "W"), ("欧阳修", "O"), ("尉迟恭", "Y"), ("尉缭", "Y"), ("万俟卨", "M"), ("长孙无忌", "Z"), ("闫妮", "Y"), ("窦娥", "D"),
        ("买买提·吐尔逊", "M"), ("Smith", "S"), ("ｓｍｉｔｈ", "S"), (" 张三", "Z"), ("", "#"), ("7号", "#"), ("㐀", "#"), ("赵" * 30, "Z"),
    ],
)  # fmt: skip
def test_first_letters(name: str, letter: str) -> None:
    assert initial_of(name) == letter


def table(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(StringIO(content.decode("utf-8-sig"), newline="")))[1:]


async def test_the_register_as_of_a_day(branch: World, office: Office) -> None:
    amount: Amount = decode_custom(Amount, "1234567.89")
    await branch.publish(*(broker.StaffChanged(staff_id=one, branch_id="B1") for one in ("maia", "mona")))
    await branch.publish(
        opened("g-1", on=FIRST, manager_id="maia", name="解缙", phone="13812345678"),
        opened("g-2", on=FIRST, manager_id="maia", name="单雄信"),
        opened("g-3", on=FIRST + DAY, manager_id="maia", name="=cmd()"),
        broker.AssetsValued(client_id="g-1", as_of=FIRST, total_assets=amount),
    )
    habit = classification.SupplementaryChanged(
        client_id="g-1", branch_id="B1", revision=1, kind="HABIT", codes=["HABIT:D"]
    )
    await branch.publish(habit, at=at(FIRST + DAY, 9))
    await branch.settle()
    path = "/managers/maia/register?format=csv&as_of="
    rows = table((await office.call(MAIA, "GET", f"{path}{FIRST + DAY}")).content)
    assert [(row[1], row[2], row[0]) for row in rows] == [
        ("S", "g-2", "单雄信"),
        ("X", "g-1", "解缙"),
        ("#", "g-3", "'=cmd()"),
    ]
    assert rows[1][4:] == ["123.4568", "", "D", "", "", "", "", "0", "13812345678", ""]
    assert [row[2] for row in table((await office.call(MAIA, "GET", f"{path}{FIRST}")).content)] == ["g-2", "g-1"]
    masked = table((await office.call(DIRECTOR, "GET", f"{path}{FIRST + DAY}")).content)
    assert (masked[1][0], masked[1][1], masked[1][12]) == ("解*", "X", "138****5678")
    assert (await office.call(ELSEWHERE, "GET", f"{path}{FIRST}")).status_code == 404
    book = await office.call(MAIA, "GET", f"/managers/maia/register?as_of={FIRST}")
    assert "xl/worksheets/sheet1.xml" in ZipFile(BytesIO(book.content)).namelist()
    asked = await office.post(DIRECTOR, "/clients/g-2/manager", {"person": "mona", "reason": "nearer"}, 202)
    await office.post(SECOND, f"/approvals/{asked['approval_id']}/approve", {}, 200)
    lost = {row[2]: row[0] for row in table((await office.call(MAIA, "GET", f"{path}{FIRST}")).content)}
    assert lost == {"g-1": "解缙", "g-2": "单**"}, "a client who was theirs then and is not now [A9]"
    async with branch.sql("relationships") as sql:
        found = {row[0]: row async for row in exports.register(sql, FIRST + DAY)}
    assert found["g-1"] == ("g-1", "B1", "maia", "123.4568", "", "HABIT:D", "", "", "", "", "0")
    assert "解缙" not in str(found)
