"""The log is kept a week and until everybody has passed it; room is made ahead."""

from datetime import timedelta

from chassis import housekeeping
from chassis.clock import utc_now
from tests.classification.facts import FIRST, opened
from tests.world import World


async def test_a_part_of_the_log_goes_when_all_have_passed_it_and_a_week_is_over(world: World) -> None:
    services, settings = world.platform.services, world.settings
    today = utc_now().date()
    schema = world.database("gateway").log.schema
    part = f"{schema}.log_{today:%Y%m%d}"
    in_eight_days = today + timedelta(days=8)
    await world.publish(opened())
    assert part not in await housekeeping.once(settings, services, in_eight_days)  # nobody has read it yet
    await world.close(FIRST)
    assert part not in await housekeeping.once(settings, services, today + timedelta(days=7))
    assert part in await housekeeping.once(settings, services, in_eight_days)
    assert await world.value("classification", "SELECT count(*) FROM clients") == 1
