"""Registered addresses of staff, trials to them, and lists for the desk [MS14]."""

from datetime import timedelta

from chassis.actor import Actor, Role
from chassis.clock import at, business_date, utc_now
from contracts import broker
from services.messaging.messages import Wanted, ask
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import judge_due, send_due
from tests.messaging.desk import DESK, HQ, Desk, client
from tests.messaging.gateway import serving

OFFICER = Actor("comp-1", Role.COMPLIANCE, purpose="service")
TODAY = business_date(utc_now())
NOON = at(TODAY + timedelta(days=1), 12)
NUMBER = "13600136000"


async def staff(desk: Desk, *names: str) -> None:
    people = [broker.StaffChanged(staff_id=name, branch_id="B1", name=name) for name in names]
    await desk.world.publish(*people, at=at(TODAY - timedelta(days=9), 9))
    await desk.world.settle()


async def test_a_trial_goes_to_a_registered_number_of_staff_and_to_nobody_else(desk: Desk) -> None:
    await staff(desk, "mia", "comp-1")
    trial = {"staff_id": "mia", "channel": "sms", "fields": {"text": "试发"}}
    await desk.ok(HQ, "POST", "/templates/account_notice/trial", trial, 422)  # nothing registered
    given = {"staff_id": "mia", "channel": "sms", "address": NUMBER}
    await desk.ok(HQ, "POST", "/registrations", given, 403)
    await desk.ok(OFFICER, "POST", "/registrations", given | {"staff_id": "comp-1"}, 403)
    await desk.ok(OFFICER, "POST", "/registrations", given | {"address": "110"}, 422)
    await desk.ok(OFFICER, "POST", "/registrations", given | {"staff_id": "nobody"}, 422)
    made = await desk.ok(OFFICER, "POST", "/registrations", given, 201)
    assert (made["address"], made["registered_by"]) == ("136****6000", "comp-1")
    await desk.ok(OFFICER, "POST", "/registrations", given, 409)
    await desk.ok(HQ, "POST", "/templates/account_notice/trial", trial | {"fields": {}}, 422)
    await desk.ok(HQ, "POST", "/templates/gossip/trial", trial, 404)
    await desk.ok(HQ, "POST", "/templates/account_notice/trial", trial | {"client_id": "c-1"}, 422)
    asked = await desk.ok(HQ, "POST", "/templates/account_notice/trial", trial, 201)
    database = desk.world.database("messaging")
    await judge_due(database, NOON)
    async with serving() as gateway:
        await send_due(database, "own", HttpSms(gateway.url), NOON)
        assert gateway.sent(NUMBER) == ["【客户服务】尊敬的客户：试发。服务热线400-000-0000。"]
    assert (await desk.message(asked["message_id"])).state == "handed"
    ended = await desk.ok(OFFICER, "POST", f"/registrations/{made['registration_id']}/end")
    assert ended["ended_at"]
    await desk.ok(HQ, "POST", "/templates/account_notice/trial", trial, 422)


async def test_trials_to_two_people_are_two_messages_and_can_be_looked_at(desk: Desk) -> None:
    numbers = {"ann": "13600136001", "bob": "13600136002"}
    await staff(desk, *numbers)
    for name, number in numbers.items():
        await desk.ok(OFFICER, "POST", "/registrations", {"staff_id": name, "channel": "sms", "address": number}, 201)
    fields = {"symbol": "601658", "quantity": "500", "pay_by": "2026-06-05"}
    made = [
        Wanted(
            staff_id=name, kind="allotment", cause="t", fields=fields, asked_by="hq-1", asked_at=NOON, required=True,
            channels=["sms"],
        )
        for name in numbers
    ]  # fmt: skip
    database = desk.world.database("messaging")
    async with database.unit_of_work() as uow:
        await ask(uow, made, NOON)
    async with serving() as gateway:
        await send_due(database, "own", HttpSms(gateway.url), NOON + timedelta(minutes=10))
        assert [len(gateway.sent(number)) for number in numbers.values()] == [1, 1]
    path = f"/messages/{made[0].message_id}"
    shown = await desk.ok(HQ, "GET", path)
    assert (shown["state"], shown["client_id"], shown["to"]) == ("handed", None, None)
    await desk.ok(OFFICER, "GET", path)
    await desk.ok(DESK, "GET", path, status=404)


