"""Where a key lies: as any Kafka client with the default partitioner says."""

from aiokafka.partitioner import murmur2

from chassis.bus.record import partition_of
from chassis.memo import Memo


def test_a_key_lies_where_the_kafka_client_would_put_it() -> None:
    keys = [f"C{number:08d}" for number in range(50)]
    wanted = [(murmur2(key.encode()) & 0x7FFFFFFF) % 7 for key in keys]
    assert [partition_of(key, 7) for key in keys] == wanted == [partition_of(key, 7) for key in keys]


def test_what_is_forgotten_is_found_again() -> None:
    doubled = Memo(lambda number: number * 2, limit=3)
    assert [doubled[number] for number in (1, 2, 3, 4, 1)] == [2, 4, 6, 8, 2]
    assert len(doubled) == 2
