"""Bad input and faults: a clear answer each, and nothing lost."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from chassis.actor import Actor, Role
from chassis.calendar import shipped
from chassis.calendars import row_of
from chassis.clock import at as clock_at
from chassis.deadlines.scheduler import Scheduler
from chassis.operations import dead_letters
from chassis.personal.reading import open_columns
from contracts import callbacks, complaints
from contracts.broker import BrokerDayClosed, ComplaintReceived
from contracts.platform import CalendarPublished
from services.complaints.app import service
from tests.complaints.desk import CENTRE, COMPLIANCE, FEEDBACK, OFFICER, SECOND, Desk, march

LETTER = {
    "source": "regulator", "channel": "regulator_transfer", "regulator_ref": "京证监2009-7",
    "reply_due_on": "2009-03-31",
}  # fmt: skip
LADDER = ["warning", "due", "general_manager", "centre", "compliance"]


# Two people at once


async def test_two_people_order_at_once(desk: Desk) -> None:
    """One order goes out; the other is told that somebody was faster, and what the case's ETag is now."""
    case = await desk.open()
    await desk.act(CENTRE, case, "acceptance", march(26, 10, 5))
    path, body = f"/cases/{case['case_id']}/ticket", {"at": march(26, 10, 30).isoformat()}
    answers = await asyncio.gather(
        *(desk.call(actor, "POST", path, body, **{"if-match": '"2"'}) for actor in (CENTRE, SECOND))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 412]
    (refused,) = [answer.json() for answer in answers if answer.status_code == 412]
    assert refused["current"] == '"3"'
    assert await desk.world.value("complaints", "SELECT count(*) FROM tickets") == 1
    assert len(await desk.told(complaints.CaseDispatched, case)) == 1