async def test_a_contact_from_nothing_registered_is_a_finding_once(desk: Desk) -> None:
    await staff(desk, "ann", "bob")
    who = await desk.open()
    await desk.ok(OFFICER, "POST", "/registrations", {"staff_id": "ann", "channel": "wecom", "address": "ann"}, 201)
    now = utc_now()
    facts = [
        broker.ContactRecorded(
            contact_id=f"k-{number}", client_id=who, staff_id=name, channel=channel, direction=way, at=now
        )
        for number, (name, channel, way) in enumerate(
            (("ann", "wecom", "out"), ("bob", "wecom", "out"), ("bob", "phone", "out"), ("bob", "wecom", "in"))
        )
    ]  # type: ignore[list-item]
    messages = await desk.world.publish(*facts)
    await desk.world.redeliver(messages, id="told-again")
    await desk.world.settle()
    found = {one["finding_id"]: one for one in await desk.told("messaging.finding.raised")}
    assert [(one["staff_id"], one["kind"], one["subject"]) for one in found.values()] == [
        ("bob", "unregistered_sender", "contact/k-1")
    ]


async def test_compliance_alone_publishes_templates(desk: Desk) -> None:
    """MS3, MS16: the class of a template, and words that pass in it, are compliance's to say."""
    body = (await desk.ok(HQ, "GET", "/policies/templates/in-force"))["body"]
    body["kinds"]["birthday"]["message_class"] = "NOTICE"
    on = (await desk.world.value("messaging", "SELECT max(through) FROM closed_days")) or business_date(utc_now())
    draft = {"effective_on": str(on + timedelta(days=400)), "body": body, "reason": "the class is another"}
    made = await desk.ok(HQ, "POST", "/policies/templates", draft, 201)
    path = f"/policies/templates/{made['version']}"
    refused = await desk.ok(Actor("hq-2", Role.HQ, purpose="service"), "POST", f"{path}/publication", status=403)
    assert refused["title"] == "Not allowed for your role"
    await desk.ok(OFFICER, "POST", f"{path}/publication")
    await desk.ok(OFFICER, "POST", f"{path}/withdrawal", {"reason": "of a test"})


async def test_lists_for_the_desk(desk: Desk) -> None:
    who = await desk.open()
    await desk.notice(who, not_before=(utc_now() + timedelta(days=1)).isoformat())
    waiting = await desk.ok(HQ, "GET", "/plans")
    assert any(one["kind"] == "account_notice" and one["messages"] >= 1 for one in waiting)
    no = {"consents": [{"message_class": "MARKETING", "allowed": False}]}
    await desk.ok(client(who), "PUT", f"/clients/{who}/preferences", no)
    newest = (await desk.ok(HQ, "GET", "/opt-outs?limit=1"))["items"][0]
    assert (newest["client_id"], newest["message_class"], newest["how"]) == (who, "MARKETING", "self")
    assert (await desk.ok(HQ, "GET", "/inbound"))["items"] == []
    kinds = {one["kind"] for one in await desk.ok(HQ, "GET", "/templates")}
    assert {"welcome", "account_notice"} <= kinds
    parts = {one["kind"]: one["longest_parts"] for one in await desk.ok(HQ, "GET", "/templates")}
    assert parts["account_notice"] == {"zh-CN": 3, "en": 3}
    assert parts["education"] == parts["news"] == {}  # no SMS; words of a mailing
    for path in ("/plans", "/opt-outs", "/inbound", "/templates"):
        await desk.ok(DESK, "GET", path, status=403)
