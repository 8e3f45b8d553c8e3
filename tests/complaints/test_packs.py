"""Packs make themselves at the end of a month and a year, and are watched until they are signed off [C15, C16, C21]."""

import base64
import zipfile
from datetime import date
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.actor import Actor, Role
from chassis.clock import at as clock_at
from chassis.secrets import signing_key
from contracts import callbacks, complaints
from contracts.broker import BrokerDayClosed
from services.complaints.attachments import parts_of
from services.complaints.packs import making
from services.complaints.packs.bundle import check, write_bundle
from services.complaints.packs.figures import period_of, read_figures
from services.complaints.packs.making import is_late
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, FEEDBACK, OFFICER, Desk, march
from tests.complaints.test_files import attach, sent
from tests.complaints.test_imports import received
from tests.faults.running import Command

SALES = Actor("HQ-sales", Role.HQ, purpose="complaints")


async def close(desk: Desk, day: date) -> None:
    await desk.world.publish(BrokerDayClosed(business_date=day), callbacks.DayCompleted(business_date=day))
    await desk.world.settle()


async def archive(desk: Desk, period: str = "2009-03") -> bytes:
    async with desk.world.client("complaints", COMPLIANCE) as http:
        answer = await http.get(f"/v1/complaints/packs/{period}/archive")
    assert answer.status_code == 200
    return answer.content


async def packs(desk: Desk) -> dict[str, Any]:
    return {one["pack_id"]: one for one in await desk.items(COMPLIANCE, "/packs")}


async def test_the_month_packs_itself_and_its_signer_is_reminded_and_late(desk: Desk) -> None:
    """C15: signed off by 17:30 of the 3rd working day; who missed it stays known as late."""
    await desk.open()
    await desk.close(30)
    assert await packs(desk) == {}
    await desk.close(31)
    made = (await packs(desk))["2009-03"]
    assert (made["made_by"], made["to_sign"], made["sign_off_due"]) == ("careline", ["HQ-sales"], "2009-04-03")
    assert len(await desk.told(complaints.PackMade)) == 1
    await close(desk, date(2009, 4, 2))
    assert (await packs(desk))["2009-03"]["reminded_at"] is None
    await close(desk, date(2009, 4, 3))
    made = (await packs(desk))["2009-03"]
    assert (made["reminded_at"], made["late"]) == ("2009-04-03T01:00:00Z", True)
    assert await desk.told(complaints.PackSignOffReminded) == ["complaints.pack.sign_off_reminded/2009-03"]
    assert await desk.told(complaints.PackSignOffMissed) == ["complaints.pack.sign_off_missed/2009-03"]
    refused = await desk.call(CENTRE, "POST", "/packs/2009-03/sign-off")
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (403, "not-to-sign")
    signed = (await desk.call(SALES, "POST", "/packs/2009-03/sign-off")).json()
    assert (signed["signed_off_by"], signed["late"]) == ("HQ-sales", True)
    again = (await desk.call(SALES, "POST", "/packs/2009-03/sign-off")).json()
    assert again["signed_off_at"] == signed["signed_off_at"]
    assert (await desk.call(SALES, "POST", "/packs/2009-02/sign-off")).status_code == 404
    assert (await desk.call(OFFICER, "GET", "/packs")).status_code == 403


async def test_signed_in_time_nobody_is_reminded(desk: Desk) -> None:
    await desk.open()
    await desk.close(31)
    signed = await desk.call(SALES, "POST", "/packs/2009-03/sign-off")
    assert signed.status_code == 200
    await close(desk, date(2009, 4, 10))
    assert await desk.told(complaints.PackSignOffReminded) == await desk.told(complaints.PackSignOffMissed) == []
    row = {"missed_at": None, "signed_off_at": march(31), "sign_off_due": date(2009, 3, 31)}
    assert not is_late(row)
    assert is_late(row | {"sign_off_due": date(2009, 3, 30)})


