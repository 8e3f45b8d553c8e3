"""The rules of messages by table: parts, words, ways, hours, caps, replies."""

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.calendar import shipped
from chassis.clock import at
from chassis.policy import PolicyInvalid
from services.messaging.numbers import mailbox, mobile
from services.messaging.policy import Cap, ClassTerms, Policies, parse_filings, parse_sending, parse_templates
from services.messaging.rules import (
    Asked,
    Recipient,
    Sent,
    Terms,
    Verdict,
    judge,
    sms_parts,
    sms_units,
)
from services.messaging.texts import command_of, sms_text

DAY = date(2026, 6, 3)
SENDING = Policies().sending.on(DAY).body
TEMPLATES = Policies().templates.on(DAY).body
CALENDAR = shipped()
WHO = Recipient(addresses={"sms": "n1", "email": "e1", "app": "a1"})


def terms(message_class: str) -> Terms:
    return Terms(
        SENDING.classes[message_class], SENDING.quiet_hours, SENDING.marketing_span, SENDING.optional,
        timedelta(hours=1), {name: way.channel for name, way in SENDING.ways.items()}, CALENDAR.is_working_day,
    )  # fmt: skip


def verdict(
    message_class: str = "NOTICE",
    who: Recipient = WHO,
    now: datetime = at(DAY, 12),
    ways: tuple[str, ...] | None = ("own", "email", "app"),
    sent: dict[str, Sent] | None = None,
    **more: object,
) -> Verdict:
    given = {"not_before": None, "not_after": now + timedelta(days=30)} | more
    return judge(Asked(message_class, ways, **given), who, sent or {}, terms(message_class), now)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "parts"),
    [("国" * 70, 1), ("国" * 71, 2), ("国" * 134, 2), ("国" * 135, 3), ("", 1), ("a" * 160, 1), ("a" * 161, 2),
     ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2), ("a" * 69 + "国", 1), ("😀" * 35, 1), ("😀" * 36, 2)],
)  # fmt: skip
def test_the_parts_of_an_sms(text: str, parts: int) -> None:
    assert sms_parts(text) == parts


@given(st.text(max_size=400))
def test_parts_are_enough_and_none_is_idle(text: str) -> None:
    units, gsm = sms_units(text)
    each, alone = (153, 160) if gsm else (67, 70)
    parts = sms_parts(text)
    assert units <= (alone if parts == 1 else parts * each)
    assert parts == 1 or units > (parts - 1) * each or units > alone


@given(st.text(max_size=100))
def test_an_sms_begins_with_the_signature_and_holds_nothing_carriers_cannot_carry(body: str) -> None:
    text = sms_text("客户服务", body)
    assert text.startswith("【客户服务】")
    assert all(ord(character) < 0x10000 for character in text)


def test_a_family_of_emoji_leaves_nothing_behind() -> None:
    assert sms_text("某某证券", "您好👨‍👩‍👧‍👦！❤️") == "【某某证券】您好！❤"
    assert sms_text("某某证券", "讲座周三。", marketing=True) == "【某某证券】讲座周三，拒收请回复R"


@pytest.mark.parametrize(
    ("words", "command"),
    [("ｔ ｄ", "STOP"), ("T", "STOP"), ("td", "STOP"), ("Ｒ", "STOP"), ("n ", "STOP"), ("退 订", "STOP"), ("退订！", "STOP"),
     ("T1", "SMS1"), ("ｔ２", "SMS2"), (" t 3 。", "SMS3"), ("。", "OTHER"), ("", "OTHER"), ("T4", "OTHER"), ("谢谢", "OTHER")],
)  # fmt: skip
def test_replies_in_any_spelling(words: str, command: str) -> None:
    assert command_of(words) == command


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("保 本 收益", ["保本"]),
        ("稳-赚", ["稳赚"]),
        ("ＲＩＳＫ free", ["risk-free"]),
        ("您的保证金", []),
        ("稳赚不赔", ["稳赚", "稳赚不赔"]),
    ],
)
def test_forbidden_words_are_found_however_they_are_spelt(text: str, hits: list[str]) -> None:
    assert TEMPLATES.words.forbidden.hits(text) == hits


