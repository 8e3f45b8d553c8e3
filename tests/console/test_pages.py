"""The console's pages: behind sign-in, in two languages, with nothing from another host."""

import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

import gateway.console
from chassis.actor import Actor, Role
from chassis.clock import business_date, utc_now
from gateway.console.callbacks import pages as callbacks
from gateway.console.complaints import pages as complaints
from gateway.console.compliance import pages as compliance
from gateway.console.doing import form_for
from gateway.console.fields import FIELDS
from gateway.console.operations import access
from gateway.console.pages import balances_over_time
from gateway.console.rest import operations
from gateway.console.tables import IN_EVERY_SERVICE, TABLES, of_service
from gateway.console.words import CHINESE_WORDS
from gateway.people import add_user
from tests.gateway.conftest import BASE, event, trade
from tests.suitability.conftest import PROVEN
from tests.world import World

MEDIA = {"content-type": "application/cloudevents+json"}
PAGES = ["/", "/part/services", "/operations", "/approvals", "/clients", "/clients/7c", "/docs", "/events"]
STATIC = Path(gateway.console.__file__).parent.parent / "static"
CONSOLE = Path(gateway.console.__file__).parent


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline_scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inline_scripts += tag == "script" and "src" not in given
        self.inline_scripts += any(name.startswith("on") for name in given)
        names = ("src", "href", "action", "data-source", "hx-get", "hx-post")
        self.loaded += [value for name in names if (value := given.get(name))]


async def test_pages_are_behind_the_sign_in(http: httpx.AsyncClient) -> None:
    for path in PAGES:
        answer = await http.get(path)
        assert (answer.status_code, urlsplit(answer.headers["location"]).path) == (303, "/sign-in"), path
    assert (await http.get("/sign-in")).status_code == 200


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_no_page_loads_anything_from_another_host(browser: httpx.AsyncClient, language: str) -> None:
    waiting, seen = [*PAGES, "/sign-in", "/problems/not-found", "/clients/nobody"], set()
    while waiting:
        path = waiting.pop()
        if path in seen or path.startswith("/language"):
            continue
        seen.add(path)
        answer = await browser.get(path, headers={"accept-language": language})
        assert answer.status_code in {200, 303, 404}, (path, answer.text)
        kind = answer.headers.get("content-type", "")
        if kind.startswith("text/html"):
            links = _Links()
            links.feed(answer.text)
            assert links.inline_scripts == 0, path
            foreign = [link for link in links.loaded if urlsplit(link).netloc or link.startswith("//")]
            assert foreign == [], path
            waiting += [link for link in links.loaded if link.startswith(("/static", "/v1", "/clients/7c"))]
        elif kind.startswith("text/css"):
            assert re.findall(r"url\(\s*['\"]?(?:[a-z]+:)?//", answer.text) == [], path
            assert "@import" not in answer.text, path
    assert "/static/vendor/uplot/uPlot.iife.min.js" in seen
    assert "/v1/openapi.json" in seen


async def test_a_clients_page_says_class_tier_points_and_why(browser: httpx.AsyncClient) -> None:
    english = (await browser.get("/clients/7c")).text
    chinese = (await browser.get("/clients/7c", headers={"accept-language": "zh-CN"})).text
    for words in ("100.50", "Standard", "Every account begins as standard", "Why"):
        assert words in english
    for words in ("100.50", "普通客户", "新开账户均为普通客户", "原因"):
        assert words in chinese
    why = re.search(r'hx-get="(/clients/7c/entries/[^"]+)"', english)
    assert why is not None
    assert "t1" in (await browser.get(why[1].replace("&amp;", "&"))).text
    chart = (await browser.get("/clients/7c/chart.json")).json()
    assert [row["points"] for row in chart["points"]] == ["100.50"]
    assert chart["tiers"][0] == {"from": "2024-03-01", "level": 0}


async def test_a_clients_page_shows_what_ends_what_is_held_and_the_professional_status(
    browser: httpx.AsyncClient, world: World, bearer: Callable[..., dict[str, str]]
) -> None:

    async def seen() -> tuple[str, str]:
        english = (await browser.get("/clients/7c")).text
        return english, (await browser.get("/clients/7c", headers={"accept-language": "zh-CN"})).text

    own = Actor("app/7c", Role.CLIENT, client_id="7c")
    agent, manager = (
        Actor(name, role, branch_id="B7", purpose="service")
        for name, role in (("desk-1", Role.AGENT), ("manager-1", Role.BRANCH_MANAGER))
    )
    day = business_date(utc_now()) - timedelta(days=3)  # what is older than two years has ended
    recent = trade(
        trade_id="t2", commission="1000", trade_date=day.isoformat(), settled_at=f"{day.isoformat()}T15:00:00+08:00"
    )
    await browser.post("/v1/events", json=event("broker.trade.settled", recent, 3), headers=bearer(Role.SYSTEM) | MEDIA)
    await world.settle()
    async with world.client("points", own) as http:
        redeemed = await http.post(
            "/v1/points/clients/7c/redemptions",
            json={"reward": "SMS1", "quantity": 1},
            headers={"idempotency-key": "k-1"},
        )
    assert redeemed.status_code == 201, redeemed.text
    english, chinese = await seen()  # held until the products service has answered
    assert ("Held for" in english, "SMS1" in english, "冻结事由" in chinese) == (True, True, True)
    async with world.client("suitability", agent) as http:
        body = {"professional_class": "B", "items": PROVEN, "proof": "assets-2026"}
        asked = await http.post(
            "/v1/suitability/clients/7c/professional", json=body, headers={"idempotency-key": "k-2"}
        )
    assert asked.status_code == 201, asked.text
    async with world.client("suitability", manager) as http:
        path = f"/v1/suitability/professionals/{asked.json()['request_id']}/decision"
        assert (await http.post(path, json={"approve": True})).status_code == 200
    await world.settle()
    english, chinese = await seen()
    for words in ("When points end", "Usable until", "Professional investor B"):
        assert words in english
    for words in ("积分到期", "可用至", "专业投资者 B"):
        assert words in chinese


