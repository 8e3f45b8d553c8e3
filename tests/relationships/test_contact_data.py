"""Contact data changed anywhere is one event; copies follow it. The sheet of annex 3. Bad input of names and numbers [CI2, CI9, CI13]."""

from datetime import date, timedelta

import pytest

from chassis.clock import at, utc_now
from chassis.personal.reading import open_columns
from contracts import broker, callbacks
from contracts.relationships import ProfileChanged
from services.messaging.numbers import Tokens
from services.relationships.client_sheet import ITEMS
from services.relationships.initials import initial_of
from services.relationships.rules import doubts
from tests.relationships.conftest import (
    COMPLIANCE,
    DIRECTOR,
    ELSEWHERE,
    MANAGER,
    OPENED,
    SYSTEM,
    Office,
    client,
    opened,
    told,
)
from tests.relationships.test_prospects import DAY
from tests.relationships.test_register import table
from tests.world import World

LONG = "阿卜杜热合曼·艾合买提江·买买提明·玉素甫江·吐尔逊江·艾尼"


async def test_the_sheet_says_what_was_in_force_on_a_day(branch: World, office: Office) -> None:
    assert len(LONG) == 30
    await branch.publish(
        opened("s-1", manager_id="max", name=LONG, phone="13812345678", birth_date=date(1949, 12, 31)),
        broker.StaffChanged(staff_id="max", branch_id="B1"),
    )
    await branch.publish(broker.ClientUpdated(client_id="s-1", phone="13912345678"), at=at(OPENED + 5 * DAY, 9))
    await branch.settle()
    await office.enter(MANAGER, "s-1", P17="teacher", P29="王五 13700000000 brother")
    refused = {"values": [{"code": "CI-P19", "state": "refused"}]}
    await office.post(MANAGER, "/clients/s-1/information", refused)

    async def rows(actor, more: str = "") -> dict[str, tuple[str, str]]:
        found = await office.call(actor, "GET", f"/clients/s-1/sheet?format=csv{more}")
        assert found.status_code == 200, found.text
        assert found.content.startswith(b"\xef\xbb\xbf")
        return {row[0].split()[0]: (row[1], row[2]) for row in table(found.content)}

    mine = await rows(MANAGER)
    assert (mine["姓名"][0], mine["手机号码"][0], mine["职业地位"][0]) == (LONG, "13912345678", "teacher")
    assert (mine["年收入"][0], mine["生日"][0]) == ("客户拒绝提供 refused", "1949-12-31")
    assert mine["相关人物信息"] == ("不导出 not given out", "")
    assert (await rows(MANAGER, f"&as_of={OPENED + DAY}"))["手机号码"] == ("13812345678", str(OPENED))
    assert (await rows(client("s-1")))["姓名"][0] == LONG
    others = await rows(DIRECTOR)
    assert (others["姓名"][0], others["手机号码"][0]) == ("阿" + "*" * 29, "139****5678")
    assert "13700000000" not in str(mine)
    page = await office.call(MANAGER, "GET", "/clients/s-1/sheet?format=html")
    assert page.headers["content-type"].startswith("text/html")
    assert f"<td>{LONG}</td>" in page.text
    assert page.text.count("<tr>") == len(ITEMS) + 2
    book = await office.call(MANAGER, "GET", "/clients/s-1/sheet")
    assert book.content[:2] == b"PK"
    assert (await office.call(ELSEWHERE, "GET", "/clients/s-1/sheet")).status_code == 404
    printed = await office.call(DIRECTOR, "GET", "/managers/max/register?format=html")
    assert "<h1>客户分类汇总表" in printed.text
    assert "<td>阿" in printed.text


async def test_what_a_client_changes_in_a_call_is_told_to_every_service(branch: World, office: Office) -> None:
    await branch.publish(opened("t-1", phone="13812345678", manager_id="max"))
    await branch.settle()
    when = at(OPENED + 3 * DAY, 10)
    changed = callbacks.ContactDataChanged(
        client_id="t-1", change_id="01890a5d-ac96-774b-bcce-b302099a8057", agent="mia", evidence="REC-1",
        phone="13612345678", changed_at=when,
    )  # fmt: skip
    for _ in range(2):
        await branch.publish(changed, at=when)
        await branch.settle()
    one = await office.get(MANAGER, f"/clients/t-1/information?as_of={OPENED + 4 * DAY}")
    said = next(line for line in one["indicators"] if line["code"] == "CI-P08")
    assert (said["source"], said["person"], said["day"]) == ("H", "mia", str(OPENED + 3 * DAY))
    events = await told(branch, ProfileChanged, "t-1")
    assert {event.value_id for event in events} == {"01890a5d-ac96-774b-bcce-b302099a8057"}
    assert set(events[0].sealed) == {"phone"}
    assert "13612345678" not in str(await branch.rows("relationships", "SELECT * FROM bus.log WHERE key = 't-1'"))


