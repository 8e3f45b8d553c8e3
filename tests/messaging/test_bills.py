"""A provider's bill against what was handed to it [MS19]."""

from datetime import timedelta

import pytest

from chassis.clock import at, business_date, utc_now
from services.messaging import bills
from services.messaging.bills import Charged, Difference, Unreadable
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import send_due
from tests.messaging.desk import Desk
from tests.messaging.gateway import serving

TODAY = business_date(utc_now())
NOON = at(TODAY, 12)


def test_a_bill_is_read_or_refused_by_its_line() -> None:
    assert bills.read(["\ufeffreceipt,parts,price\n", "r-1,2,0.10\n"]) == [Charged("r-1", 2)]
    for lines in (
        ["nothing\n"],
        ["ref,parts\n", ",1\n"],
        ["ref,parts\n", "r-1,many\n"],
        ["ref,parts\n", "r-1,0\n"],
        [],
    ):
        with pytest.raises(Unreadable, match="line"):
            bills.read(lines)


async def test_every_difference_is_named(desk: Desk) -> None:
    database, made = desk.world.database("messaging"), []
    async with serving() as gateway:
        for number in range(4):
            one = await desk.ask(await desk.open(), "account_notice", NOON, fields={"text": f"第{number}"})
            made.append(str(one.message_id))
        refused = await desk.open()
        gateway.behave[f"139{int(refused.removeprefix('c-')):08d}"] = "refused"
        await desk.ask(refused, "account_notice", NOON, fields={"text": "x"})
        await send_due(database, "own", HttpSms(gateway.url), NOON)
    async with database.unit_of_work() as uow:  # a receipt told us that it arrived, its reference we never had
        await uow.sql.execute(
            "UPDATE messages SET state = 'delivered', provider_ref = NULL WHERE message_id = $1::text::uuid", made[2]
        )
    bill = [
        Charged(f"r-{made[0]}", 1),
        Charged(made[1], 2),
        Charged(made[2], 1),
        Charged(made[2], 1),
        Charged("r-x", 3),
    ]
    async with database.reading() as sql:
        found = await bills.compare(sql, "own", TODAY, bill)
        nothing = await bills.compare(sql, "own", TODAY - timedelta(days=70), [])
    assert (found.billed, found.billed_parts, found.ours, found.our_parts) == (5, 8, 4, 4)
    assert sorted(found.differences, key=lambda one: one.what) == [
        Difference("not_billed", made[3], 0, 1), Difference("not_ours", "r-x", 3, 0),
        Difference("other_parts", made[1], 2, 1), Difference("twice", made[2], 1, 0),
    ]  # fmt: skip
    assert nothing.differences == []
