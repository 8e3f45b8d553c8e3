"""Messages asked for: once, judged at once, by REST and by event; what speaks against one is said."""

from datetime import timedelta
from uuid import uuid4

from chassis.clock import at, business_date, utc_now
from contracts import broker
from contracts.callbacks import MessageRequested
from contracts.messaging import message_id
from services.messaging.judging import judge_many
from services.messaging.tables import MessageRow
from tests.messaging.desk import DESK, ELSEWHERE, EMAIL, HEAD, HQ, NAME, SYSTEM, Desk, client

NOON = at(business_date(utc_now()), 12)
NIGHT = at(business_date(utc_now()), 23)


async def test_the_same_kind_client_and_period_is_the_same_message(desk: Desk) -> None:
    who = await desk.open(name=NAME)
    first = await desk.notice(who)
    again = await desk.notice(who, status=200, fields={"text": "别的"})
    assert first["message_id"] == again["message_id"] == str(message_id("account_notice", who, "p1"))
    other = await desk.notice(who, "p2")
    assert other["message_id"] != first["message_id"]
    assert first["state"] in ("queued", "planned")  # by the hour this test runs at
    assert await desk.world.value("messaging", "SELECT count(*) FROM messages WHERE client_id = $1", who) == 2


async def test_what_cannot_be_asked_for_is_refused(desk: Desk) -> None:
    who = await desk.open()
    body = {"kind": "account_notice", "client_id": who, "period": "p", "fields": {"text": "x"}}
    for wrong, where in (
        ({"kind": "nothing"}, "/kind"),
        ({"fields": {}}, "/fields/text"),
        ({"fields": {"text": "长" * 121}}, "/fields/text"),
        ({"fields": {"text": "x", "more": "y"}}, "/fields/more"),
        ({"not_before": "2026-06-03T10:00:00+08:00", "not_after": "2026-06-03T09:00:00+08:00"}, "/not_after"),
    ):
        refused = await desk.call(SYSTEM, "POST", "/messages", body | wrong)
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"][0]["pointer"] == where
    assert (await desk.call(SYSTEM, "POST", "/messages", body | {"client_id": "nobody"})).status_code == 404
    assert (await desk.call(ELSEWHERE, "POST", "/messages", body)).status_code == 404
    assert (await desk.call(client(who), "POST", "/messages", body)).status_code == 403
    code = {"kind": "verify", "client_id": who, "period": "1", "fields": {"code": "123456"}}
    assert (await desk.call(HQ, "POST", "/messages", code)).status_code == 403
    assert (await desk.call(SYSTEM, "POST", "/messages", code)).json()["state"] == "queued"
    # Word of a market shock goes at any hour; a branch does not say what is one.
    shock = body | {"shock": True}
    assert (await desk.call(HEAD, "POST", "/messages", shock)).status_code == 403
    assert (await desk.call(HQ, "POST", "/messages", shock)).json()["state"] == "queued"
    greeting = {"kind": "birthday", "client_id": who, "period": "2026", "fields": {}, "shock": True}
    refused = await desk.call(HQ, "POST", "/messages", greeting)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/shock")


async def test_every_message_kept_back_says_why(desk: Desk) -> None:
    who = await desk.open()
    assert await desk.notice(who, "promise", fields={"text": "保 本 理财"}) | {"message_id": ""} == {
        "message_id": "", "state": "suppressed", "why": "forbidden_word",
    }  # fmt: skip
    assert (await desk.ask(who, "invitation", NOON)).reason == "no_consent"
    gone = await desk.open(phone=None)
    assert (await desk.ask(gone, "opt_out_confirmed", NOON)).reason == "no_address"
    await desk.world.publish(broker.ClientClosed(client_id=who, closed_on=business_date(utc_now())))
    await desk.world.settle()
    assert (await desk.notice(who, "late"))["why"] == "account_closed"
    told = [(one["kind"], one["state"], one.get("reason")) for one in await desk.told("messaging.message.changed")]
    assert ("invitation", "suppressed", "no_consent") in told
    assert ("account_notice", "suppressed", "forbidden_word") in told


