"""Packs make themselves at the end of a month and a year, and are watched until they are signed off [C15, C16, C21]."""

from datetime import date
from typing import Any

from chassis.actor import Actor, Role
from contracts import callbacks, complaints
from contracts.broker import BrokerDayClosed
from services.complaints.packs import making
from services.complaints.packs.figures import period_of
from services.complaints.packs.making import is_late
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, OFFICER, Desk, march
from tests.complaints.test_imports import received

SALES = Actor("HQ-sales", Role.HQ, purpose="complaints")


async def close(desk: Desk, day: date) -> None:
    await desk.world.publish(BrokerDayClosed(business_date=day), callbacks.DayCompleted(business_date=day))
    await desk.world.settle()


async def packs(desk: Desk) -> dict[str, Any]:
    return {one["pack_id"]: one for one in await desk.get(COMPLIANCE, "/packs")}


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