async def test_two_people_approve_at_once(desk: Desk) -> None:
    case = await desk.open()
    made = await desk.act(CENTRE, case, "redress", march(26), 201, amount="80", reason="净值损失")
    path = f"/cases/{case['case_id']}/redress/{made['id']}/approval"
    answers = await asyncio.gather(*(desk.call(actor, "POST", path, {}) for actor in (SECOND, COMPLIANCE)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(await desk.told(complaints.RedressApproved)) == 1


async def test_two_people_promise_at_once(desk: Desk) -> None:
    """C6: the second one moves the first one's promise, which needs a reason."""
    case = await desk.open()
    path, body = (
        f"/cases/{case['case_id']}/promise",
        {"due": march(30, 12).isoformat(), "at": march(26, 15).isoformat()},
    )
    answers = await asyncio.gather(*(desk.call(actor, "POST", path, body) for actor in (CENTRE, SECOND)))
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    assert (await desk.what(case)).count("promise") == 1


@pytest.mark.parametrize("times", [2, 5])
async def test_the_same_regulator_letter_by_several_people_at_the_same_moment_is_one_case(
    desk: Desk, times: int
) -> None:
    body = {"client_id": "c-li", "branch_id": "B1", "words": "来函", "received_at": march(26).isoformat(), **LETTER}
    people = [Actor(f"HQ-CS-{n}", Role.HQ, purpose="complaints") for n in range(times)]
    answers = await asyncio.gather(*(desk.call(person, "POST", "/cases", body) for person in people))
    assert sorted(answer.status_code for answer in answers) == [200] * (times - 1) + [201]
    assert len({answer.json()["case_id"] for answer in answers}) == 1
    assert await desk.world.value("complaints", "SELECT count(*) FROM cases") == 1
    assert await desk.world.value("complaints", "SELECT count(*) FROM clocks WHERE clock = 'result'") == 1
    assert len(await desk.told(complaints.CaseOpened)) == 1


# Stale If-Match


async def test_no_change_is_made_on_a_stale_or_missing_etag(desk: Desk) -> None:
    case = await desk.open()
    await desk.act(CENTRE, case, "acceptance", march(26, 10, 5))
    before = await desk.case(case)
    for what, actor, body in (
        ("acceptance", SECOND, {}),
        ("hand-over", CENTRE, {"to": "HQ-CS-2"}),
        ("ticket", CENTRE, {}),
        ("investigation", OFFICER, {}),
        ("feedback", OFFICER, FEEDBACK),
        ("waiting", OFFICER, {"waits_for": "customer", "reason": "等材料"}),
    ):
        path = f"/cases/{case['case_id']}/{what}"
        stale = await desk.call(actor, "POST", path, body, **{"if-match": '"1"'})
        missing = await desk.call(actor, "POST", path, body)
        assert (stale.status_code, stale.json()["current"], missing.status_code) == (412, '"2"', 428), what
    assert await desk.case(case) == before


# A case without client


async def test_a_case_without_client_is_owned_timed_escalated_and_ended_as_any_other(desk: Desk) -> None:
    """C29: its subject is `case:ID`."""
    case = await desk.open(client_id=None)
    assert (await desk.case(case))["key"] == f"case:{case['case_id']}"
    await desk.ordered(case)
    await desk.close(27)
    assert [what for what in await desk.what(case) if what.startswith("escalated")] == [
        f"escalated: {step}" for step in LADDER
    ]
    await desk.act(OFFICER, case, "feedback", march(28, 9), **FEEDBACK)
    await desk.answer(case, march(30, 10), {"time": 4}, True)
    assert (await desk.case(case))["state"] == "closed"


# A calendar that ends


def calendar(number: int, last: date) -> CalendarPublished:
    """The shipped calendar up to a day."""
    rows = [row_of(row) for row in shipped().rows if row.first <= last]
    short = [msgspec.structs.replace(row, last=min(row.last, last)) for row in rows]
    return CalendarPublished(
        number=number, rows=tuple(short), published_at=march(1) + timedelta(minutes=number), published_by="one",
        checked_by="other",
    )  # fmt: skip


async def test_beyond_the_calendars_end_intake_says_so_and_goes_on_once_the_next_year_is_published(desk: Desk) -> None:
    await desk.world.publish(calendar(1, date(2009, 3, 31)))
    await desk.world.settle()
    refused = await desk.open(at=march(31, 18), status=409)  # counts to the next working day, which nobody knows
    assert (refused["type"], refused["last_day"]) == ("/problems/calendar-ends", "2009-03-31")
    fact = ComplaintReceived(
        system="register", external_ref="7", branch_id="B1", received_at=march(31, 18), channel="post", imported=False
    )
    await desk.world.publish(fact)
    await desk.world.settle()
    assert await desk.world.value("complaints", "SELECT count(*) FROM cases") == 0
    worker = desk.world.platform.workers["complaints"]
    async with desk.world.sql("complaints") as sql:
        assert await dead_letters.count(sql) == 1

    await desk.world.publish(calendar(2, date(2009, 12, 31)))
    await desk.world.settle()
    (letter,) = await desk.world.rows("complaints", "SELECT id FROM dead_letters")
    (redriven,) = await dead_letters.redrive(worker.service, worker.database, CENTRE, [letter["id"]])
    assert redriven.outcome == "done"
    (row,) = await desk.world.rows("complaints", "SELECT received_at, due_on FROM cases")
    assert (row["received_at"], row["due_on"]) == (march(31, 18), date(2009, 4, 1))
    assert (await desk.open(at=march(31, 18)))["due_on"] == "2009-04-01"


async def test_a_step_beyond_the_calendars_end_holds_none_before_it_up(desk: Desk) -> None:
    """C22: the breach at 17:30 of the last day known is told at 17:30; the ladder goes on in the next calendar."""
    case = await desk.open(at=march(31, 10))
    await desk.world.publish(calendar(1, date(2009, 3, 31)))
    await desk.world.settle()
    await desk.close(31)
    assert [row["step"] for row in await steps(desk)] == LADDER[:2]
    assert len([one for one in await desk.told(complaints.CaseBreached, case) if "result" in one]) == 1
    assert await desk.world.value("complaints", "SELECT count(*) FROM deadlines WHERE failed_at IS NOT NULL") == 0

    await desk.world.publish(calendar(2, date(2009, 12, 31)))
    await desk.world.settle()
    april = date(2009, 4, 1)
    await desk.world.publish(BrokerDayClosed(business_date=april), callbacks.DayCompleted(business_date=april))
    await desk.world.settle()
    found = await steps(desk)
    assert [row["step"] for row in found] == LADDER
    assert found[2]["fired_at"] == clock_at(date(2009, 4, 1), 10)


async def steps(desk: Desk) -> list[dict[str, Any]]:
    return await desk.world.rows(
        "complaints", "SELECT * FROM clock_steps WHERE clock = 'result' ORDER BY object, number"
    )


# Schedulers


async def overdue(real: Desk, count: int) -> list[dict[str, Any]]:
    """Cases of three weeks ago whose every step is due long since; no scheduler was running."""
    now = await real.world.value("complaints", "SELECT clock_timestamp()")
    return [await real.open(at=now - timedelta(days=21), client_id=f"c-{n}") for n in range(count)]


async def test_a_scheduler_that_was_paused_fires_every_step_once_in_order_and_says_how_late(real: Desk) -> None:
    (case,) = await overdue(real, 1)
    scheduler = real.world.platform.workers["complaints"].scheduler
    while await scheduler.step():
        pass
    assert [row["step"] for row in await steps(real)] == LADDER
    late = await real.world.rows(
        "complaints", "SELECT step, fired_at - due AS late FROM fired_deadlines WHERE kind = 'result'"
    )
    assert min(row["late"] for row in late) > timedelta(days=1)
    told = [one for one in await real.told(complaints.CaseBreached, case) if "result" in one]
    assert len(told) == 1
    assert not await scheduler.step()
    assert [row["step"] for row in await steps(real)] == LADDER
    (breached,) = await real.world.rows("complaints", "SELECT dispatch_met FROM cases")
    assert breached["dispatch_met"] is False


async def test_two_schedulers_at_once_fire_every_step_once_and_in_order(real: Desk) -> None:
    found = await overdue(real, 12)
    database, limit = real.world.database("complaints"), real.world.settings.bad_records_limit
    schedulers = [Scheduler(service, database, limit) for _ in range(2)]

    async def drain(scheduler: Scheduler) -> None:
        while await real.world.value("complaints", "SELECT EXISTS (SELECT FROM deadlines WHERE due <= now())"):
            await scheduler.step()

    await asyncio.gather(*map(drain, schedulers))
    of: dict[str, list[str]] = {}
    for row in await steps(real):
        of.setdefault(row["object"], []).append(row["step"])
    assert of == {f"case/{case['case_id']}/1": LADDER for case in found}
    for case in found:
        what = await real.what(case)
        assert [one for one in what if one.startswith("escalated")] == [f"escalated: {step}" for step in LADDER]
        assert what.count("dispatch breached") == 1
    assert len(await real.told(complaints.CaseEscalated)) == 12 * len(LADDER)
    assert await real.world.value("complaints", "SELECT count(*) FROM deadlines WHERE failed_at IS NOT NULL") == 0


# The same regulator letter twice


async def test_a_letter_again_with_other_content_keeps_the_first_and_waits_for_an_operator(desk: Desk) -> None:
    first = await desk.open(at=march(26), **LETTER)
    again = await desk.open(at=march(27), status=200, **(LETTER | {"reply_due_on": "2009-04-30"}))
    assert (again["case_id"], again["reply_due_on"]) == (first["case_id"], "2009-03-31")
    (conflict,) = await desk.world.rows("complaints", "SELECT * FROM conflicts")
    assert (conflict["identity"], conflict["offered"]["reply_due_on"]) == ("regulator/京证监2009-7", "2009-04-30")
    await desk.open(at=march(27), status=200, **(LETTER | {"reply_due_on": "2009-04-30"}))
    assert await desk.world.value("complaints", "SELECT count(*) FROM conflicts") == 1


async def test_a_number_that_means_another_case_is_refused(desk: Desk) -> None:
    """Two systems may not claim one number; nothing is opened beside."""
    case = await desk.open()
    async with desk.world.database("complaints").unit_of_work() as uow:
        await uow.sql.execute(
            "UPDATE cases SET system = 'register', external_ref = '9' WHERE case_id = $1", UUID(case["case_id"])
        )
    refused = await desk.open(system="register", external_ref="9", status=409)
    assert refused["type"] == "/problems/number-taken"
    assert await desk.world.value("complaints", "SELECT count(*) FROM cases") == 1


# Personal data in free text


SECRETS = (
    "13812345678", "110101199003077715", "6222021234567890123", "li.fang@example.com", "李芳", "88001234",
    "世纪大道100号",
)  # fmt: skip
TOLD = (
    "我叫李芳，手机13812345678，身份证110101199003077715，卡号6222021234567890123，邮箱 li.fang@example.com，"
    "资金账号88001234，住在上海市浦东新区世纪大道100号1203室，基金净值下跌"
)


async def everything(desk: Desk) -> dict[str, str]:
    """Every row of every table the service has, and what it told the others, as text."""
    kept: dict[str, str] = {}
    async with desk.world.sql("complaints") as sql:
        tables = await sql.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
        for row in tables:
            name = row["tablename"]
            kept[name] = "\n".join(r[0] for r in await sql.fetch(f'SELECT t::text FROM "{name}" t'))
        schema = desk.world.database("complaints").log.schema
        told = await sql.fetch(f"SELECT value FROM {schema}.log WHERE source = 'complaints'")
        kept["told"] = "\n".join(bytes(r["value"]).decode() for r in told)
    return kept


async def test_what_is_said_is_nowhere_unmasked_whoever_says_it_and_where(desk: Desk) -> None:
    """C29: masked at intake and in every later act; the original of the complaint is there for the key's owner only."""
    case = await desk.open(words=TOLD, demands=[f"赔偿 {TOLD}"[:200]], category=TOLD[:200])
    assert case["words"].endswith("基金净值下跌")
    await desk.act(CENTRE, case, "acceptance", march(26, 10, 5))
    await desk.act(CENTRE, case, "ticket", march(26, 10, 30), 201)
    await desk.act(CENTRE, case, "ticket/solutions", march(26, 11), words=TOLD)
    await desk.act(OFFICER, case, "waiting", march(26, 12), waits_for="customer", reason=TOLD)
    await desk.act(CENTRE, case, "reply", march(26, 13))
    await desk.act(CENTRE, case, "promise", march(26, 13), due=march(30, 12).isoformat(), reason=TOLD)
    await desk.act(CENTRE, case, "contacts", march(26, 14), 201, channel="phone", about=TOLD)
    await desk.act(CENTRE, case, "suggestions", march(26, 14), 201, reason=TOLD)
    demanded = await desk.call(CENTRE, "POST", f"/cases/{case['case_id']}/demands", {"what": TOLD[:200]})
    assert demanded.status_code == 201
    await desk.act(CENTRE, case, "redress", march(26, 14), 201, amount="10", reason=TOLD)
    await desk.act(CENTRE, case, "deviations", march(26, 14), 201, reason=TOLD)
    said = dict.fromkeys(("facts", "responsible", "action", "reaction"), TOLD)
    await desk.act(OFFICER, case, "feedback", march(26, 16), **said, upheld=False)
    await desk.act(CENTRE, case, "withdrawal", march(26, 17), reason=TOLD)
    grumble = {"client_id": "c-li", "mood": "angry", "words": TOLD, "at": march(26).isoformat()}
    assert (await desk.call(OFFICER, "POST", "/pre-complaints", grumble)).status_code == 201
    letter = {**LETTER, "words": TOLD}
    await desk.open(at=march(26), **letter)
    await desk.open(at=march(26), status=200, **(letter | {"words": f"{TOLD}，请速办"}))
    fact = ComplaintReceived(
        system="register", external_ref="7", branch_id="B1", received_at=march(26), channel="post", words=TOLD
    )
    await desk.world.publish(fact)
    await desk.world.settle()
    await desk.close(31)

    kept = await everything(desk)
    assert len(kept["cases"].splitlines()) == 3
    for secret in SECRETS:
        for name, rows in kept.items():
            assert secret not in rows, f"{secret} in {name}"
            assert secret.encode().hex() not in rows, f"{secret} in {name}"
    found = await desk.get(CENTRE, "/cases?q=净值")
    assert len(found["items"]) == 3
    stored = (await desk.case(case))["original"]
    original = await open_columns(desk.world.database("complaints"), f"case:{case['case_id']}", {"words": stored})
    assert original == {"words": TOLD}