async def test_december_makes_the_year_and_whoever_makes_a_quarter_cannot_sign_it(desk: Desk) -> None:
    """C21: the yearly report by 30 April; a quarter's is made when asked for."""
    await desk.open()
    await desk.close(31)
    await close(desk, date(2009, 12, 31))
    found = await packs(desk)
    assert (found["2009"]["sign_off_due"], found["2009"]["cut_off"]) == ("2010-04-30", "2009-12-31T16:00:00Z")
    assert set(found) == {"2009", *(f"2009-{month:02}" for month in range(3, 13))}
    quarter = await desk.call(SALES, "POST", "/packs/2009-Q1")
    assert (quarter.status_code, quarter.json()["cut_off"]) == (201, "2009-03-31T16:00:00Z")
    assert (await desk.call(SALES, "POST", "/packs/2009-Q1/sign-off")).status_code == 403
    for wrong in ("2009-Q5", "2009-13", "x"):
        assert (await desk.call(SALES, "POST", f"/packs/{wrong}")).status_code == 422


async def test_a_replay_of_imports_makes_none_and_needs_none(desk: Desk) -> None:
    await desk.world.publish(*(received(n, 2 + n) for n in range(4)))
    await desk.world.settle()
    await desk.close(31)
    assert await packs(desk) == {}


async def test_a_year_whose_successor_has_no_calendar_is_packed_all_the_same(desk: Desk) -> None:
    """The calendar shipped ends on 31 December 2026: the day closes, and the sign-off is due three weekdays later."""
    await desk.open()
    await desk.world.settle()
    async with desk.world.database("complaints").unit_of_work() as uow:
        row = await making.make(uow, period_of("2026-12"))
    assert row["sign_off_due"] == date(2027, 1, 5)


async def test_nil_reports_come_after_their_month_and_count_complaints_only(desk: Desk) -> None:
    """C15, C16: a suggestion is no complaint; visits keep what became of them."""
    await desk.open(OFFICER, kind="suggestion", channel="on_site", branch_id=None)
    assert (await desk.call(DIRECTOR, "PUT", "/branches/B1/nil-reports/2009-03")).status_code == 201
    assert (await desk.call(DIRECTOR, "PUT", "/branches/B1/nil-reports/2090-03")).status_code == 409
    assert (await desk.call(DIRECTOR, "PUT", "/branches/B1/nil-reports/2009")).status_code == 422
    await desk.close(19)
    day = {"day": "2009-03-20", "leader": "B1-director"}
    await desk.call(DIRECTOR, "PUT", "/branches/B1/reception-days", day)
    visit = {"visitor": "李芳", "matter": "基金申购"}
    made = await desk.call(DIRECTOR, "POST", "/branches/B1/reception-days/2009-03-20/visits", visit)
    path = f"/branches/B1/visits/{made.json()['id']}/outcome"
    assert (await desk.call(DIRECTOR, "POST", path, {"outcome": "已当面答复"})).status_code == 200
    (shown,) = await desk.get(OFFICER, "/branches/B1/reception-days")
    assert (shown["day"], [one["outcome"] for one in shown["visits"]]) == ("2009-03-20", ["已当面答复"])
    other = Actor("B2-officer", Role.AGENT, branch_id="B2")
    assert (await desk.call(other, "GET", "/branches/B1/reception-days")).status_code == 404


