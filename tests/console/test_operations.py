"""Operations in the console: dead letters by error, tried and redriven; conflicts side by side; and My day."""

from chassis.clock import at
from contracts import broker
from contracts.base import encode
from contracts.broker import Instrument, TradeSettled
from tests.console.office import ANNA, CENTRE, FRIDAY, OPERATIONS, THURSDAY, Office


def trade(trade_id: str, commission: str = "10") -> TradeSettled:
    return TradeSettled(
        trade_id=trade_id, client_id="c-1", account_id="c-1", branch_id="B1", trade_date=THURSDAY,
        settled_at=at(THURSDAY, 15), instrument=Instrument(symbol="600519", kind="stock"), side="buy", quantity="100",
        amount="1000", commission=commission, currency="CNY",
    )  # fmt: skip


async def test_dead_letters_are_tried_before_they_are_redriven(office: Office) -> None:
    world = office.world
    for number in (1, 2):
        await world.publish_raw(broker.TRADES, "c-1", TradeSettled.type, b'{"trade_id": 7}', id=f"raw-{number}")
    await world.settle()
    async with world.sql("points") as sql:
        await sql.execute(
            "UPDATE dead_letters SET value = $1 WHERE id = (SELECT min(id) FROM dead_letters)", encode(trade("t-9"))
        )
    async with office.person(OPERATIONS) as operator, office.person(ANNA) as anna:
        assert [one.name for one in (await anna.see("/operations")).acts] == []
        assert (await anna.http.get("/operations/points/dead-letters/1")).status_code == 403
        page = await operator.see("/operations")
        assert (page.headings, page.mains) == (1, 1)
        assert 'data-group="points"' in page.answer.text
        views = [one.opens or "" for one in page.acts if one.name == "view" and "/points/" in (one.opens or "")]
        assert "t-9" in (await operator.http.get(views[0], headers={"hx-request": "true"})).text
        [form] = [
            one for one in page.forms if one.action == "/operations/points/redrive" and " " in one.fields.get("ids", "")
        ]
        tried = await operator.send(form)
        assert ("would pass" in tried.answer.text, "failed" in tried.answer.text) == (True, True)
        kept = await world.value("points", "SELECT count(*) FROM dead_letters WHERE redriven_at IS NULL")
        assert kept == 2
        done = await operator.do(tried, "redrive")
        assert 'data-outcome="done"' in done.answer.text
        page = await operator.see("/operations")
        [form] = [one for one in page.forms if one.action == "/operations/points/skip"]
        left = await operator.send(form, reason="sent by mistake")
        assert left.answer.headers["hx-redirect"] == "/operations"
        assert 'data-group="points"' not in (await operator.see("/operations")).answer.text
    rows = await world.rows("points", "SELECT redriven_by, skipped_because FROM dead_letters ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [("operations", None), (None, "sent by mistake")]


async def test_a_conflict_is_seen_side_by_side_and_decided(office: Office) -> None:
    await office.world.publish(trade("t-5"), trade("t-5", "20"))
    await office.world.settle()
    async with office.person(OPERATIONS) as operator:
        page = await operator.see("/operations")
        place = page.answer.text.index('data-conflict="points/')
        assert "20" in page.answer.text[place : place + 1500]
        names = [one.name for one in page.acts if one.name in ("accept_offered", "keep_known")]
        assert set(names) == {"accept_offered", "keep_known"}
        points = next(
            n for n, one in enumerate(a for a in page.acts if a.name == "keep_known") if "points_" in (one.opens or "")
        )
        bare = await operator.do(page, "keep_known", points)
        assert (bare.status, bare.forms[0].wrong) == (422, ["reason"])
        done = await operator.send(bare.forms[0], reason="the first is right")
        assert done.answer.headers["hx-redirect"] == "/operations"
        assert 'data-conflict="points/' not in (await operator.see("/operations")).answer.text


async def test_my_day_is_by_clock_and_leads_to_the_next_task(office: Office) -> None:
    said = {
        "client_id": "c-3", "branch_id": "B1", "channel": "hotline", "category": "service", "words": "等待太久",
        "received_at": f"{FRIDAY}T10:00:00+08:00",
    }  # fmt: skip
    await office.call(CENTRE, "complaints", "POST", "/cases", said)
    async with (
        office.person(ANNA) as anna,
        office.person(CENTRE, "zh-CN") as centre,
        office.person(OPERATIONS) as operator,
    ):
        for person in (anna, centre, operator):
            day = await person.see("/")
            assert (day.status, day.headings, day.mains) == (200, 1, 1)
        assert "我的一天" in (await centre.see("/")).answer.text
        mine = (await centre.see("/")).answer.text
        assert "/complaints/" in mine[mine.index('data-part="overdue"') :]
        call = await anna.do(await anna.see("/"), "next")
        assert "outcome" in [one.name for one in call.acts]
        text = (await anna.see("/")).answer.text
        assert "/callbacks/" in text[text.index('data-part="overdue"') :]