async def test_an_account_that_closes_ends_what_waits(desk: Desk) -> None:
    who = await desk.open()
    waiting = await desk.ask(who, "account_notice", NIGHT, fields={"text": "x"})
    assert (waiting.state, waiting.reason) == ("planned", "quiet_hours")
    assert waiting.due_at == at(business_date(NIGHT) + timedelta(days=1), 8, 30)
    await desk.world.publish(broker.ClientClosed(client_id=who, closed_on=business_date(utc_now())))
    await desk.world.settle()
    ended = await desk.message(waiting.message_id)
    assert (ended.state, ended.reason) == ("suppressed", "account_closed")


async def test_services_ask_by_event_before_the_client_is_known(desk: Desk) -> None:
    request, day = uuid4(), business_date(utc_now())
    await desk.world.publish(
        MessageRequested(
            request_id=request, client_id="c-late", kind="welcome", cause="2026-01-05", asked_at=NOON,
            not_after=NOON + timedelta(days=14),
        ),
        MessageRequested(
            request_id=uuid4(), client_id="c-late", kind="unheard_of", cause="x", asked_at=NOON,
            not_after=NOON + timedelta(days=14),
        ),
        MessageRequested(
            request_id=uuid4(), client_id="c-late", kind="e_survey", cause="x", asked_at=NOON, fields={"no": "x"},
            not_after=NOON + timedelta(days=14),
        ),
    )  # fmt: skip
    await desk.world.settle()
    welcome = await desk.message(message_id("welcome", "c-late", "2026-01-05"))
    assert (welcome.state, welcome.reason, welcome.asked_by) == ("planned", "client_unknown", "callbacks")
    assert (await desk.message(message_id("unheard_of", "c-late", "x"))).reason == "no_template"
    assert (await desk.message(message_id("e_survey", "c-late", "x"))).reason == "wrong_fields"
    told = [one for one in await desk.told("messaging.message.changed") if one.get("client_id") == "c-late"]
    assert {one["reason"] for one in told} == {"no_template", "wrong_fields"}
    await desk.world.publish(
        broker.ClientOpened(client_id="c-late", branch_id="B1", opened_on=day, phone="13700137000")
    )
    await desk.world.settle()
    assert (await desk.message(welcome.message_id)).due_at <= utc_now() + timedelta(minutes=1)


async def test_fields_are_encrypted_and_addresses_have_tokens(desk: Desk) -> None:
    one = await desk.open(phone="13600136000", email=EMAIL)
    two = await desk.open(phone="+86 136 0013 6000")
    asked = await desk.notice(one, fields={"text": "验证绝密内容"})
    stored = await desk.world.value(
        "messaging", "SELECT fields FROM messages WHERE message_id = $1", asked["message_id"]
    )
    assert stored.startswith(b"sealed:")
    tokens = await desk.world.rows(
        "messaging",
        "SELECT phone_token, email_token FROM clients WHERE client_id = ANY($1::text[]) ORDER BY 1",
        [one, two],
    )
    assert tokens[0]["phone_token"] == tokens[1]["phone_token"] != tokens[0]["email_token"]


async def test_preferences_are_the_clients_and_staffs_with_evidence(desk: Desk) -> None:
    who = await desk.open(email=EMAIL)
    path = f"/clients/{who}/preferences"
    assert await desk.ok(client(who), "GET", path) == {
        "client_id": who, "language": "zh-CN", "refused": [], "hours": None, "consents": [],
    }  # fmt: skip
    wishes = {
        "language": "en", "refused": ["sms"], "hours": {"since": "10:00", "until": "18:00"},
        "consents": [{"message_class": "MARKETING", "allowed": True, "wording": "v3"}],
    }  # fmt: skip
    found = await desk.ok(client(who), "PUT", path, wishes)
    assert (found["language"], found["refused"], found["hours"]) == (
        "en",
        ["sms"],
        {"since": "10:00", "until": "18:00"},
    )
    [agreed] = found["consents"]
    assert (agreed["how"], agreed["recorded_by"], agreed["wording"]) == ("self", who, "v3")
    assert (await desk.call(DESK, "PUT", path, {"language": "zh-CN"})).status_code == 422
    later = await desk.ok(DESK, "PUT", path, {"any_hour": True, "evidence": "recording 17"})
    assert (later["hours"], later["language"], later["refused"]) == (None, "en", ["sms"])
    never = {"consents": [{"message_class": "NOTICE", "allowed": False}]}
    assert (await desk.call(client(who), "PUT", path, never)).status_code == 422
    assert (await desk.call(ELSEWHERE, "GET", path)).status_code == 404
    [told] = [one for one in await desk.told("messaging.consent.changed") if one["client_id"] == who]
    assert [(one["message_class"], one["allowed"]) for one in told["stretches"]] == [("MARKETING", True)]


