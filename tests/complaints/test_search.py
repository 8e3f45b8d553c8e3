"""Whatever way a word is looked for, every page is what a plain look at the texts finds, newest first."""

from random import Random
from typing import Any

import pytest

from chassis.actor import Actor, Role
from chassis.errors import Invalid
from chassis.http.paging import Cursors
from services.complaints import search
from tests.complaints.desk import CENTRE, ELSEWHERE, LI, OFFICER, Desk, march
from tests.complaints.test_imports import received

WORDS = ("基金", "净值下跌", "手续费", "客户经理", "ETF", "开户")
SIZES = {
    "as shipped": {},
    "always from the index": {"LOOKED_AT": 0, "FIRST_CUT": 0},
    "a few at a time": {"LOOKED_AT": 40, "CHECKED": 20, "FIRST_CUT": 20},
    "hardly anything at a time": {"LOOKED_AT": 9, "CHECKED": 4, "FIRST_CUT": 6},
}


async def told(desk: Desk, count: int) -> list[dict[str, Any]]:
    """Cases of four weeks, several of one instant, with words often, rarely, early and late only."""
    random, facts = Random(11), []
    for number in range(count):
        words = [word for n, word in enumerate(WORDS) if random.random() < (0.9, 0.5, 0.2, 0.1, 0.3, 0.02)[n]]
        if number < count // 2:
            words.append("债券")
        facts.append(
            received(
                number,
                1 + number * 28 // count,
                words="，".join(words) or "无",
                branch_id="B1" if number % 5 else "B2",
                client_id="c-li" if number % 7 == 0 else f"c-{number}",
                category="服务态度" if number % 11 == 0 else "",
            )
        )
    await desk.world.publish(*facts)
    await desk.world.settle()
    return await desk.world.rows("complaints", "SELECT * FROM cases ORDER BY received_at DESC, case_id DESC")


def expected(rows: list[dict[str, Any]], actor: Actor, query: dict[str, str]) -> list[str]:
    def fits(row: dict[str, Any]) -> bool:
        text = f"{row['words']} {row['category']}".lower()
        return (
            all(word.lower() in text for word in query.get("q", "").split())
            and query.get("state", row["state"]) == row["state"]
            and query.get("client", row["client_id"]) == row["client_id"]
            and (actor.role is not Role.CLIENT or row["client_id"] == actor.client_id)
            and (actor.branch_id is None or row["branch_id"] == actor.branch_id)
        )

    return [str(row["case_id"]) for row in rows if fits(row)]


async def pages(desk: Desk, actor: Actor, query: dict[str, str]) -> list[str]:
    found: list[str] = []
    cursor: dict[str, str] = {}
    async with desk.world.client("complaints", actor) as http:
        while True:
            answer = await http.get("/v1/complaints/cases", params={"limit": 13, **query, **cursor})
            assert answer.status_code == 200, answer.text
            found += [one["case_id"] for one in answer.json()["items"]]
            if not answer.json()["next"]:
                return found
            cursor = {"cursor": answer.json()["next"]}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
async def test_every_page_is_what_a_look_at_the_texts_finds(
    desk: Desk, sizes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sizes.items():
        monkeypatch.setattr(search, name, value)
    rows = await told(desk, 90)
    for actor in (CENTRE, OFFICER, ELSEWHERE, LI):
        for q in (
            "",
            "基金",
            "净值下跌",
            "值下",
            "etf",
            "基金 手续费",
            "基金 etf 客户",
            "债券",
            "开户",
            "服务态度",
            "翡翠",
        ):
            for more in ({}, {"state": "dispatched"}, {"client": "c-li"}):
                query = ({"q": q} if q else {}) | more
                assert await pages(desk, actor, query) == expected(rows, actor, query), (actor.subject, query)


async def test_a_word_is_whole_and_a_cursor_is_one_of_ours(desk: Desk) -> None:
    """Latin words are found whole; what nobody gave out as a cursor is refused."""
    await desk.open(words="ETF基金", at=march(2))
    for q, count in (("etf", 1), ("et", 0), ("ETF 基金", 1), ("tf基", 0)):
        assert len((await desk.get(CENTRE, f"/cases?q={q}"))["items"]) == count, q
    async with desk.world.client("complaints", CENTRE) as http:
        given = (await http.get("/v1/complaints/cases", params={"limit": 1})).json()
        assert given["next"] is None
        answer = await http.get("/v1/complaints/cases", params={"cursor": Cursors(b"k", "x").encode(["a", "b"])})
    assert answer.status_code == 422
    for wrong in (["soon", "x"], ["2009-03-02T00:00:00", "x"], [1, 2], ["a"]):
        with pytest.raises(Invalid):
            search.place_of(wrong)