@pytest.mark.parametrize(
    ("number", "plain"),
    [("138 0013 8000", "13800138000"), ("+8613800138000", "13800138000"), ("００８６－１３８００１３８０００", "13800138000"),
     ("+85291234567", "+85291234567"), ("0044 7911 123456", "+447911123456"), ("12345", None), ("021-55555555", None),
     ("+8612345", None), ("n/a", None)],
)  # fmt: skip
def test_numbers_an_sms_can_go_to(number: str, plain: str | None) -> None:
    assert mobile(number) == plain


@pytest.mark.parametrize(
    ("address", "one"),
    [("wang@example.com", True), ("victim@a.cn, other@b.cn", False), ("a@b.cn\r\nBcc: c@d.cn", False), ("a b@c.cn", False),
     ("<a@b.cn>", False), ("a@b", False), ("a@b.cn;c@d.cn", False), ("x" * 200 + "@a.cn", False)],
)  # fmt: skip
def test_a_mail_goes_to_one_address(address: str, one: bool) -> None:
    assert (mailbox(address) is not None) is one


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (verdict(), Verdict("go", way="own")),
        (verdict(ways=None), Verdict("suppressed", "no_template")),
        (verdict(ways=()), Verdict("suppressed", "no_way")),
        (verdict(who=Recipient(known=False)), Verdict("wait", "client_unknown", until=at(DAY, 13))),
        (verdict(who=Recipient(closed=True)), Verdict("suppressed", "account_closed")),
        (verdict(who=Recipient(addresses={"email": "e1"})), Verdict("go", way="email")),
        (verdict(who=Recipient(addresses={"sms": "n1"}, failed=["sms"])), Verdict("suppressed", "address_failed")),
        (verdict(who=Recipient()), Verdict("suppressed", "no_address")),
        (verdict(who=Recipient(addresses={"sms": "n", "app": "a"}, refused=["sms"])), Verdict("go", way="app")),
        (verdict(who=Recipient(addresses={"sms": "n"}, refused=["sms"])), Verdict("go", way="own")),
        (verdict("CARE", Recipient(addresses={"sms": "n"}, refused=["sms"])), Verdict("suppressed", "channel_refused")),
        (verdict("CARE", Recipient(addresses={"sms": "n"}, stopped=["*"])), Verdict("suppressed", "opted_out")),
        (verdict("NOTICE", Recipient(addresses={"sms": "n"}, stopped=["*"])), Verdict("go", way="own")),
        (verdict("CARE", Recipient(addresses={"sms": "n", "email": "e"}, number_stopped=True)), Verdict("go", way="email")),
        (verdict("MARKETING"), Verdict("suppressed", "no_consent")),
        (verdict("SUBSCRIBED", ways=("cloud",)), Verdict("suppressed", "no_way")),
        (verdict(not_after=at(DAY, 12)), Verdict("expired", "not_after")),
        (verdict(not_before=at(DAY, 15)), Verdict("wait", "not_before", until=at(DAY, 15))),
        (verdict(not_before=at(DAY, 15), not_after=at(DAY, 14)), Verdict("expired", "not_before")),
    ],
)  # fmt: skip
def test_whether_a_message_goes(case: Verdict, expected: Verdict) -> None:
    assert case == expected


AGREED = Recipient(addresses={"sms": "n1"}, consented=True)
NEXT = DAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("message_class", "now", "until"),
    [
        ("NOTICE", at(DAY, 20, 59), None),
        ("NOTICE", at(DAY, 21), at(NEXT, 8, 30)),
        ("NOTICE", at(DAY, 3), at(DAY, 8, 30)),
        ("NOTICE", at(DAY, 8, 30), None),
        ("VERIFY", at(DAY, 3), None),
        ("MARKETING", at(DAY, 8, 45), at(DAY, 9)),
        ("MARKETING", at(DAY, 20), at(NEXT, 9)),
        ("MARKETING", at(date(2026, 6, 5), 20), at(date(2026, 6, 8), 9)),  # a Friday evening
        ("MARKETING", at(date(2026, 10, 1), 10), at(date(2026, 10, 8), 9)),  # the national holidays
        ("MARKETING", at(date(2026, 10, 10), 10), None),  # a Saturday that is worked
        ("NOTICE", at(date(2026, 10, 1), 10), None),
    ],
)
def test_hours(message_class: str, now: datetime, until: datetime | None) -> None:
    found = verdict(message_class, AGREED, now, ("own",))
    assert (found.outcome, found.until) == (("go", None) if until is None else ("wait", until))


