"""One Kafka prefix belongs to one home."""

import uuid

import pytest

from careline.refusals import WrongArgument
from careline.schema import make_schemas
from chassis.settings import Settings
from gateway.app import service as gateway
from tests.conftest import Cluster
from tests.faults.counting.service import COUNTING


@pytest.mark.only_kafka
async def test_another_home_on_the_same_prefix_refuses_to_start(settings: Settings, postgres: Cluster) -> None:
    names = [f"home_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    first, second = [settings.model_copy(update={"database_url": await postgres.make(name)}) for name in names]
    try:
        await make_schemas(first, (gateway, COUNTING))
        await make_schemas(first, (gateway, COUNTING))  # once more is no other home
        with pytest.raises(WrongArgument, match="belongs to home"):
            await make_schemas(second, (gateway, COUNTING))
        elsewhere = second.model_copy(update={"bus_url": f"{settings.bus_url}x"})
        await make_schemas(elsewhere, (gateway, COUNTING))
        with pytest.raises(WrongArgument, match="belongs to home"):
            await make_schemas(second, (gateway, COUNTING))
    finally:
        for name in names:
            await postgres.drop(name)