async def test_clients_are_found_by_number_and_listed_by_tier(browser: httpx.AsyncClient) -> None:
    found = await browser.get("/clients", params={"client": " 7c ", "purpose": "review"})
    assert found.headers["location"] == "/clients/7c?purpose=review"
    assert "7c" in (await browser.get("/clients", params={"tier": "NORMAL"})).text
    assert "Nobody fits." in (await browser.get("/clients", params={"tier": "GOLD"})).text


async def test_a_visitors_purpose_is_recorded(browser: httpx.AsyncClient, world: World) -> None:
    await browser.get("/clients/7c", params={"purpose": "complaint"})
    purposes = await world.rows("points", "SELECT DISTINCT inputs ->> 'purpose' AS p FROM audit WHERE action = 'read'")
    assert [row["p"] for row in purposes] == ["console: complaint"]


async def test_signing_in_with_a_password_and_out_again(app: FastAPI, world: World) -> None:
    admin = Actor("os:root", Role.OPERATIONS)
    await add_user(world.database("gateway"), admin, "wang", "long enough", Role.HQ)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as browser:
        form = {"name": "wang", "password": "no", "next": "/clients"}
        wrong = await browser.post("/sign-in", data=form)
        assert (wrong.status_code, "Name or password is wrong" in wrong.text) == (401, True)
        foreign = await browser.post("/sign-in", data=form, headers={"origin": "http://evil.test"})
        assert foreign.status_code == 403
        right = await browser.post("/sign-in", data=form | {"password": "long enough", "next": "//evil.test"})
        assert (right.status_code, right.headers["location"]) == (303, "/")
        page = await browser.get("/clients")
        csrf = re.search(r'"X-CSRF-Token": "(\w+)"', page.text)
        assert csrf is not None
        assert (await browser.post("/language/zh-CN", headers={"x-csrf-token": csrf[1]})).status_code == 200
        assert "客户号" in (await browser.get("/clients")).text
        await browser.post("/sign-out", headers={"x-csrf-token": csrf[1]})
        assert (await browser.get("/clients")).status_code == 303


async def test_sign_in_is_slow_for_who_tries_often(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as browser:
        tries = [(await browser.get("/sign-in/link?token=guess")).status_code for _ in range(12)]
    assert tries[:10] == [401] * 10
    assert tries[-1] == 429


def test_every_word_of_the_pages_has_its_chinese() -> None:
    words = set()
    for template in CONSOLE.rglob("*.html"):
        words |= set(re.findall(r'_\("([^"]+)"\)', template.read_text()))
    assert sorted(words - set(CHINESE_WORDS)) == []
    assert [word for word, chinese in CHINESE_WORDS.items() if not re.search(r"[\u4e00-\u9fff]", chinese)] == []


def test_every_field_of_a_form_has_its_name_in_both_languages() -> None:
    asked = [
        *(do for table in TABLES for do in table.values()),
        *(of_service("points", act) for act in IN_EVERY_SERVICE),
    ]
    known = operations()
    assert sorted({do.operation for do in asked} - known.keys()) == []
    fields = {field.name for do in asked for field in form_for(known[do.operation], do, {}).fields}
    assert sorted(fields - FIELDS.keys()) == []


def test_every_column_of_a_table_has_its_name_in_both_languages() -> None:
    columns = {name for section in (*compliance.SECTIONS, *access.SECTIONS) for name in section.columns}
    columns |= {*callbacks.EXPORTED, *complaints.EXPORTED}
    for template in CONSOLE.rglob("*.html"):
        for names in re.findall(r"rows_table\([^(]*\(([^)]*)\)", template.read_text()):
            columns |= set(re.findall(r'"(\w+)"', names))
    assert sorted(columns - FIELDS.keys()) == []


def test_own_scripts_and_styles_name_no_host() -> None:
    for file in [*STATIC.glob("*.js"), *STATIC.glob("*.css"), *CONSOLE.rglob("*.html")]:
        assert "://" not in file.read_text(), file
    for folder in (STATIC / "vendor").iterdir():
        assert folder.name == "README.md" or (folder / "LICENSE.txt").exists()


def test_balances_are_reckoned_back_from_now() -> None:
    from decimal import Decimal

    entries = [
        {"posted_on": "2024-03-05", "points": "-5.00"},
        {"posted_on": "2024-03-04", "points": "20.00"},
        {"posted_on": "2024-03-04", "points": "10.00"},
    ]
    assert balances_over_time(Decimal("25.00"), entries) == [
        {"on": "2024-03-04", "points": "30.00"},
        {"on": "2024-03-05", "points": "25.00"},
    ]
