"""The priority queue [C18], the complaint share [C20], and who is to be told of what [C25]."""

from datetime import date
from typing import Any

from chassis.actor import Actor, Role
from contracts.broker import ClientOpened
from contracts.classification import CoreChanged, CoreStretch, TierChanged, TierStretch
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, ELSEWHERE, FEEDBACK, LI, OFFICER, Desk, march


def tier(client: str, code: Any, since: date = date(2009, 1, 1), revision: int = 1) -> TierChanged:
    return TierChanged(
        client_id=client, branch_id="B1", revision=revision, changed_from=since, previous="NORMAL",
        stretches=[TierStretch(since=since, tier=code)], reason="opened",
    )  # fmt: skip


async def queue(desk: Desk, actor: Actor = CENTRE) -> list[tuple[str, str | None]]:
    found = await desk.items(actor, "/queue")
    return [(one["client_id"], one["priority"]) for one in found]


async def test_gold_and_the_vip_line_come_first_and_are_judged_alike(desk: Desk) -> None:
    """C18: the order is all that differs; the tier is the one of today, however the history was rewritten."""
    await desk.world.publish(tier("c-gold", "GOLD"), tier("c-fell", "DIAMOND"), tier("c-silver", "SILVER"))
    await desk.world.settle()
    await desk.world.publish(tier("c-fell", "NORMAL", date(2009, 3, 1), 2), tier("c-fell", "GOLD", revision=1))
    await desk.world.settle()
    for number, (client, more) in enumerate(
        [("c-fell", {}), ("c-silver", {}), ("c-line", {"priority": True}), ("c-gold", {}), (None, {})]
    ):
        await desk.open(client_id=client, at=march(26, 10, number), **more)
    await desk.open(client_id="c-major", allegations=["私售"], at=march(26, 9))  # due three working days later
    assert await queue(desk) == [
        ("c-line", "vip_line"),
        ("c-gold", "tier"),
        ("c-fell", None),
        ("c-silver", None),
        (None, None),
        ("c-major", None),
    ]
    assert await queue(desk, ELSEWHERE) == []
    clocks = await desk.world.rows("complaints", "SELECT DISTINCT due FROM clocks WHERE clock = 'result'")
    assert len(clocks) == 2  # the same limit for gold and for everybody
    (first, *_) = await desk.items(CENTRE, "/queue")
    await desk.act(CENTRE, first, "acceptance", march(26, 11))
    assert ("c-line", "vip_line") not in await queue(desk)
    refused = await desk.call(LI, "GET", "/queue")
    assert refused.status_code == 403


async def told(desk: Desk, actor: Actor, **more: str) -> list[tuple[str, str]]:
    found = await desk.items(actor, "/prompts" + ("?everybody=true" if more else ""))
    return [(one["state"], one["since"]) for one in found]


async def test_each_change_of_state_asks_for_a_contact_by_the_chosen_channel(desk: Desk) -> None:
    """C25: a prompt stands until a contact after the last change is logged; one logged late answers what it could."""
    case = await desk.open(contact_channel="wechat")
    assert await told(desk, CENTRE) == []  # they are talking to us right now
    await desk.ordered(case)
    (prompt,) = await desk.items(CENTRE, "/prompts")
    assert (prompt["state"], prompt["since"], prompt["channel"], prompt["overdue"]) == (
        "dispatched",
        "2009-03-26T02:05:00Z",
        "wechat",
        True,
    )
    assert prompt["due"] == "2009-03-27T09:30:00Z"  # the end of the next working day
    contact = {"channel": "wechat", "about": "已受理"}
    await desk.act(CENTRE, case, "contacts", march(26, 10, 10), 201, **contact)
    assert await told(desk, CENTRE) == [("dispatched", "2009-03-26T02:30:00Z")]
    await desk.act(CENTRE, case, "contacts", march(26, 10, 40), 201, **contact)
    assert await told(desk, CENTRE) == []
    await desk.act(OFFICER, case, "feedback", march(26, 16), **FEEDBACK)
    await desk.answer(case, march(27), {"time": 5, "feedback": 5, "result": 5}, True)
    (prompt,) = await desk.items(DIRECTOR, "/prompts?everybody=true")
    assert (prompt["state"], prompt["outcome"], prompt["since"]) == ("closed", "satisfied", "2009-03-26T08:00:00Z")
    assert await told(desk, DIRECTOR) == await told(desk, ELSEWHERE, everybody="yes") == []
    assert await told(desk, OFFICER, everybody="yes") != []
    await desk.act(CENTRE, case, "contacts", march(27, 11), 201, **contact)
    assert await told(desk, CENTRE) == []
    await desk.act(LI, case, "reopening", march(27, 12), reason="又发生")
    assert [state for state, _ in await told(desk, COMPLIANCE, everybody="yes")] == ["reopened"]


async def test_only_upheld_complaints_count_in_the_share(desk: Desk) -> None:
    """C20: by branch and person; in time, told, satisfied; core clients apart; other months and branches apart."""
    await desk.world.publish(
        *(
            ClientOpened(client_id=f"c-{n}", branch_id="B1", opened_on=date(2009, 1, 1), manager_id="m-1")
            for n in range(4)
        ),
        CoreChanged(
            client_id="c-0", branch_id="B1", revision=1, changed_from=date(2009, 1, 1),
            stretches=[CoreStretch(since=date(2009, 1, 1), core=True)],
        ),
    )  # fmt: skip
    await desk.world.settle()
    for number, (upheld, employee, score) in enumerate([(True, "m-1", 5), (False, "m-2", 4), (True, "m-2", 3)]):
        case = await desk.open(client_id=f"c-{number}", employee=employee, at=march(2 + number))
        await desk.ordered(case, 2 + number)
        feedback = FEEDBACK | {"upheld": upheld}
        await desk.act(OFFICER, case, "feedback", march(2 + number, 16), **feedback)
        await desk.answer(case, march(9 + number), {"result": score}, True)
        if number == 0:
            await desk.act(CENTRE, case, "contacts", march(9 + number, 11), 201, channel="hotline", about="结果")
    late = await desk.open(client_id="c-3", at=march(5))
    await desk.ordered(late, 5)
    await desk.close(5)
    await desk.act(CENTRE, late, "withdrawal", march(6), reason="撤诉")
    kpi = await desk.get(COMPLIANCE, "/kpi/2009-03")
    assert kpi["core_satisfaction_target_percent"] == 90
    (branch,) = kpi["branches"]
    assert branch == {
        "branch_id": "B1", "closed": 4, "upheld": 2, "complaint_share": "100.00", "in_time": 3, "in_time_share": "75.00",
        "told": 1, "told_share": "25.00", "recorded_late": 0, "answered": 3, "satisfied": 3, "satisfaction": "100.00",
        "core_answered": 1, "core_satisfied": 1, "core_satisfaction": "100.00",
    }  # fmt: skip
    assert [(one["employee"], one["upheld"], one["complaint_share"], one["clients"]) for one in kpi["people"]] == [
        ("m-1", 1, "50.00", 4),
        ("m-2", 1, "50.00", 0),
    ]
    assert (kpi["people"][0]["per_hundred_clients"], kpi["people"][1]["per_hundred_clients"]) == ("25.00", None)
    assert (await desk.get(COMPLIANCE, "/kpi/2009-02"))["branches"] == []
    second = Actor("B2-director", Role.BRANCH_MANAGER, branch_id="B2")
    assert (await desk.get(second, "/kpi/2009"))["people"] == []
    await desk.get(DIRECTOR, "/kpi/2009-13", 422)
    await desk.get(OFFICER, "/kpi/2009-03", 403)
