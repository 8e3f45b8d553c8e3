"""Callbacks in the console: from Next to completed, lists, claims, the wall."""

import re
from pathlib import Path

import services.callbacks.policy
import services.callbacks.scripts
from gateway.console.callbacks import pages
from gateway.console.words import CHINESE_WORDS
from services.callbacks.acts import ACTS
from tests.callbacks.desk import TRAINED
from tests.console.office import ANNA, BEN, DIRECTOR, FRIDAY, Office

ANSWERS = {f"t0.a.{code}": value for code, value in TRAINED.items()}
TEN = f"{FRIDAY}T10:00"


async def test_a_callback_goes_from_next_to_completed(office: Office) -> None:
    async with office.person(ANNA) as anna:
        empty = await anna.see("/callbacks/next")
        assert (empty.headings, empty.mains) == (1, 1)
        page = await anna.do(empty, "next")
        for words in ("The account was opened", "Please confirm your name", "Other callbacks"):
            assert (words.lower() in page.answer.text.lower()) is (words != "Other callbacks"), words
        assert "王芳" not in page.answer.text
        contact = await anna.http.get(page.act("reveal").opens or "", headers={"hx-request": "true"})
        assert "13" in contact.text
        assert "in full" not in contact.text

        unsaid = await anna.do(page, "outcome", **{"t0.outcome": "completed", "at": TEN, "notes": "spoke slowly"})
        assert unsaid.status == 422
        unproved = await anna.send(unsaid.forms[0], **ANSWERS)
        assert (unproved.status, unproved.forms[0].fields["notes"]) == (422, "spoke slowly")
        assert unproved.forms[0].fields["t0.a.risk"] == "yes"
        unheard = await anna.send(unproved.forms[0], recording="REC-1", **{"t0.a.operated": ""})
        assert unheard.status == 422
        assert "t0.a.operated" in unheard.forms[0].wrong, unheard.answer.text[:1500]
        done = await anna.send(unheard.forms[0], **ANSWERS)
        assert done.answer.headers["hx-redirect"] == "/callbacks/next"
        again = await anna.send(unheard.forms[0], **ANSWERS)  # the same key: the same call
        assert again.status == 200
    kept = await office.world.rows("callbacks", "SELECT outcome, notes FROM attempts")
    assert kept == [{"outcome": "completed", "notes": "spoke slowly"}]


async def test_a_list_is_filtered_and_claimed_from_once(office: Office) -> None:
    async with office.person(ANNA) as anna, office.person(BEN, "zh-CN") as ben:
        page = await anna.see("/callbacks?state=planned&topic=new_client")
        assert (page.headings, page.status) == (1, 200)
        offered = [one for one in page.acts if one.name == "claim"]
        assert offered
        seen = await ben.see("/callbacks?state=planned&topic=new_client")
        assert "新客户" in seen.answer.text
        taken = await anna.do(page, "claim")
        assert taken.status == 200
        late = await ben.do(seen, "claim")
        assert late.status == 409
        assert "anna" in late.answer.text
        mine = await anna.see("/callbacks?holder=me")
        task = next(link for link in mine.links if link.startswith("/callbacks/") and link.count("-") == 4)
        other = await ben.see(task)
        assert "outcome" not in [one.name for one in other.acts]
        call = await anna.see(task)
        assert {"attempt", "release", "outcome"} <= {one.name for one in call.acts}
        assert (await anna.do(call, "attempt")).status == 200
        back = await anna.do(await anna.see(task), "release", reason="wrong branch")
        assert "Done." in back.answer.text
        assert "outcome" not in [one.name for one in back.acts]


async def test_the_wall_is_for_who_leads(office: Office) -> None:
    async with office.person(ANNA) as anna, office.person(DIRECTOR) as director:
        assert (await anna.see("/callbacks/wall")).status == 403
        wall = await director.see("/callbacks/wall")
        assert (wall.status, wall.headings) == (200, 1)
        assert "new client" in wall.answer.text
        assert (await director.see("/callbacks/00000000-0000-0000-0000-000000000000")).status == 404


def test_every_code_a_callback_shows_has_its_chinese() -> None:
    policies = services.callbacks.policy.Policies
    triggers = policies.tables["triggers"].shipped[-1].written["rows"]
    words = {*pages.STATES, *pages.TOPICS, *(f"queue {one}" for one in pages.QUEUES), *ACTS.table}
    words |= {f"rule {row['rule']}" for row in triggers} | {row["topic"] for row in triggers}
    words |= {f"queue {row['queue']}" for row in triggers}
    scripts = Path(services.callbacks.scripts.__file__).with_suffix(".toml").read_text("utf-8")
    for line in re.findall(r"choices = \[([^]]*)\]", scripts):
        words |= {one.strip(' "') for one in line.split(",")}
    assert sorted(words - CHINESE_WORDS.keys()) == []
