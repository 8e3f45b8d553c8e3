"""Free loopback ports for servers that keep them over restarts."""

import random
import socket
from contextlib import closing, suppress
from pathlib import Path

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with closing(socket.socket()) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            trial.bind((HOST, port))
            return True
    return False


def free_port() -> int:
    """A free loopback port below the range that the kernel gives to outgoing connections.

    From that range, a client trying again while the server is down could be given the server's own port, and keep it.
    """
    highest = 32768
    with suppress(FileNotFoundError):
        highest = min(highest, int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]))
    candidates = range(20000, highest) if highest > 20100 else range(highest, 65536)
    while not is_free(port := random.SystemRandom().choice(candidates)):
        pass
    return port