async def test_consents_and_opt_outs_are_judged(desk: Desk) -> None:
    who, day = await desk.open(email=EMAIL), business_date(utc_now())
    while not await _working(day):
        day += timedelta(days=1)
    noon = at(day, 12) + timedelta(days=7 * 0)
    path = f"/clients/{who}/preferences"
    await desk.ok(client(who), "PUT", path, {"consents": [{"message_class": "MARKETING", "allowed": True}]})
    later = max(noon, utc_now())
    assert (await desk.ask(who, "invitation", later, "p1")).reason != "no_consent"
    await desk.ok(
        client(who), "PUT", path, {"consents": [{"message_class": "MARKETING", "channel": "sms", "allowed": False}]}
    )
    stopped = await desk.ask(who, "invitation", max(noon, utc_now()), "p2")
    assert (stopped.channel in (None, "email"), stopped.reason == "no_consent") == (True, False)
    await desk.ok(client(who), "PUT", path, {"consents": [{"message_class": "CARE", "allowed": False}]})
    assert (await desk.ask(who, "birthday", max(noon, utc_now()), "p1")).reason == "opted_out"


async def _working(day: object) -> bool:
    from chassis.calendar import shipped

    return shipped().is_working_day(day)  # type: ignore[arg-type]


async def test_many_are_judged_as_one_by_one(desk: Desk) -> None:
    """The set-based form gives what the pure rule gives to each in turn, what goes before it counted."""
    who = [
        await desk.open(phone="13500135000"),
        await desk.open(phone="13500135000"),
        await desk.open(phone=None, email=EMAIL),
    ]
    kinds = ["account_notice", "birthday", "invitation", "verify"]
    async with desk.world.database("messaging").unit_of_work() as uow, uow.undone():
        made = [await _row(desk, client_id, kind, n) for n in range(4) for client_id in who for kind in kinds]
        together = await judge_many(uow, made, NOON)
    outcomes: dict[str, list[str]] = {}
    for row in made:
        outcomes.setdefault(f"{row.client_id}/{row.kind}", []).append(together[row.message_id].reason or "go")
    assert outcomes[f"{who[0]}/account_notice"] == ["go"] * 4
    assert outcomes[f"{who[0]}/verify"] + outcomes[f"{who[1]}/verify"] == ["go"] + ["cap"] * 7  # one a minute a number
    assert outcomes[f"{who[0]}/birthday"] + outcomes[f"{who[1]}/birthday"] == [
        "go",
        "cap",
        "cap",
        "cap",
        "go",
        "cap",
        "cap",
        "cap",
    ]
    assert outcomes[f"{who[2]}/verify"] == ["no_address"] * 4
    assert outcomes[f"{who[2]}/birthday"] == ["go", "go", "cap", "cap"]


async def _row(desk: Desk, client_id: str, kind: str, n: int) -> MessageRow:
    from chassis.uow import UnitOfWork  # noqa: F401
    from services.messaging.messages import Wanted, _new
    from services.messaging.policy import Policies

    one = Wanted(client_id=client_id, kind=kind, cause=str(n), fields={}, asked_by="test", asked_at=NOON)
    book = Policies().templates.on(business_date(NOON)).body
    key = one.message_id
    return _new(one, key, book.kinds[kind].message_class, "B1", None, NOON + timedelta(minutes=9), NOON)


