"""Policy in the console: a table as a form, tried in shadow, proposed by one person and published by another."""

from datetime import timedelta

import pytest

from gateway.console.policies.editing import leaves, with_typed
from tests.console.office import ANNA, CENTRE, MONDAY, SECOND, Office

NEW = str(MONDAY + timedelta(days=365 * 3))


async def test_a_change_is_tried_proposed_and_published_by_two_persons(office: Office) -> None:
    async with office.person(CENTRE) as centre, office.person(SECOND, "zh-CN") as second, office.person(ANNA) as anna:
        tables = await centre.see("/policies")
        assert (tables.status, tables.headings, tables.mains) == (200, 1, 1)
        page = await centre.see("/policies/callbacks/calling")
        assert [one.name for one in page.acts] == ["try", "propose"]
        assert [one.name for one in (await anna.see("/policies/callbacks/calling")).acts] == []
        form = page.act("propose").form
        assert form is not None
        assert form.fields["b:/attempts"] == "4"
        wrong = await centre.send(
            form, **{"b:/attempts": "many", "_what": "propose", "effective_on": NEW, "reason": "too few"}
        )
        assert wrong.status == 422
        assert wrong.forms[0].fields["b:/attempts"] == "many"
        assert wrong.forms[0].fields["reason"] == "too few"
        made = await centre.send(wrong.forms[0], **{"b:/attempts": "5", "_what": "propose"})
        place = made.answer.headers["hx-redirect"]
        own = await centre.see(place)
        assert "/attempts" in own.answer.text
        alone = await centre.do(own, "publish")
        assert alone.status in (403, 409)
        draft = await second.see(place)
        assert place in (await second.see("/policies")).answer.text
        done = await second.do(draft, "publish")
        assert 'data-state="published"' in done.answer.text
        again = await centre.send(wrong.forms[0], **{"b:/attempts": "5", "_what": "propose"})  # the same key: once
        assert again.answer.headers["hx-redirect"] == place


async def test_a_shadow_run_says_who_would_move(office: Office) -> None:
    async with office.person(CENTRE) as centre:
        page = await centre.see("/policies/classification/tiers")
        form = page.act("try").form
        assert form is not None
        tried = await centre.send(form, _what="try")
        assert tried.status == 200, tried.answer.text
        assert "Nobody would move." in tried.answer.text
        none = await centre.see("/policies/callbacks/calling")
        refused = await centre.send(none.forms[0], _what="try")
        assert refused.status == 409  # nothing of callbacks runs in shadow


async def test_a_table_that_is_none_is_not_there(office: Office) -> None:
    async with office.person(CENTRE) as centre:
        for path in ("/policies/callbacks/nothing", "/policies/nobody/calling", "/policies/callbacks/calling/99"):
            assert (await centre.see(path)).status == 404, path


@pytest.mark.parametrize(
    ("typed", "body"),
    [
        ({}, {"a": [{"b": 1}, {"b": 2}], "c": "x", "d": True}),
        ({"b:/a/1/b": "3", "b:/c": "1"}, {"a": [{"b": 1}, {"b": 3}], "c": "1", "d": True}),
        ({"b:/d": "false", "b:/a/0/b": "much"}, {"a": [{"b": "much"}, {"b": 2}], "c": "x", "d": False}),
    ],
)
def test_what_is_typed_goes_where_it_stands(typed: dict[str, str], body: object) -> None:
    before = {"a": [{"b": 1}, {"b": 2}], "c": "x", "d": True}
    assert with_typed(before, typed) == body
    assert [leaf.pointer for leaf in leaves(before)] == ["/a/0/b", "/a/1/b", "/c", "/d"]