def test_a_market_shock_wakes_people_and_clients_have_hours_of_their_own() -> None:
    assert verdict(now=at(DAY, 3), shock=True).outcome == "go"
    early = Recipient(addresses={"sms": "n1"}, hours=(time(18), time(20)))
    assert verdict(who=early).until == at(DAY, 18)
    assert verdict(who=early, now=at(DAY, 20)).until == at(NEXT, 18)
    never = Recipient(addresses={"sms": "n1"}, hours=(time(22), time(23)))
    assert verdict(who=never).outcome == "expired"


@pytest.mark.parametrize(
    ("message_class", "minutes_ago", "until"),
    [
        ("VERIFY", [0], 1),
        ("VERIFY", [1], None),
        ("VERIFY", [50, 40, 30, 20, 10], 10),
        ("NOTICE", [5] * 19, None),
        ("NOTICE", [5] * 20, 1435),
        ("MARKETING", [1439], 1),
    ],
)
def test_caps_are_rolling(message_class: str, minutes_ago: list[int], until: int | None) -> None:
    now = at(DAY, 12)
    sent = {"n1": Sent([now - timedelta(minutes=ago) for ago in minutes_ago])}
    found = verdict(message_class, AGREED, now, ("own",), sent)
    if until is None:
        assert found == Verdict("go", way="own")
    else:
        assert (found.reason, found.until) == ("cap", now + timedelta(minutes=until))


def test_what_a_client_need_not_get_is_capped_over_all_classes() -> None:
    now = at(DAY, 12)
    twice = {"n1": Sent(optional=[now - timedelta(days=3), now - timedelta(days=10)])}
    assert verdict("CARE", AGREED, now, ("own",), twice).until == now + timedelta(days=20)
    assert verdict("CARE", AGREED, now, ("own",), twice, required=True).outcome == "go"
    assert verdict("NOTICE", AGREED, now, ("own",), twice).outcome == "go"


@given(st.lists(st.integers(0, 3000), max_size=30), st.integers(1, 5), st.integers(1, 2000))
def test_a_cap_is_never_exceeded_and_never_waits_too_long(minutes: list[int], count: int, span: int) -> None:
    """Whoever waits as told finds fewer than the cap in the span; a minute earlier they would not."""
    now = at(DAY, 12)
    own = Terms(
        ClassTerms(("own",), 10, quiet=False, caps=(Cap(count, span),)), SENDING.quiet_hours, SENDING.marketing_span,
        SENDING.optional, timedelta(hours=1), {"own": "sms"}, lambda _: True,
    )  # fmt: skip
    before = [now - timedelta(minutes=one) for one in minutes]
    asked = Asked("NOTICE", ("own",), None, now + timedelta(days=400))
    found = judge(asked, WHO, {"n1": Sent(before)}, own, now)
    goes = found.until or now

    def recent(then: datetime) -> int:
        return sum(at > then - timedelta(minutes=span) for at in before)

    assert recent(goes) < count
    assert found.until is None or recent(goes - timedelta(seconds=1)) >= count


BOOK = Policies.templates.shipped[0].written


def changed(kind: str, **said: object) -> dict[str, object]:
    return {**BOOK, "kinds": {**BOOK["kinds"], kind: {**BOOK["kinds"].get(kind, {}), **said}}}


def test_kinds_a_version_does_not_name_are_as_shipped() -> None:
    """What a newer program asks for has words also where the firm published its templates before."""
    few = {**BOOK, "kinds": {"account_notice": BOOK["kinds"]["account_notice"]}}
    kinds = parse_templates(few).kinds
    assert kinds.keys() == Policies.templates.shipped[0].body.kinds.keys()


def test_a_version_that_held_when_it_was_published_is_read_though_new_ones_have_to_do_more() -> None:
    body = changed("birthday", ways=["wecom"], zh={"subject": "通知", "body": "国" * 683})
    with pytest.raises(PolicyInvalid):
        parse_templates(dict(body))
    kept = Policies.templates.version("", 1, DAY, dict(body)).body
    assert kept.kinds["birthday"].zh.body == "国" * 683
    with pytest.raises(PolicyInvalid):
        Policies.templates.version("", 1, DAY, {"kinds": 7})


