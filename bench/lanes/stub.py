"""A service that costs nothing, so that a hop is all there is: `python -m bench.lanes.stub PORT`. Always the same answer."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

BODY = b'{"client_id":"C00000001","available":"12.34","held":"0.00","debt":"0.00","spendable":"12","next_expiries":[]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
Message = MutableMapping[str, Any]


async def stub(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """One ASGI call."""
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    uvicorn.run(stub, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="error", lifespan="off")
