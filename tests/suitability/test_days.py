"""Facts and closed days: imports, reminders, expiry, settled buys judged, late facts, exports [Q5, Q6, K6]."""

import random
from collections import defaultdict
from datetime import date, datetime

from chassis.operations.conflicts import decide
from contracts import broker
from contracts.base import Event, Quantity
from services.suitability import exports
from services.suitability.app import service
from services.suitability.deadlines import close_days
from tests.suitability.conftest import COMPLIANCE, DAY, Desk, assessed, bought, client, opened
from tests.world import OPERATOR, World

FIRST = date(2022, 1, 3)


async def events(world: World, kind: str) -> list[dict[str, object]]:
    """The values of suitability's own events of a type, as told."""
    import msgspec

    rows = await world.rows(
        "suitability",
        """SELECT value, type FROM bus.log WHERE topic = 'careline.suitability' AND type = $1
           ORDER BY partition, "offset" """,
        f"suitability.{kind}",
    )
    return [msgspec.json.decode(row["value"]) for row in rows]


async def exported(world: World, name: str, *arguments: object) -> list[str]:
    async with world.sql("suitability") as sql:
        return [",".join(row) async for row in getattr(exports, name)(sql, *arguments)]


async def test_q5_reminders_at_30_7_and_1_days_then_expiry_at_the_end_of_the_day(world: World, desk: Desk) -> None:
    await world.publish(
        opened("c-1"),
        opened("c-2"),
        opened("c-3"),
        assessed("c-1", "低", date(2021, 2, 10)),
        assessed("c-2", "高", date(2021, 2, 10)),
        assessed("c-3", "中", date(2021, 2, 10)),
        broker.ClientClosed(client_id="c-3", closed_on=date(2022, 1, 2)),
    )
    await world.close(FIRST)
    await world.publish(assessed("c-2", "高", date(2022, 2, 1)))
    await world.close(date(2022, 2, 9))
    reminded = {(e["client_id"], e["days_left"]) for e in await events(world, "assessment.expiring")}
    assert reminded == {("c-1", 30), ("c-2", 30), ("c-1", 7), ("c-1", 1)}
    assert await events(world, "assessment.expired") == []
    assert (await desk.get(client("c-1"), "/clients/c-1?as_of=2022-02-10"))["level"] == "LOW"
    await world.close(date(2022, 2, 11))
    assert [e["client_id"] for e in await events(world, "assessment.expired")] == ["c-1"]
    why = await desk.get(client("c-1"), "/clients/c-1/explain?as_of=2022-02-11")
    assert (why["level"], why["reason"]) == (None, "expired")
    assert "重新填写调查表" in why["text_zh"]


async def test_k6_imports_that_no_questionnaire_can_say_are_refused_with_a_reason(world: World, desk: Desk) -> None:
    await world.publish(
        opened("c-1"),
        assessed("c-1", "极高", FIRST),
        assessed("c-1", "C9", FIRST, "C5R5"),
        assessed("c-1", "HIGH", FIRST, "OTHER"),
        assessed("c-1", "一般", FIRST),
        assessed("c-1", "一般", FIRST),
        assessed("c-1", "高", FIRST),
        assessed("c-1", "C4", FIRST + DAY, "C5R5"),
    )
    await world.close(FIRST + DAY)
    rows = await world.rows("suitability", "SELECT level, reason_zh FROM refused_imports ORDER BY level")
    assert [row["level"] for row in rows] == ["C9", "HIGH", "极高"]
    assert "极高" in rows[2]["reason_zh"]
    assert await world.value("suitability", "SELECT count(*) FROM conflicts") == 1
    assert await exported(world, "assessments") == [
        "c-1,SEED-2010-12Q,MEDIUM,2022-01-03,2023-01-03,imported",
        "c-1,C5R5,C4,2022-01-04,2023-01-04,imported",
    ]
    assert len(await exported(world, "assessments", FIRST)) == 1
    crossed = await desk.get(client("c-1"), "/clients/c-1/explain?as_of=2022-01-05")
    assert (crossed["level"], crossed["inputs"]["level_assessed"]) == ("MEDIUM", "C4")