ZH = {"subject": "通知", "body": "您好"}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (changed("birthday", zh=ZH | {"body": "稳 赚 不 赔"}), "/body/kinds/birthday/zh"),
        (changed("birthday", zh=ZH | {"body": "黑马"}), "/body/kinds/birthday/zh"),
        (changed("birthday", passed={"保本": "a capital-protected fund's name"}), "/body/kinds/birthday/passed"),
        (changed("account_notice", zh=ZH | {"body": "{text}目标价"}), "/body/kinds/account_notice/zh"),
        (changed("account_notice", zh=ZH | {"body": "{text}600519"}), "/body/kinds/account_notice/zh"),
        (changed("account_notice", fields={"text": {"type": "security", "longest": 9}}), "/body/kinds/account_notice/fields"),
        (changed("account_notice", fields={"text": {"type": "text", "longest": 200}}), "/body/kinds/account_notice/zh"),
        (changed("register_made", zh=ZH | {"body": "{unit}" * 33}), "/body/kinds/register_made/zh"),  # parts of an SMS
        (changed("birthday", ways=["wecom"], zh=ZH | {"body": "国" * 683}), "/body/kinds/birthday/zh"),
        (changed("birthday", ways=["wecom"], zh=ZH | {"body": "{name}" * 57}), "/body/kinds/birthday/zh"),
        (changed("birthday", zh=ZH | {"body": "{nobody}"}), "/body/kinds/birthday/zh"),
        (changed("invitation", fields={"text": {"type": "text", "longest": 9}}), "/body/kinds/invitation/fields"),
        (changed("birthday", message_class="ELSE"), "/body/kinds"),
    ],
)  # fmt: skip
def test_templates_that_do_not_hold_are_refused_where_they_fail(body: dict[str, object], where: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        parse_templates(dict(body))
    assert refused.value.errors[0].pointer.startswith(where)


def test_compliance_may_pass_a_word_with_a_reason() -> None:
    book = parse_templates(changed("birthday", zh=ZH | {"body": "黑马"}, passed={"黑马": "the name of a club"}))
    assert book.kinds["birthday"].passed == {"黑马": "the name of a club"}


def test_policies_that_do_not_hold_are_refused() -> None:
    sending, filings = Policies.sending.shipped[0].written, Policies.filings.shipped[0].written

    def capped(*caps: dict[str, int]) -> dict[str, Any]:
        return {**sending["classes"], "NOTICE": {**sending["classes"]["NOTICE"], "caps": list(caps)}}

    parse_sending({**sending, "classes": capped({"count": 50, "minutes": 1440})})
    parse_templates(changed("birthday", ways=["wecom"], zh=ZH | {"body": "国" * 682}))
    for body in (
        {**sending, "quiet": ["21:00", "21:00"]},
        {**sending, "marketing_hours": ["20:00", "09:00"]},
        {**sending, "quiet": ["25:00", "08:30"]},
        {**sending, "classes": {**sending["classes"], "MARKETING": {"ways": ["cloud"], "lifetime_minutes": 5}}},
        {**sending, "classes": {"NOTICE": sending["classes"]["NOTICE"]}},
        # More than a provider takes of one template: by the day, or by the hour of each day.
        {**sending, "classes": capped({"count": 51, "minutes": 1440})},
        {**sending, "classes": capped({"count": 3, "minutes": 60})},
        {**sending, "classes": capped()},
    ):
        with pytest.raises(PolicyInvalid):
            parse_sending(dict(body))
    twice = {"way": "own", "text": "某某证券", "state": "approved"}
    with pytest.raises(PolicyInvalid):
        parse_filings({**filings, "signatures": [twice, twice]})
    found = parse_filings({"signatures": [twice | {"state": "filed"}], "templates": [], "templates_filed": ["cloud"]})
    assert (found.signature("own"), found.allows("verify", "cloud"), found.allows("verify", "own")) == (
        None,
        False,
        True,
    )


def test_what_stands_in_a_field_is_never_a_blank() -> None:
    wording = TEMPLATES.kinds["account_notice"].zh
    _, body = wording.filled({"name": "{hotline}{}", "text": "{name}", "hotline": "1"})
    assert body == "尊敬的{hotline}{}：{name}。服务热线1。"
    with pytest.raises(KeyError, match="hotline"):
        wording.filled({"name": "x", "text": "y"})