@pytest.mark.services("relationships", "messaging", "callbacks")
async def test_copies_follow_contact_data_and_the_highest_word_wins(world: World) -> None:
    """Callbacks and messaging, whatever the order: entered by the client now, then an older word of the broker's."""
    office = Office(world)
    await world.publish(opened("u-1", phone="13812345678", email="old@example.com"))
    await world.settle()
    await office.enter(client("u-1"), "u-1", P08="13612345678", P12="上海市浦东新区世纪大道1号")
    await world.settle()
    older = utc_now() - timedelta(days=1)
    await world.publish(broker.ClientUpdated(client_id="u-1", phone="13512345678", email="new@example.com"), at=older)
    await world.settle()
    [mail, number] = ["new@example.com", "13612345678"]
    for service in ("callbacks", "messaging"):
        [row] = await world.rows(service, "SELECT phone, email FROM clients WHERE client_id = 'u-1'")
        assert await open_columns(world.database(service), "u-1", row) == {"phone": number, "email": mail}, service
    [row] = await world.rows("callbacks", "SELECT address FROM clients WHERE client_id = 'u-1'")
    assert row["address"] is not None
    # Whoever replies from the new number is known to messaging.
    token = Tokens(world.settings).of("sms", number)
    assert await world.value("messaging", "SELECT phone_token FROM clients WHERE client_id = 'u-1'") == token


@pytest.mark.parametrize(
    ("given", "known", "checks"),
    [
        ({"CI-P05": "11010519491231002X"}, {"CI-P04": "1949-12-31"}, []),
        ({"CI-P05": "11010519491231002X"}, {"CI-P04": "1950-01-01"}, ["birth_date"]),
        ({"CI-P05": "110105491231002"}, {"CI-P04": "1949-12-31"}, []),  # of 15 digits
        ({"CI-P05": "110105491231002"}, {"CI-P04": "1959-12-31"}, ["birth_date"]),
        ({"CI-P05": "110105491331002"}, {}, ["id_number"]),  # the 13th month
        ({"CI-P05": "110105194912310020"}, {}, ["id_number"]),
        ({"CI-P05": "11010519491231002"}, {}, ["id_number"]),
        ({"CI-P04": "1950-01-01"}, {"CI-P05": "11010519491231002X"}, ["birth_date"]),
        ({"CI-P08": "12812345678"}, {}, ["mobile"]),
    ],
)
def test_numbers_and_birth_dates_are_held_against_one_another(given, known, checks) -> None:
    assert [one.check for one in doubts(given, known, trades_derivatives=False)] == checks


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("单", "S"),
        ("仇", "Q"),
        (LONG, "A"),
        ("买买提·艾力", "M"),
        ("·", "#"),
        ("Ö", "#"),
        ("o'Brien", "O"),
        ("𠮷田", "#"),
    ],
)
def test_names_of_one_and_of_thirty_characters_are_filed(name: str, letter: str) -> None:
    assert initial_of(name) == letter


async def test_two_clients_of_one_phone_are_two(branch: World, office: Office) -> None:
    await branch.publish(
        opened("v-1", name="单", phone="13811112222"), opened("v-2", name="买买提·艾力", phone="13811112222")
    )
    await branch.settle()
    for client_id, name in (("v-1", "单"), ("v-2", "买买提·艾力")):
        own = await office.get(client(client_id), f"/clients/{client_id}/information/personal")
        assert own["values"] == {"CI-P01": name, "CI-P08": "13811112222"}
        masked = await office.get(COMPLIANCE, f"/clients/{client_id}/information/personal")
        assert masked["values"]["CI-P01"] == name[0] + "*" * (len(name) - 1)
    assert (await office.enter(SYSTEM, "v-1", 422, P05="110105491331002"))["checks"] == ["id_number"]
