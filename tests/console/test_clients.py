"""A client's purchase with a confirmed warning, at the counter and in the client's own zone; points; complaints."""

from chassis.clock import at
from contracts import broker
from contracts.fields import Rate
from gateway.client_search import note_clients
from tests.console.office import ANNA, CENTRE, CLIENT, COMPLIANCE, DIRECTOR, THURSDAY, Office


async def shelf(office: Office, code: str = "FUND") -> None:
    """One fund on the shelf, and a client whose level is too low for it."""
    await office.world.publish(
        broker.AssessmentRecorded(client_id="c-1", scheme="SEED-2010-12Q", level="LOW", assessed_on=THURSDAY)
    )
    await office.world.settle()
    asked = await office.call(
        CENTRE, "suitability", "PUT", f"/products/{code}", {"kind": "fund:equity", "name_en": "A fund"}
    )
    await office.call(COMPLIANCE, "suitability", "POST", f"/approvals/{asked['approval_id']}/approve", {})
    await office.world.settle()


async def test_a_purchase_above_the_level_is_warned_confirmed_and_checked(office: Office) -> None:
    await shelf(office)
    async with office.person(ANNA) as anna, office.person(DIRECTOR) as director:
        page = await anna.see("/clients/c-1/purchase")
        assert (page.status, page.headings, page.mains) == (200, 1, 1)
        assert "A fund" in page.answer.text
        bare = await anna.do(page, "ask", product="")
        assert bare.status == 422
        asked = await anna.send(bare.forms[0], product="FUND", channel="counter", initiator="client", side="buy")
        answer = await anna.see(asked.answer.headers["hx-redirect"])
        assert 'data-outcome="CONFIRM"' in answer.answer.text
        assert "Done." in (await anna.do(answer, "send_link")).answer.text
        unproved = await anna.do(answer, "confirm")
        assert unproved.status in (409, 422)
        waiting = await anna.send(unproved.forms[0], signature="s-1", recording="r-1")
        assert waiting.answer.headers["hx-redirect"].startswith("/clients/c-1/purchase/")
        assert "second person" in (await anna.see(waiting.answer.headers["hx-redirect"])).answer.text
        inbox = await director.see("/approvals")
        assert "r-1" in inbox.answer.text
        assert "Done." in (await director.do(inbox, "approve", because="heard it")).answer.text
        again = await anna.do(
            await anna.see("/clients/c-1/purchase"), "ask", product="FUND", channel="counter", side="buy"
        )
        assert 'data-outcome="PASS"' in again.answer.text


async def test_a_client_confirms_by_the_link_of_a_message(office: Office) -> None:
    await shelf(office, "FUND-2")
    async with office.person(ANNA) as anna, office.person(CLIENT) as client:
        begun = {"product": "FUND-2", "channel": "counter", "initiator": "client", "side": "buy"}
        asked = await anna.do(await anna.see("/clients/c-1/purchase"), "ask", **begun)
        await anna.do(asked, "send_link")
        link = await office.world.value(
            "suitability",
            """SELECT convert_from(value, 'UTF8')::jsonb->'fields'->>'link' FROM bus.log
               WHERE type = 'suitability.message.requested' ORDER BY "offset" DESC LIMIT 1""",
        )
        page = await client.see(link)
        assert (page.status, page.headings, page.mains) == (200, 1, 1)
        assert 'data-outcome="CONFIRM"' in page.answer.text
        done = await client.do(page, "confirm", signature="s-1")
        assert done.status == 200
        assert (await client.see(link)).status == 409
        again = await client.do(await client.see("/clients/c-1/purchase"), "ask", product="FUND-2", channel="mobile")
        assert 'data-outcome="PASS"' in again.answer.text
        assert (await anna.see(link)).status == 403


async def test_clients_are_found_by_name_and_number_without_an_address_that_says_it(office: Office) -> None:
    async with office.world.database("gateway").unit_of_work() as uow:  # as the ingest does with what it takes in
        opened = broker.ClientOpened(
            client_id="c-1", branch_id="B1", opened_on=THURSDAY, name="王芳", phone="13800138000"
        )
        await note_clients(uow, [(opened, at(THURSDAY, 9), "e-1")])
    async with office.person(ANNA) as anna:
        page = await anna.see("/clients")
        for typed in ({"name": "王芳"}, {"phone": "13800138000"}, {"initials": "王", "phone_ending": "8000"}):
            found = await anna.do(page, "search", **typed)
            assert "/clients/c-1?purpose=service" in found.links, typed
        assert "Nobody fits." in (await anna.do(page, "search", name="无此人")).answer.text
        assert (await anna.do(page, "search")).status == 422
        whole = await anna.see("/clients/c-1")
        assert [one.name for one in whole.acts] == ["redeem", "adjust"]
        asked = await anna.do(whole, "adjust", points="10", reason="OTHER", why="late answer", attachment="n-1")
        assert "second person" in asked.answer.text


async def test_a_client_sees_their_own_zone_and_nobody_elses(office: Office) -> None:
    async with office.person(CLIENT, "zh-CN") as client, office.person(ANNA) as anna:
        zone = await client.see("/me")
        assert (zone.status, zone.headings, zone.mains) == (200, 1, 1)
        assert "普通客户" in zone.answer.text
        assert (await client.see("/")).answer.headers["location"] == "/me"
        for path in ("/callbacks", "/approvals", "/clients", "/operations", "/policies"):
            assert (await client.see(path)).status == 403, path
        assert (await client.see("/clients/c-2/purchase")).status == 404
        assert (await anna.see("/me")).status == 403
        assert "/me/cheapest" in zone.links
        await office.world.publish(
            broker.CommissionAgreed(agreement_id="x-1", client_id="c-1", rate=Rate("0.5"), effective_on=THURSDAY)
        )
        await office.world.settle()
        asked = await client.see("/me/cheapest")
        assert (asked.status, asked.headings, asked.mains, "最省" in asked.answer.text) == (200, 1, 1, False)
        found = (await client.see("/me/cheapest?service=LEVEL2&turnover=100000")).answer.text
        first, *others = found.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr")[1:]
        assert "data-cheapest" in first
        assert ('<th scope="row">C</th><td>3.0</td>' in first, len(others) > 0) == (True, True), (
            "E, or a query, beside it"
        )
        for wrong, status in (("service=CASH&turnover=1", 422), ("service=LEVEL2&turnover=much", 422)):
            refused = await client.see(f"/me/cheapest?{wrong}")
            assert (refused.status, "alert" in refused.answer.text) == (status, True)
        poor = await client.do(zone, "redeem", reward="SMS1", quantity="1")
        assert (poor.status, "alert" in poor.answer.text) == (409, True)
        bare = await client.do(zone, "complain", words="")
        assert bare.forms[0].wrong == ["words"]
        done = await client.send(bare.forms[0], words="短信没有收到", category="service")
        assert done.answer.headers["hx-redirect"] == "/me"
        zone = await client.see("/me")
        case = next(link for link in zone.links if link.startswith("/complaints/"))
        seen = await client.see(case)
        assert seen.status == 200
        assert {"withdraw", "demand"} <= {one.name for one in seen.acts}
        assert "attach" not in {one.name for one in seen.acts}
