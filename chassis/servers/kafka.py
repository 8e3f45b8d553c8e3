"""A real Apache Kafka, one node of broker and controller (KRaft), on this machine without containers."""

import base64
import os
import signal
import socket
import struct
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from chassis.folders import private_folder
from chassis.servers import jars, process
from chassis.servers.java import find_java
from chassis.servers.locks import turn
from chassis.servers.ports import HOST, free_port, is_free
from chassis.servers.postgres import Status
from chassis.servers.process import Process, ServerNotReady, StillStarting
from chassis.servers.sockets import make_private

START_SECONDS = 60
# One node: nothing can be replicated, and no group waits for members that may still come.
SETTINGS: dict[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "BROKER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    # A broker that was killed is let in again only when its old session has ended: 9 s as a rule, too long here.
    "broker.heartbeat.interval.ms": "1000",
    "broker.session.timeout.ms": "4000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
}
LOGGING = """\
status = warn
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""
HEAP = ("-Xms64m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError")
SHORT_LIVED = "-XX:TieredStopAtLevel=1"
"""For a runtime that ends before what it compiles again and again would pay."""


class PrivateKafka:
    """One Kafka node kept in `home`, its log in `home`/log/kafka.log, listening on a loopback port that it keeps.

    Blocking. It stays until `stop`, whoever started it.
    """

    def __init__(
        self, home: Path, *, lock_list: Path = jars.LOCK_LIST, cache: Path | None = None, short_lived: bool = False
    ) -> None:
        """`cache`: where the jars are kept, `CARELINE_CACHE` or ~/.cache/careline by default. `short_lived`: starts for two thirds of the
        CPU and is slower at its best."""
        self.home = Path(os.path.abspath(home))
        self.log = self.home / "log" / "kafka.log"
        self._data = self.home / "data"
        self._pidfile = self.home / "server.pid"
        self._properties = self.home / "server.properties"
        self._lock_list = lock_list
        self._cache = cache
        self._options = (*HEAP, *([SHORT_LIVED] if short_lived else []))

    def start(self) -> str:
        """Start the broker, or find the one that runs, and give `host:port` once it answers requests.

        Errors: ServerNotReady (JarsMissing for the jars), with the reason and the end of the broker's log.
        """
        private_folder(self.home.parent)
        make_private(self.home)
        with turn(self.home / "turn.lock"):
            server = process.find(self._pidfile)
            if server is None or not self._becomes_ready(server):
                self._launch()
        return self.address

    def stop(self) -> None:
        """Stop the broker, if one runs. Errors: ServerNotReady when it does not end."""
        if not self.home.is_dir():
            return
        with turn(self.home / "turn.lock"):
            server = process.find(self._pidfile)
            if server and not server.stop((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
                raise ServerNotReady(f"process {server.pid} does not end")

    def status(self) -> Status:
        """Whether the broker runs now; `url` is its host:port. Changes nothing."""
        server = process.find(self._pidfile)
        if server is None or not server.alive:
            return Status(running=False, pid=None, url=None)
        return Status(running=True, pid=server.pid, url=self.address)

    @property
    def address(self) -> str:
        """The broker's host:port, the same after a restart unless another program has taken the port."""
        return f"{HOST}:{self._ports()[0]}"

    def _ports(self) -> tuple[int, int]:
        ports = (self.home / "ports").read_text().split()
        return int(ports[0]), int(ports[1])

    def _launch(self) -> None:
        java = [str(find_java()), *self._options]
        folder = self._cache or jars.cache_folder()
        classes = ":".join(map(str, jars.fetch(jars.read_lock_list(self._lock_list), folder)))
        self._configure()
        java += ["-Dlog4j2.configurationFile=log4j2.properties", "-cp", classes]
        environment = {name: value for name, value in os.environ.items() if name not in JAVA_VARIABLES}
        environment["LC_ALL"] = "C.UTF-8"  # or Java cannot read a path with Chinese in it
        self._format(java, environment)
        server = process.launch(
            [*java, "kafka.Kafka", self._properties.name],
            pidfile=self._pidfile, folder=self.home, output=self.log, environment=environment,
        )  # fmt: skip
        if not self._becomes_ready(server):
            raise ServerNotReady(f"Kafka did not start; the end of {self.log}:\n{process.last_lines(self.log)}")

    def _configure(self) -> None:
        """Write what the broker reads, each time anew: the settings are this program's."""
        with suppress(FileNotFoundError):
            if not all(map(is_free, self._ports())):
                (self.home / "ports").unlink()
        if not (self.home / "ports").exists():
            _write(self.home / "ports", f"{free_port()} {free_port()}\n")
        broker, controller = self._ports()
        settings = SETTINGS | {
            "log.dirs": self._data.name,  # seen from `home`: the setting is a list, and a path may hold commas
            "listeners": f"BROKER://{HOST}:{broker},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"BROKER://{HOST}:{broker}",
            "controller.quorum.voters": f"1@{HOST}:{controller}",
        }
        _write(self._properties, "".join(f"{name}={value}\n" for name, value in settings.items()))
        _write(self.home / "log4j2.properties", LOGGING)

    def _format(self, java: list[str], environment: Mapping[str, str]) -> None:
        if (self._data / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # The `=` keeps an id that begins with a dash from being read as an option.
        command = [
            *java,
            SHORT_LIVED,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            "--ignore-formatted",
            "-c",
        ]
        done = process.run([*command, self._properties.name], environment=environment, folder=self.home)
        if done.returncode != 0:
            raise ServerNotReady(f"Kafka's storage could not be formatted: {(done.stderr or done.stdout).strip()}")

    def _becomes_ready(self, server: Process) -> bool:
        """Wait until the broker answers a request; False when it ended instead."""
        until = time.monotonic() + START_SECONDS
        while server.alive:
            if answers(self._ports()[0]):
                return True
            if time.monotonic() > until:
                raise StillStarting(
                    f"Kafka (process {server.pid}) does not answer after {START_SECONDS} s; the end of {self.log}:\n"
                    + process.last_lines(self.log)
                )
            server.wait(0.05)
        return False


# A runtime told to read options from the environment would print so into our output, or start with another heap.
JAVA_VARIABLES = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}


def answers(port: int) -> bool:
    """Whether a Kafka broker answers on this loopback port: it is asked which versions it speaks (ApiVersions 0)."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    with suppress(OSError), socket.create_connection((HOST, port), timeout=2) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.recv(8, socket.MSG_WAITALL)
        return len(answer) == 8 and struct.unpack(">i", answer[4:])[0] == 1
    return False


def _write(path: Path, text: str) -> None:
    """Whole or not at all, also when killed."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(text)
    unfinished.replace(path)