def story() -> list[Event]:
    """Buys of every reason, and what they are judged by."""
    day = FIRST + DAY * 2
    return [
        opened("c-1"),
        assessed("c-1", "VERY_LOW", date(2021, 6, 1)),
        assessed("c-1", "LOW", FIRST + DAY),
        bought("c-1", "t-1", FIRST),
        bought("c-1", "t-2", FIRST + DAY),
        bought("c-1", "t-3", day, "F", "fund:equity"),
        bought("c-1", "t-4", day, "U", "unknown"),
        bought("c-1", "t-5", day, "F", "fund:equity", side="sell"),
        bought("c-2", "t-6", day, "B", "bond"),
        assessed("c-2", "HIGH", day + DAY),
        bought("c-2", "t-7", day + DAY, "U", "fund:other"),
        bought("c-2", "t-8", day + DAY, "O", "option"),
        assessed("c-3", "HIGH", date(2021, 1, 2)),
        bought("c-3", "t-9", FIRST, "B", "bond"),
        bought("c-3", "t-10", FIRST, "I", "stock", risk_class="R5"),
    ]


EXPECTED = [
    "c-1,t-1,2022-01-03,S1,LOW,VERY_LOW,above_level",
    "c-1,t-3,2022-01-05,F,MEDIUM,LOW,above_level",
    "c-1,t-4,2022-01-05,U,,LOW,unknown_class",
    "c-2,t-6,2022-01-05,B,VERY_LOW,,no_assessment",
    "c-2,t-7,2022-01-06,U,,HIGH,unknown_class",
    "c-2,t-8,2022-01-06,O,HIGH,HIGH,permission_missing",
    "c-3,t-10,2022-01-03,I,HIGH,,expired",
    "c-3,t-9,2022-01-03,B,VERY_LOW,,expired",
]


async def test_buys_are_judged_by_the_level_of_their_trade_date(world: World, desk: Desk) -> None:
    await world.publish(*story())
    await world.close(FIRST + DAY * 4)
    assert await exported(world, "mismatches") == EXPECTED
    assert await exported(world, "mismatches", FIRST) == [line for line in EXPECTED if "2022-01-03" in line]
    for day, said in (("2022-01-03", "lowest_level"), ("2022-01-04", "suitable"), ("2023-01-05", "expired")):
        why = await desk.get(client("c-1"), f"/clients/c-1/products/S1/explain?as_of={day}")
        assert why["reasons"][-1]["code"] == said
        assert why["text_zh"]
    above = await desk.get(COMPLIANCE, "/mismatches?reason=above_level&unexplained=true")
    assert [item["trade_id"] for item in above["items"]] == ["t-1", "t-3"]
    assert len(await events(world, "mismatch.found")) == len(EXPECTED)


async def test_any_order_repeated_and_late_leaves_the_same(world: World, desk: Desk) -> None:
    facts = story()
    random.Random(7).shuffle(facts)
    await world.close(FIRST + DAY * 4)
    for fact in facts:
        messages = await world.publish(fact)
        await world.settle()
        await world.redeliver(messages, id=f"again-{messages[0].id}")
    await world.settle()
    assert await exported(world, "mismatches") == EXPECTED
    assert await world.value("suitability", "SELECT count(*) FROM due") == 0
    assert await world.value("suitability", "SELECT count(*) FROM dead_letters") == 0


