from datetime import timedelta
from time import perf_counter, process_time
from chassis.clock import at, business_date, utc_now
from services.messaging import messages
from services.messaging.messages import Wanted
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import send_due
from tests.messaging.desk import Desk
from tests.messaging.gateway import serving
from contracts import broker
from datetime import date

NOON = at(business_date(utc_now()), 12)
N = 3000

async def test_speed(desk: Desk) -> None:
    world = desk.world
    for first in range(0, N, 500):
        await world.publish(*[broker.ClientOpened(client_id=f"s-{n}", branch_id="B1", opened_on=date(2022,1,3), phone=f"138{n:08d}") for n in range(first, first+500)])
        await world.settle()
    database = world.database("messaging")
    begin, cpu = perf_counter(), process_time()
    for first in range(0, N, 1000):
        async with database.unit_of_work() as uow:
            await messages.ask(uow, [Wanted(client_id=f"s-{n}", kind="account_notice", cause="p", fields={"text": "资料已更新"}, asked_by="t", asked_at=NOON) for n in range(first, first+1000)], NOON)
    asked = perf_counter() - begin, process_time() - cpu
    async with serving() as gateway:
        for batch, name in ((1, "one a call"), (50, "50 a call")):
            begin, cpu = perf_counter(), process_time()
            done = 0
            while done < N // 2:
                n = await send_due(database, "own", HttpSms(gateway.url, batch=batch), NOON)
                done += n
                if not n: break
            spent = perf_counter() - begin, process_time() - cpu
            print("SPEED", name, done, "in", round(spent[0], 1), "s =", round(done / spent[0]), "/s; cpu", round(spent[1], 1), "s")
    print("SPEED asked and judged", N, "in", round(asked[0], 1), "s =", round(N / asked[0]), "/s; cpu", round(asked[1],1))