async def test_lists_are_masked_and_of_ones_own(desk: Desk) -> None:
    who = await desk.open(email=EMAIL)
    await desk.notice(who, "a")
    await desk.notice(who, "b")
    page = await desk.ok(client(who), "GET", f"/clients/{who}/messages?limit=1")
    rest = await desk.ok(HEAD, "GET", f"/clients/{who}/messages?limit=1&cursor={page['next']}")
    assert [one["period"] for one in (*page["items"], *rest["items"])] == ["b", "a"]
    assert (await desk.call(ELSEWHERE, "GET", f"/clients/{who}/messages")).status_code == 404
    key = page["items"][0]["message_id"]
    assert (await desk.ok(HEAD, "GET", f"/messages/{key}"))["period"] == "b"
    cancelled = await desk.ok(HEAD, "POST", f"/messages/{key}/cancellation", {"reason": "asked by mistake"})
    assert (cancelled["state"], cancelled["why"]) == ("cancelled", "asked by mistake")
    assert (await desk.call(HEAD, "POST", f"/messages/{key}/cancellation", {"reason": "again"})).status_code == 409


async def test_a_preview_reads_as_the_message_would_and_sends_nothing(desk: Desk) -> None:
    path, before = (
        "/templates/account_notice/preview",
        await desk.world.value("messaging", "SELECT count(*) FROM messages"),
    )
    found = await desk.ok(HQ, "POST", path, {"fields": {"text": "资料已更新", "name": NAME}})
    assert found["text"] == "【客户服务】尊敬的王小明：资料已更新。服务热线[hotline]。"
    assert (found["parts"], found["words"], found["message_class"]) == (1, [], "NOTICE")
    english = await desk.ok(HQ, "POST", path, {"fields": {"text": "稳 赚"}, "language": "en"})
    assert (english["subject"], english["words"]) == ("Notice about your account", ["稳赚"])
    assert (await desk.call(HQ, "POST", path, {"fields": {}})).status_code == 422
    assert (await desk.call(HQ, "POST", "/templates/nothing/preview", {})).status_code == 404
    assert await desk.world.value("messaging", "SELECT count(*) FROM messages") == before


async def test_figures_count_by_day_and_template(desk: Desk) -> None:
    who = await desk.open()
    await desk.notice(who, "f1")
    await desk.notice(who, "f2", fields={"text": "稳赚"})
    found = [one for one in await desk.ok(HQ, "GET", "/figures") if one["kind"] == "account_notice"]
    assert sum(one["asked"] for one in found) >= 2
    assert any(one["suppressed"].get("forbidden_word") for one in found)
    assert (await desk.call(HQ, "GET", "/figures?first=2026-02-01&last=2026-01-01")).status_code == 422
    # An opt-out counts to the last message before it.
    one = await desk.ask(who, "birthday", utc_now(), "f3", required=True)
    async with desk.world.database("messaging").unit_of_work() as uow:
        await uow.sql.execute("UPDATE messages SET state = 'handed', handed_at = now() WHERE message_id = $1", one.message_id)  # fmt: skip
    await desk.ok(client(who), "PUT", f"/clients/{who}/preferences", {"consents": [{"message_class": "CARE", "allowed": False}]})  # fmt: skip
    [care] = [row for row in await desk.ok(HQ, "GET", "/figures?kind=birthday") if row["handed"]]
    assert (care["opt_outs"], care["opt_outs_per_1000"]) == (1, round(1000 / care["handed"], 1))


async def test_codes_are_not_asked_for_by_events(desk: Desk) -> None:
    who = await desk.open()
    code = MessageRequested(
        request_id=uuid4(), client_id=who, kind="verify", cause="v", fields={"code": "123456"}, asked_at=utc_now()
    )
    await desk.world.publish(code)
    await desk.world.settle()
    row = await desk.message(message_id("verify", who, "v"))
    assert (row.state, row.reason) == ("suppressed", "code_by_event")


async def test_a_replayed_home_sends_nothing_and_says_so(desk: Desk) -> None:
    who = await desk.open()
    async with desk.world.database("messaging").unit_of_work() as uow:
        await uow.sql.execute("UPDATE timeline SET timeline = 'simulated'")
    try:
        assert (await desk.notice(who))["why"] == "simulated_home"
    finally:
        async with desk.world.database("messaging").unit_of_work() as uow:
            await uow.sql.execute("UPDATE timeline SET timeline = 'real'")