async def test_other_content_under_a_known_trade_is_a_conflict(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"), bought("c-1", "t-1", FIRST), bought("c-1", "t-1", FIRST, "S2"))
    await world.settle()
    await world.publish(bought("c-1", "t-1", FIRST, quantity="11"))
    await world.settle()
    rows = await world.rows("suitability", "SELECT id, identity, offered FROM conflicts ORDER BY id")
    offered = [(row["identity"], row["offered"]["instrument"]["symbol"], row["offered"]["quantity"]) for row in rows]
    assert offered == [("t-1", "S2", "10"), ("t-1", "S1", "11")]
    assert await world.value("suitability", "SELECT quantity FROM trades") == Quantity("10")

    await world.close(FIRST)
    assert await exported(world, "mismatches") == ["c-1,t-1,2022-01-03,S1,LOW,,no_assessment"]
    await decide(service, world.database("suitability"), OPERATOR, rows[0]["id"], "accepted", "checked")
    await world.settle()
    assert await exported(world, "mismatches") == ["c-1,t-1,2022-01-03,S2,LOW,,no_assessment"]


async def test_profiles_merge_field_by_field_in_any_order(world: World, desk: Desk) -> None:
    early, late = datetime.fromisoformat("2022-01-01T00:00:00Z"), datetime.fromisoformat("2022-02-01T00:00:00Z")
    await world.publish(broker.ClientUpdated(client_id="c-1", branch_id="B3"), at=late)
    await world.settle()
    await world.publish(broker.ClientUpdated(client_id="c-1", branch_id="B2", experience_years=4), at=early)
    await world.publish(opened("c-1", birth_date=date(1950, 5, 5)), at=early)
    await world.settle()
    row = (await world.rows("suitability", "SELECT * FROM clients"))[0]
    assert (row["branch_id"], row["experience_years"], row["birth_year"], row["kind"]) == ("B3", 4, 1950, "individual")


async def test_a_level_lowered_or_ended_lists_what_it_no_longer_covers(world: World, desk: Desk) -> None:
    await world.publish(
        opened("c-1"), assessed("c-1", "HIGH", date(2021, 9, 1)), bought("c-1", "t-1", FIRST, "F", "fund:equity")
    )
    await world.publish(bought("c-1", "t-2", FIRST, "B", "bond"))
    await world.close(FIRST)
    await world.publish(assessed("c-1", "LOW", FIRST + DAY))
    await world.close(FIRST + DAY)
    drifted = await events(world, "match.drifted")
    assert [(e["cause"], e["held"], [p["product"] for p in e["products"]]) for e in drifted] == [  # type: ignore[attr-defined]
        ("level_lowered", "LOW", ["F"])
    ]
    await world.publish(assessed("c-1", "MEDIUM", FIRST + DAY * 2))
    await world.close(date(2023, 1, 5))
    assert sorted(e["cause"] for e in await events(world, "match.drifted")) == ["assessment_expired", "level_lowered"]  # type: ignore[type-var]


async def test_what_a_level_lowered_concerns_is_what_was_held_that_day(world: World, desk: Desk) -> None:
    """Trades of later days that are there already change nothing of it."""
    await world.close(FIRST)
    await world.publish(
        opened("c-1"), assessed("c-1", "HIGH", date(2021, 9, 1)), assessed("c-1", "LOW", FIRST + DAY * 2)
    )
    await world.publish(bought("c-1", "t-1", FIRST + DAY, "F", "fund:equity"))
    await world.publish(bought("c-1", "t-2", FIRST + DAY * 3, "F", "fund:equity", side="sell"))
    await world.publish(bought("c-1", "t-3", FIRST + DAY * 3, "G", "fund:equity"))
    await world.settle()
    await world.close(FIRST + DAY * 4)
    drifted = await events(world, "match.drifted")
    assert [(e["cause"], e["found_on"], [p["product"] for p in e["products"]]) for e in drifted] == [  # type: ignore[attr-defined]
        ("level_lowered", str(FIRST + DAY * 2), ["F"])
    ]


async def test_days_closed_at_once_tell_what_they_tell_one_after_another(world: World, desk: Desk) -> None:
    """Each at its own day's end, the events of a client in the same order [Q5]."""
    last = FIRST + DAY * 28
    await world.close(FIRST - DAY)
    await world.publish(
        *story(),
        assessed("c-4", "HIGH", FIRST - DAY * 364),  # reminded, ended, and raised again
        bought("c-4", "t-11", FIRST - DAY * 9, "F", "fund:equity"),
        assessed("c-4", "MEDIUM", FIRST + DAY * 20),
        assessed("c-5", "HIGH", FIRST - DAY * 340),  # lowered, and lowered again
        bought("c-5", "t-12", FIRST + DAY * 3, "F", "fund:equity"),
        assessed("c-5", "LOW", FIRST + DAY * 10),
        assessed("c-5", "VERY_LOW", FIRST + DAY * 12),
        bought("c-5", "t-13", FIRST + DAY * 12, "F", "fund:equity"),
    )
    await world.publish(broker.ClientClosed(client_id="c-3", closed_on=FIRST + DAY * 5))
    await world.settle()
    days = [FIRST + DAY * n for n in range((last - FIRST).days + 1)]
    one_by_one = await told_by(world, [[day] for day in days])
    assert {kind for told in one_by_one.values() for _, kind, _ in told} == {
        "suitability.assessment.expired",
        "suitability.assessment.expiring",
        "suitability.match.drifted",
        "suitability.mismatch.found",
        "suitability.register.made",
    }
    assert await told_by(world, [days]) == one_by_one


async def told_by(world: World, spans: list[list[date]]) -> dict[str, list[tuple[datetime, str, bytes]]]:
    """What closing some spans of days would tell, client by client."""
    told: defaultdict[str, list[tuple[datetime, str, bytes]]] = defaultdict(list)
    try:
        async with world.database("suitability").unit_of_work() as uow:
            for days in spans:
                await close_days(days, uow)
            for key, kind, _, _, at, _, value in uow.told_since(uow.mark()._replace(told={})):
                told[key].append((at, kind, value))
            raise OnlyLooking
    except OnlyLooking:
        return told


class OnlyLooking(Exception):
    """Takes a unit of work back."""