async def test_the_same_cut_off_gives_the_same_bytes_whatever_happens_afterwards(desk: Desk) -> None:
    """C15: spreadsheet, print page, orders, manifest, signature; reopened, upheld, lowered, recorded late."""
    case, other = await desk.open(at=march(26)), await desk.open(at=march(27), claim="600000", client_id="c-2")
    await desk.ordered(case)
    await desk.act(OFFICER, case, "feedback", march(30, 16), **(FEEDBACK | {"upheld": False}))
    await desk.act(CENTRE, other, "acceptance", march(27, 11))
    await desk.act(OFFICER, other, "waiting", march(30, 9), waits_for="customer", reason="等材料")
    await desk.close(31)
    (pack,) = await desk.world.rows("complaints", "SELECT * FROM packs WHERE pack_id = '2009-03'")

    april = clock_at(date(2009, 4, 2), 10)
    await desk.answer(case, april, {"time": 1}, False)
    await desk.act(OFFICER, case, "investigation", april)
    await desk.act(OFFICER, case, "feedback", april, **FEEDBACK)
    await desk.act(CENTRE, other, "downgrade", april, 202, reason="金额有误")
    await desk.agree(COMPLIANCE, other, "case.downgrade")
    await desk.act(CENTRE, other, "reply", march(31, 9))  # of March, and recorded only now
    await desk.act(CENTRE, other, "contacts", april, 201, channel="phone", about="回电", recording="rec/9")
    async with desk.world.database("complaints").unit_of_work() as uow:
        names = await making.branches(uow.sql)
        then = await read_figures(uow.sql, period_of("2009-03"), names, pack["made_at"])
        now = await read_figures(uow.sql, period_of("2009-03"), names)
    key = signing_key(desk.world.settings, "seal")
    kept, again, once_more = await archive(desk), BytesIO(), BytesIO()
    async with desk.world.sql("complaints") as sql:
        digest = await write_bundle(then, key, again, partial(parts_of, sql))
        assert await write_bundle(then, key, once_more, partial(parts_of, sql)) == digest
    assert digest == pack["manifest_sha256"]
    assert again.getvalue() == once_more.getvalue() == kept
    first, second = zipfile.ZipFile(BytesIO(kept)), zipfile.ZipFile(again)
    assert {"manifest.json", "manifest.sig", "report.xlsx", "report.html", "orders.json"} <= set(first.namelist())
    assert all(first.read(name) == second.read(name) for name in first.namelist())
    of = {str(row["case_id"]): row for row in then.orders}
    assert (of[case["case_id"]]["state"], of[case["case_id"]]["upheld"]) == ("satisfaction_call", False)
    assert (of[other["case_id"]]["severity"], of[other["case_id"]]["due_on"]) == ("major", None)
    # What was recorded late is seen by whoever asks now, and by no pack made before.
    late = {str(row["case_id"]): row for row in now.orders}[other["case_id"]]
    assert (late["state"], late["due_on"]) == ("investigating", date(2009, 4, 2))


async def test_one_command_finds_any_changed_byte(desk: Desk, tmp_path: Path) -> None:
    """C15: with the file alone; in files, names, hashes, signature, and in the bytes between them."""
    case = await desk.open()
    await desk.ordered(case)
    attached = (await attach(desk, case, sent(b"ID3", 2_500_000), "audio/mpeg")).json()["id"]
    async with desk.world.database("complaints").unit_of_work() as uow:  # as if it had been attached that day
        await uow.sql.execute("UPDATE case_attachments SET at = $1", march(26, 12))
    await desk.close(31)
    content = await archive(desk)
    assert check(BytesIO(content)).problems == ()
    assert len(zipfile.ZipFile(BytesIO(content)).read(f"content/{attached}")) == 2_500_000
    ends = (*range(0, 1_500, 13), *range(len(content) - 12_000, len(content), 211), len(content) // 2, len(content) - 1)
    for place in ends:
        altered = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        assert check(BytesIO(altered)).problems, place
    for longer in (content + b"\0", b"\0" + content, content[:-1]):
        assert check(BytesIO(longer)).problems
    public = signing_key(desk.world.settings, "seal").public_key()
    signer = base64.b64encode(public.public_bytes_raw()).decode()
    file = tmp_path / "2009-03.zip"
    file.write_bytes(content)
    running = await Command.start("verify-pack", str(file))
    ended, out, _ = await running.ended()
    assert ended == 3
    assert "consistent, signer unknown" in out
    assert check(BytesIO(content), Ed25519PrivateKey.generate().public_key()).problems
    for bytes_, code in ((content, 0), (content[:-40] + b"x" + content[-39:], 1), (content.replace(b"B1", b"B9"), 1)):
        file.write_bytes(bytes_)
        running = await Command.start("verify-pack", str(file), "--key", signer)
        ended, out, err = await running.ended()
        assert ended == code, (out, err)
        assert ("complete and unaltered" in out) is (code == 0)
        assert "Traceback" not in err
