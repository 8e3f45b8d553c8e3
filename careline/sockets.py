"""Listening sockets: had before anything else starts, so that a port that is taken is told at once."""

import socket

from careline.refusals import WrongArgument


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises: WrongArgument when it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(2048)
    except OSError as error:
        made.close()
        raise WrongArgument(f"cannot listen on {host}:{port}: {error.strerror} (choose another with --port)") from None
    made.set_inheritable(True)
    return made


def address_of(listening: socket.socket) -> str:
    """The URL a listening socket is reached at from this machine."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
